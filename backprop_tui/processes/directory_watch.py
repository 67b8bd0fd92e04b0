"""Notices files that are written in a directory, so that a process need not look at intervals; see inotify(7)."""

from __future__ import annotations

import os
import struct

_NONBLOCK, _CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_CLOSED_AFTER_WRITING, _MOVED_THERE = 0x08, 0x80
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name
_BUFFER_BYTES = 1 << 16


class DirectoryWatch:
    """Its descriptor becomes readable when a file was closed after writing, or moved there.

    The descriptor is None where the system or a limit refuses a watch. Files that another machine writes on a network
    file system are not noticed, so its users also look at intervals.
    """

    def __init__(self, path: str) -> None:
        import ctypes  # slow to import, and most commands do not need it

        self._path = os.fsencode(path)
        self._libc = ctypes.CDLL(None)
        self._watch = -1
        descriptor = self._libc.inotify_init1(_NONBLOCK | _CLOEXEC)
        self.descriptor: int | None = descriptor if descriptor >= 0 else None
        self.renew()
        if self._watch < 0:
            self.close()

    def renew(self) -> None:
        """Watches the directory that has the path now: it may have been replaced."""
        if self.descriptor is not None:
            mask = _CLOSED_AFTER_WRITING | _MOVED_THERE
            self._watch = self._libc.inotify_add_watch(self.descriptor, self._path, mask)

    def written(self) -> set[str]:
        """The names of the files that were written since the last call."""
        names: set[str] = set()
        try:
            while self.descriptor is not None and (events := os.read(self.descriptor, _BUFFER_BYTES)):
                names |= _names(events)
        except BlockingIOError:
            pass
        return names

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def _names(events: bytes) -> set[str]:
    names: set[str] = set()
    position = 0
    while position < len(events):
        length = _EVENT.unpack_from(events, position)[-1]
        position += _EVENT.size + length
        names.add(os.fsdecode(events[position - length : position].rstrip(b"\0")))
    return names
