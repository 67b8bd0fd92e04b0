"""What people read has one notation of durations and one word for waiting, in every module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture import sources
from tests.architecture.sources import PACKAGE, tree_of

# Scripts of the demo print what other programs print, and readers read it.
FILES = [path for path in sources.FILES if not {"readers", "scripts"} & set(path.parts)]
HERE = [path for path in FILES if {"presentation", "cli", "tui"} & set(path.relative_to(PACKAGE).parts)]

# `~` stands for a value, `~02` for one with two digits: what `duration` does not write.
OTHER_NOTATION = re.compile(r"[~\d] (?:s|sec|min|h|hours|days)\b(?!/)|~:~02|\d+:\d\d ?h")
# Only a queue is held, by a person; a run waits.
HELD = re.compile(r"\b(?:held|holding)\b", re.IGNORECASE)


@cache
def sentences_of(path: Path) -> list[str]:
    return [f"{path.relative_to(PACKAGE)}:{line}: {text}" for line, text in texts(path)]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The sentences that a module writes: its texts with blanks, without docstrings."""
    tree = tree_of(path)
    skipped = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    skipped -= {id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    skipped |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(_part(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    spec = part.format_spec if isinstance(part, ast.FormattedValue) else None
    return "~02" if spec is not None and ast.unparse(spec) == "f'02'" else "~"


def sentences(paths: list[Path]) -> list[str]:
    return [sentence for path in paths for sentence in sentences_of(path)]


def test_durations_have_one_notation() -> None:
    assert [sentence for sentence in sentences(FILES) if OTHER_NOTATION.search(sentence)] == []


def test_only_a_queue_is_held() -> None:
    about_holding = [text for text in sentences(HERE) if HELD.search(text.partition(": ")[2])]
    assert [text for text in about_holding if " " in text.partition(": ")[2] and "queue" not in text.lower()] == []


@pytest.mark.parametrize("text", ["~ s later", "6 h 12 min", "in ~ min", "8:12h", "~:~02"])
def test_the_pattern_recognizes_other_notations(text: str) -> None:
    assert OTHER_NOTATION.search(text)


@pytest.mark.parametrize("text", ["~s", "22m04s", "~ s/step", "http://~:~/x", "~ runs", "~h"])
def test_the_pattern_recognizes_nothing_else(text: str) -> None:
    assert not OTHER_NOTATION.search(text)
