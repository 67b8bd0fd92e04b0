"""Log messages of detached processes, written to stderr, which is their log file; errors are ignored (full disk).

Logs of ours are for their owner alone and stay short: the end of a long one is kept as `NAME.1`.
"""

from __future__ import annotations

import os

from backprop_tui.processes.regular_files import open_regular

STDERR = 2
MAX_LOG_BYTES = 1 << 20


class _OwnLog:
    is_bounded = False  # in this process and those that it forks


def bound_log() -> None:
    """Keeps stderr short from now on: it is a log file of ours, to which several processes append."""
    _OwnLog.is_bounded = True
    _shorten(STDERR)


def note(message: str) -> None:
    try:
        os.write(STDERR, f"{message}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return
    if _OwnLog.is_bounded:
        _shorten(STDERR)


def note_exception(error: BaseException) -> None:
    import traceback  # expensive, and only needed for errors

    note("".join(traceback.format_exception(error)).rstrip())


def append_private(path: str, text: str) -> None:
    """Appends to a log that a front end keeps. Raises: OSError."""
    descriptor = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, follow=False)
    try:
        os.fchmod(descriptor, 0o600)  # earlier versions left it to the umask
        os.write(descriptor, text.encode("utf-8", "backslashreplace"))
        _shorten(descriptor)
    finally:
        os.close(descriptor)


def _shorten(log: int) -> None:
    """Keeps the end of a log that has become too long, and empties the log itself.

    It cannot be renamed: the other processes would go on writing to the renamed file.
    """
    path = f"/proc/self/fd/{log}"
    try:
        size = os.fstat(log).st_size
        if size <= MAX_LOG_BYTES:
            return
        with open(path, "rb") as file:
            file.seek(size - MAX_LOG_BYTES)
            end = file.read(MAX_LOG_BYTES)
        kept = open_regular(f"{os.readlink(path)}.1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, follow=False)
        os.ftruncate(log, 0)
        with open(kept, "wb") as copy:
            copy.write(end)
    except OSError:
        return
