"""Log excerpts for the tests of causes, and helpers to get their cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.causes.clues import Clues, Facts
from backprop_tui.domain.causes.registry import cause_of_failure
from backprop_tui.domain.causes.tracebacks import split_log_lines
from backprop_tui.domain.run import Cause

PYTHON = "/w/.venv/bin/python"
FACTS = Facts(
    exit_code=1,
    command=("python3", "train.py"),
    cwd="/w",
    interpreter=PYTHON,
    install=lambda package: f"{PYTHON} -m pip install {package}",
)


def clues_of(log: str | bytes, **facts: Any) -> Clues:
    content = log.encode() if isinstance(log, str) else log
    return Clues(split_log_lines(content, 1), replace(FACTS, **facts))


def cause_of(log: str | bytes, **facts: Any) -> Cause:
    return cause_of_failure(clues_of(log, **facts))


def raised(error: str, *, path: str = "/w/train.py", line: int = 3, code: str = "main()") -> str:
    """A traceback of one frame that ends in `error`."""
    return f'Traceback (most recent call last):\n  File "{path}", line {line}, in <module>\n    {code}\n{error}\n'
