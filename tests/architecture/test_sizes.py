"""Sizes of files and functions, in both directions: nothing too long to read, and no slivers to be read together."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import FILES, PACKAGE, imports, module_of, name_of, tree_of

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 40

# A module that is shorter than this and has one importer is probably a part of that importer.
SMALL_LINES = 60
SMALL_ON_PURPOSE: dict[str, str] = {
    "tui/textual_patches/class_creation.py": "imports a part of Textual, which its importer must prepare before",
    "tui/textual_patches/command_palette.py": "loaded when the palette is first opened: its import is slow",
}
# Folders in which every module may be short.
SMALL_FOLDERS = {"readers": "one log format per file"}


def _lines_of(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def _long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{name_of(path)}:{node.lineno} {node.name} has {lines} lines"


def test_a_file_has_at_most_500_lines() -> None:
    assert [name_of(path) for path in FILES if _lines_of(path) > MAX_FILE_LINES] == []


def test_a_function_has_at_most_40_lines() -> None:
    assert [text for path in FILES for text in _long_functions(path)] == []


def test_a_short_module_has_more_than_one_importer() -> None:
    short = {module_of(path): path for path in FILES if path.name != "__init__.py" and _lines_of(path) < SMALL_LINES}
    importers = {module: [name for name, names in imports().items() if module in names] for module in short}
    slivers = [
        f"{name_of(path)}: merge it into {importers[module][0]}, or give a reason here"
        for module, path in short.items()
        if len(importers[module]) == 1
        and name_of(path) not in SMALL_ON_PURPOSE
        and path.relative_to(PACKAGE).parts[0] not in SMALL_FOLDERS
    ]
    assert slivers == []


def test_the_reasons_for_short_modules_are_still_needed() -> None:
    missing = [name for name in (*SMALL_ON_PURPOSE, *SMALL_FOLDERS) if not (PACKAGE / name).exists()]
    assert not missing
