"""Whether a file has changed since it was last examined."""

from __future__ import annotations

import os

from backprop_tui.domain.lazy_dataclass import lazy_dataclass


@lazy_dataclass(frozen=True, slots=True)
class Signature:
    """Differs after each change of a file that is replaced as a whole or appended to."""

    modified_ns: int
    size: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        return cls(status.st_mtime_ns, status.st_size, status.st_ino)


UNKNOWN = Signature(0, 0, 0)


def signature_of(path: str) -> Signature | None:
    """Returns the signature of a file; None if there is none, `UNKNOWN` if it cannot be examined: reading says why."""
    try:
        return Signature.of(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return UNKNOWN


class WatchedFile:
    """Remembers the signature a file had when it was last examined."""

    __slots__ = ("_examined", "_signature", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._signature: Signature | None = None
        self._examined = False

    def changed(self) -> bool:
        """Returns whether the file has changed, appeared or vanished since the last call; the first time True."""
        signature = signature_of(self.path)
        if self._examined and signature == self._signature:
            return False
        self._signature, self._examined = signature, True
        return True
