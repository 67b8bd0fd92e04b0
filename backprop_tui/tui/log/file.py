"""A growing log file: its lines forwards and backwards from any position, and line numbers; nothing is kept of it."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum
from typing import Protocol

CHUNK_BYTES = 64 << 10
MAX_CHUNK_BYTES = 1 << 20
MAX_SHOWN_BYTES = 32 << 10
_FINGERPRINT_BYTES = 64
FIRST_STRIDE_BYTES = 256 << 10
MAX_STRETCHES = 1 << 16  # beyond that the stride doubles: the memory stays below half a MB whatever the file's size


class FileChange(Enum):
    """How the file changed since the last poll."""

    NONE = "none"
    GROWN = "grown"
    OTHER = "other"  # truncated, replaced, or seen for the first time
    GONE = "gone"


Extent = tuple[int, int]  # of a line, in bytes: its start, and the position after its terminator


class LineSource(Protocol):
    """The lines of a file, or some of them."""

    @property
    def reaches_end(self) -> bool: ...

    def forward(self, start: int) -> Iterator[Extent]: ...

    def backward(self, end: int) -> Iterator[Extent]: ...


class LogFile:
    """A file of lines that end with a line feed, except perhaps the last one.

    All reads are limited to the size at the last poll.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self.written_at: float | None = None  # seconds since the epoch
        self.problem: str | None = None
        self._descriptor = -1
        self._inode = (-1, -1)
        self._fingerprint = b""  # the bytes before `size`, which reveal that a file was rewritten with more bytes
        # Up to the first position line feeds were looked for; the last line starts at the second.
        self._last_break = (0, 0)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._inode = (-1, -1)

    def poll(self) -> FileChange:
        """Updates `size` and `written_at`; if the file cannot be read, `problem` says why."""
        try:
            status = os.stat(self.path)
            is_other = (status.st_dev, status.st_ino) != self._inode
            if is_other:
                self.close()
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                self._inode = (status.st_dev, status.st_ino)
            self.problem = None
            if not is_other and status.st_size == self.size:
                return FileChange.NONE
            is_other = is_other or status.st_size < self.size or self._is_rewritten()
            self.size, self.written_at = status.st_size, status.st_mtime
            fingerprint_start = max(0, self.size - _FINGERPRINT_BYTES)
            self._fingerprint = self._read_at(fingerprint_start, self.size - fingerprint_start)
        except OSError as error:
            return self._fail(error)
        if is_other:
            self._last_break = (0, 0)
        return FileChange.OTHER if is_other else FileChange.GROWN

    def _fail(self, error: OSError) -> FileChange:
        problem = "the log is gone" if isinstance(error, FileNotFoundError) else str(error.strerror)
        is_known = self.problem == problem
        self.problem = problem
        return FileChange.NONE if is_known else FileChange.GONE

    def _is_rewritten(self) -> bool:
        return self._read_at(self.size - len(self._fingerprint), len(self._fingerprint)) != self._fingerprint

    def read(self, start: int, end: int) -> bytes:
        """The bytes between two positions; fewer if the file was truncated meanwhile or cannot be read."""
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

    @property
    def reaches_end(self) -> bool:
        """Whether `forward` yields all lines: so that a filter can stand in for the file."""
        return True

    def forward(self, start: int) -> Iterator[Extent]:
        """The lines from the one that starts at `start`."""
        position, chunk = start, CHUNK_BYTES
        while position < self.size:
            content = self.read(position, position + chunk)
            if not content:
                break
            offset = 0
            while (feed := content.find(b"\n", offset)) >= 0:
                offset = feed + 1
                yield start, position + offset
                start = position + offset
            position += len(content)
            chunk = min(MAX_CHUNK_BYTES, chunk * 2)
        if start < self.size:
            yield start, self.size

    def backward(self, end: int) -> Iterator[Extent]:
        """The lines before `end`, the nearest first; `end` is the start of a line or the end of the file."""
        end = min(end, self.size)
        while end > 0:
            start = self._last_line_start() if end == self.size else self._line_start(end - 1, 0)
            yield start, end
            end = start

    def line_start(self, position: int) -> int:
        return self._line_start(min(position, self.size), 0)

    def line_end(self, position: int) -> int:
        return next(self.forward(position), (position, self.size))[1]

    def _last_line_start(self) -> int:
        """The start of the last line; bytes that were searched before are not searched again when the file grows."""
        searched_to, known_start = self._last_break
        start = self._line_start(self.size - 1, searched_to)  # the last byte may be the line's own terminator
        if start == searched_to:
            start = known_start
        self._last_break = (self.size - 1, start)
        return start

    def _line_start(self, end: int, floor: int) -> int:
        """The position after the last line feed in the bytes from `floor` to `end`; `floor` if there is none."""
        chunk = CHUNK_BYTES
        while end > floor:
            start = max(floor, end - chunk)
            feed = self.read(start, end).rfind(b"\n")
            if feed >= 0:
                return start + feed + 1
            end, chunk = start, min(MAX_CHUNK_BYTES, chunk * 2)
        return floor

    def shown_bytes(self, extent: Extent) -> tuple[bytes, bool]:
        r"""The visible part of a line, after its last `\r`, and whether it is complete: a line may be endless."""
        start, end = extent
        if end - start <= MAX_SHOWN_BYTES:
            return last_state(self.read(start, end)), True
        tail = self.read(end - MAX_SHOWN_BYTES, end).rstrip(b"\r\n")
        if b"\r" in tail:
            return tail.rpartition(b"\r")[2], True
        return last_state(self.read(start, start + MAX_SHOWN_BYTES)), False


def last_state(line: bytes) -> bytes:
    r"""What remains of a line after its carriage returns; trailing ones belong to the terminator or await more text."""
    return line.rstrip(b"\r\n").rpartition(b"\r")[2]


class LineCounts:
    """Line numbers of a file: line feeds up to each multiple of a stride, counted incrementally in bounded memory."""

    def __init__(self, *, stride_bytes: int = FIRST_STRIDE_BYTES, max_stretches: int = MAX_STRETCHES) -> None:
        self._stride = stride_bytes
        self._max_stretches = max_stretches
        self._before = array("Q", [0])  # line feeds before each stretch
        self.counted_to = 0  # bytes
        self._feeds = 0

    def step(self, file: LogFile) -> bool:
        """Counts the rest of a stretch; returns whether more is left."""
        if self.counted_to >= file.size:
            return False
        stretch_end = len(self._before) * self._stride
        content = file.read(self.counted_to, min(stretch_end, self.counted_to + FIRST_STRIDE_BYTES))
        if not content:
            return False
        self._feeds += content.count(b"\n")
        self.counted_to += len(content)
        if self.counted_to == stretch_end:
            self._before.append(self._feeds)
            if len(self._before) > self._max_stretches:
                self._before = self._before[::2]
                self._stride *= 2
        return self.counted_to < file.size

    def before(self, position: int, file: LogFile) -> int | None:
        """The number of lines that end before a position; None if it is not counted yet."""
        if position > self.counted_to:
            return None
        if position == self.counted_to:
            return self._feeds
        stretch = position // self._stride
        return self._before[stretch] + _count_feeds(file, stretch * self._stride, position)

    def find(self, number: int, file: LogFile) -> int | None:
        """The start of the line with a number, counted from 1; None if it is not counted yet, or not there."""
        feeds = max(0, number - 1)
        if feeds > self._feeds:
            return None
        stretch = max(0, bisect_left(self._before, feeds) - 1)
        start, left = stretch * self._stride, feeds - self._before[stretch]
        while left > 0:
            content = file.read(start, start + CHUNK_BYTES)
            if not content:
                return None
            count = content.count(b"\n")
            if count < left:
                start, left = start + len(content), left - count
                continue
            offset = 0
            for _ in range(left):
                offset = content.index(b"\n", offset) + 1
            return start + offset
        return start

    def total(self, file: LogFile) -> int | None:
        """The number of lines including an unfinished last one; None until all are counted."""
        if self.counted_to < file.size:
            return None
        return self._feeds + int(file.size > 0 and file.read(file.size - 1, file.size) != b"\n")


def _count_feeds(file: LogFile, start: int, end: int) -> int:
    count = 0
    while start < end:
        content = file.read(start, min(end, start + FIRST_STRIDE_BYTES))
        if not content:
            break
        count += content.count(b"\n")
        start += len(content)
    return count
