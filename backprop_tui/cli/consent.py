"""Asks before something is lost."""

from __future__ import annotations

import sys

from backprop_tui.cli import diagnostics
from backprop_tui.domain.errors import UsageError


def consents(question: str, *, given: bool) -> bool:
    """Whether to go on: `--yes` was given, or the person at the terminal says so.

    Raises:
        UsageError: nobody is there to be asked.
    """
    if given:
        return True
    if sys.stdin is None or not sys.stdin.isatty() or not diagnostics.is_terminal():
        raise UsageError(f"{question} Nobody can be asked here: give --yes to go on, --dry-run to see what would go")
    diagnostics.ask(f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
