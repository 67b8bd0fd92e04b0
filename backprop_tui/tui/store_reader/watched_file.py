"""Detects whether a file changed since it was last looked at."""

from __future__ import annotations

import os

Mark = tuple[int, int, int]  # modification time (ns), size, inode


def mark_of(path: str) -> Mark | None:
    """A value that changes when a file is replaced or appended to; None if the file does not exist.

    Raises:
        OSError: the file may exist but cannot be looked at.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class WatchedFile:
    """Remembers the mark of a file."""

    __slots__ = ("_mark", "_seen", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._mark: Mark | None = None
        self._seen = False

    def changed(self) -> bool:
        """Whether the file changed since the last call; True the first time."""
        mark = mark_of(self.path)
        if self._seen and mark == self._mark:
            return False
        self._mark, self._seen = mark, True
        return True
