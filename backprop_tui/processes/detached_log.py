"""Words of a detached process for the log that its stderr is; a full disk swallows them, and does no more harm."""

from __future__ import annotations

import os
import traceback

STDERR = 2


def note(words: str) -> None:
    """One line."""
    try:
        os.write(STDERR, f"{words}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return


def note_exception(error: BaseException) -> None:
    """An exception that is dealt with, or is the last of its process, with its traceback."""
    note("".join(traceback.format_exception(error)).rstrip())
