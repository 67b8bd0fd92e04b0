"""Whether a file changed since it was last looked at."""

from __future__ import annotations

import os

Mark = tuple[int, int, int]  # modified (ns), size, inode


def mark_of(path: str) -> Mark | None:
    """What changes with the content of a file that is replaced as a whole or appended to; None where it is not there.

    Raises:
        OSError: it may be there, and cannot be looked at.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class WatchedFile:
    """Remembers the file as it was."""

    __slots__ = ("_mark", "_seen", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._mark: Mark | None = None
        self._seen = False

    def changed(self) -> bool:
        """Whether it is another one than the last time; the first time always."""
        mark = mark_of(self.path)
        if self._seen and mark == self._mark:
            return False
        self._mark, self._seen = mark, True
        return True
