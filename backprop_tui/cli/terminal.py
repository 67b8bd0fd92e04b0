"""What stdout can show: its width, characters and colours."""

from __future__ import annotations

import os
import sys

USUAL_WIDTH = 80


def width() -> int | None:
    """Columns of the terminal on stdout; None if it is a pipe or a file, for which nothing is cut."""
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
    """Whether stdout can show every character."""
    return (sys.stdout.encoding or "").replace("-", "").lower() == "utf8"


def shows_colour() -> bool:
    """Whether stdout is a terminal with colours, and NO_COLOR is not set. See no-color.org."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in (None, "", "dumb")
