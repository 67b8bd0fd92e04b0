"""The modules of the package, and all of the repository, as syntax trees; parsed once and only if a test asks."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import backprop_tui

PACKAGE = Path(backprop_tui.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
REPOSITORY = PACKAGE.parent


@cache
def repository_files() -> list[Path]:
    """All Python sources of the repository, without hidden folders (environments, caches) and builds."""
    files = []
    for folder, names, file_names in os.walk(REPOSITORY):
        names[:] = [name for name in names if not name.startswith(".") and name not in ("build", "dist", "__pycache__")]
        files += [Path(folder, name) for name in file_names if name.endswith(".py")]
    return sorted(files)


def name_of(path: Path) -> str:
    """The path in the package."""
    return str(path.relative_to(PACKAGE))


def module_of(path: Path) -> str:
    """The dotted name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """For each module, the dotted names that it may import, also inside functions."""
    return {module_of(path): frozenset(_imported_by(tree_of(path))) for path in FILES}


def _imported_by(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names
