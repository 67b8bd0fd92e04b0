"""Asks before something is lost."""

from __future__ import annotations

import sys

from backprop_tui.cli import diagnostics
from backprop_tui.domain.errors import UsageError


def confirm(question: str, *, yes: bool) -> bool:
    """Whether to go ahead: `--yes` was given, or the user answers yes.

    Raises:
        UsageError: there is no terminal to ask on.
    """
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty() or not diagnostics.is_terminal():
        raise UsageError(f"{question} There is no terminal to ask on: give --yes, or --dry-run to see what would go")
    diagnostics.ask(f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
