"""A file that grows, as lines from any place on, forwards and backwards; nothing of it is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum

CHUNK_BYTES = 64 << 10
MOST_CHUNK_BYTES = 1 << 20
LONGEST_SHOWN_BYTES = 32 << 10
_PRINT_BYTES = 64


class Change(Enum):
    """What became of the file since the last look."""

    NONE = "none"
    GROWN = "grown"
    OTHER = "other"  # truncated, replaced, or seen for the first time
    GONE = "gone"


Extent = tuple[int, int]  # bytes of a line: its begin, and just after its terminator


class LogFile:
    """Lines end with a line feed; the last one may stand without. Reads at the size of the last look."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self.written_at: float | None = None  # seconds since the epoch
        self.problem: str | None = None
        self._descriptor = -1
        self._inode = (-1, -1)
        self._print = b""  # the bytes before `size`, by which another content of more bytes is known
        self._last_break = (0, 0)  # up to here it was looked for line feeds, and the last line begins there

    def close(self) -> None:
        """Lets go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._inode = (-1, -1)

    def look(self) -> Change:
        """Takes note of the size; why it cannot be read stands in `problem`."""
        try:
            found = os.stat(self.path)
            other = (found.st_dev, found.st_ino) != self._inode
            if other:
                self.close()
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                self._inode = (found.st_dev, found.st_ino)
            self.problem = None
            if not other and found.st_size == self.size:
                return Change.NONE
            other = other or found.st_size < self.size or self._is_rewritten()
            self.size, self.written_at = found.st_size, found.st_mtime
            self._print = self._read_at(max(0, self.size - _PRINT_BYTES), min(self.size, _PRINT_BYTES))
        except OSError as error:
            return self._gone(error)
        if other:
            self._last_break = (0, 0)
        return Change.OTHER if other else Change.GROWN

    def _gone(self, error: OSError) -> Change:
        problem = "the log is gone" if isinstance(error, FileNotFoundError) else str(error.strerror)
        known = self.problem == problem
        self.problem = problem
        return Change.NONE if known else Change.GONE

    def _is_rewritten(self) -> bool:
        return self._read_at(self.size - len(self._print), len(self._print)) != self._print

    def read(self, start: int, end: int) -> bytes:
        """The bytes between two places; fewer where the file became shorter meanwhile, or cannot be read."""
        try:
            return self._read_at(start, min(end, self.size) - start)
        except OSError:
            return b""

    def _read_at(self, start: int, count: int) -> bytes:
        if self._descriptor < 0 or count <= 0:
            return b""
        content = os.pread(self._descriptor, count, start)
        while 0 < len(content) < count:
            more = os.pread(self._descriptor, count - len(content), start + len(content))
            if not more:
                break
            content += more
        return content

    def forward(self, start: int) -> Iterator[Extent]:
        """The lines from the one that begins at `start`."""
        position, chunk = start, CHUNK_BYTES
        while position < self.size:
            content = self.read(position, position + chunk)
            if not content:
                break
            at = 0
            while (found := content.find(b"\n", at)) >= 0:
                at = found + 1
                yield start, position + at
                start = position + at
            position += len(content)
            chunk = min(MOST_CHUNK_BYTES, chunk * 2)
        if start < self.size:
            yield start, self.size

    def backward(self, end: int) -> Iterator[Extent]:
        """The lines before `end`, which is the begin of a line or the end of the file; the nearest first."""
        end = min(end, self.size)
        while end > 0:
            start = self._last_line_start() if end == self.size else self._line_start(end - 1, 0)
            yield start, end
            end = start

    def line_start(self, place: int) -> int:
        """Where the line begins that the byte at `place` belongs to."""
        return self._line_start(min(place, self.size), 0)

    def line_end(self, place: int) -> int:
        """The end of the line that the byte at `place` belongs to."""
        return next(self.forward(place), (place, self.size))[1]

    def _last_line_start(self) -> int:
        """As `_line_start`, but bytes that were searched once are not searched again each time the file grows."""
        seen, start = self._last_break
        found = self._line_start(self.size - 1, seen)  # the last byte may be the terminator of the line itself
        if found == seen:
            found = start
        self._last_break = (self.size - 1, found)
        return found

    def _line_start(self, end: int, floor: int) -> int:
        """Just after the last line feed in the bytes from `floor` up to `end`; `floor` where there is none."""
        chunk = CHUNK_BYTES
        while end > floor:
            begin = max(floor, end - chunk)
            content = self.read(begin, end)
            found = content.rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end, chunk = begin, min(MOST_CHUNK_BYTES, chunk * 2)
        return floor

    def shown_bytes(self, extent: Extent) -> tuple[bytes, bool]:
        r"""What is shown of a line, from its last `\r` on, and whether that is all: a line may be endless."""
        start, end = extent
        if end - start <= LONGEST_SHOWN_BYTES:
            return last_state(self.read(start, end)), True
        tail = self.read(end - LONGEST_SHOWN_BYTES, end).rstrip(b"\r\n")
        if b"\r" in tail:
            return tail.rpartition(b"\r")[2], True
        return last_state(self.read(start, start + LONGEST_SHOWN_BYTES)), False


def last_state(line: bytes) -> bytes:
    r"""What a line shows after its carriage returns; those at its end belong to the line's end, or wait for more."""
    return line.rstrip(b"\r\n").rpartition(b"\r")[2]
