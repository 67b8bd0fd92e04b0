"""Sizes of files and functions, in both directions: nothing too long to read, and no slivers to be read together."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import backprop_tui

PACKAGE = Path(backprop_tui.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py"))

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 40
MAX_PACKAGE_LINES = 42_000
MAX_FILES = {"": 310, "tui": 75, "cli": 40}

# A module that is shorter than this and has one importer is probably a part of that importer.
SMALL_LINES = 60
SMALL_ON_PURPOSE: dict[str, str] = {
    "tui/textual_patches/command_palette.py": "loaded when the palette is first opened: its import is slow",
}
# Folders in which every module may be short.
SMALL_FOLDERS = {"readers": "one log format per file"}


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported_modules(path: Path) -> set[str]:
    """Dotted names that the file may import, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


IMPORTS = {_module(path): _imported_modules(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_has_at_most_500_lines(path: Path) -> None:
    assert path.read_text().count("\n") <= MAX_FILE_LINES


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_function_has_at_most_40_lines(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{_name(path)}:{node.lineno} {node.name} has {lines} lines"


def test_the_package_stays_within_its_size() -> None:
    lines = sum(path.read_text().count("\n") for path in FILES)
    assert lines <= MAX_PACKAGE_LINES
    for package, limit in MAX_FILES.items():
        count = sum(path.is_relative_to(PACKAGE / package) for path in FILES)
        assert count <= limit, f"{package or 'all'}: {count} files"


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "__init__.py"], ids=_name)
def test_a_short_module_has_more_than_one_importer(path: Path) -> None:
    importers = [name for name, imported in IMPORTS.items() if _module(path) in imported]
    is_sliver = path.read_text().count("\n") < SMALL_LINES and len(importers) == 1
    is_allowed = _name(path) in SMALL_ON_PURPOSE or path.relative_to(PACKAGE).parts[0] in SMALL_FOLDERS
    assert not is_sliver or is_allowed, f"merge it into {importers[0]}, or give a reason here"


def test_the_reasons_for_short_modules_are_still_needed() -> None:
    missing = [name for name in (*SMALL_ON_PURPOSE, *SMALL_FOLDERS) if not (PACKAGE / name).exists()]
    assert not missing
