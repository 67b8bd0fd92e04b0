"""What stdout can show: how wide it is, and which characters."""

from __future__ import annotations

import os
import sys

USUAL_WIDTH = 80


def width() -> int | None:
    """Columns of the terminal on stdout; None where no person looks, so that nothing is cut for a pipe or a file."""
    if not sys.stdout.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or USUAL_WIDTH
    except OSError:
        return USUAL_WIDTH


def shows_unicode() -> bool:
    """Whether stdout takes every character."""
    return (sys.stdout.encoding or "").replace("-", "").lower() == "utf8"


def shows_colour() -> bool:
    """Whether a terminal is there that takes colours and nobody asked for none. See no-color.org."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in (None, "", "dumb")
