"""Files and functions stay small enough to be read in one sitting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import backprop_tui

PACKAGE = Path(backprop_tui.__file__).parent
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 59  # the aim is 40

FILES = sorted(PACKAGE.rglob("*.py"))


def _identify(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_there_are_files_to_measure() -> None:
    assert PACKAGE / "__init__.py" in FILES


@pytest.mark.parametrize("path", FILES, ids=_identify)
def test_a_file_has_at_most_500_lines(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= MAX_FILE_LINES, f"{_identify(path)} has {lines} lines: it holds more than one concept"


@pytest.mark.parametrize("path", FILES, ids=_identify)
def test_a_function_stays_below_60_lines(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{_identify(path)}:{node.lineno} {node.name} has {lines} lines"
