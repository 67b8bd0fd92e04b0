"""Log messages of detached processes, written to stderr, which is their log file; errors are ignored (full disk)."""

from __future__ import annotations

import os

STDERR = 2


def note(message: str) -> None:
    try:
        os.write(STDERR, f"{message}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return


def note_exception(error: BaseException) -> None:
    import traceback  # expensive, and only needed for errors

    note("".join(traceback.format_exception(error)).rstrip())
