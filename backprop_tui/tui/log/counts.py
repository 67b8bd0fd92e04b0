"""How many lines stand before any place of a file: a count for each stretch of it, in bounded memory."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from backprop_tui.tui.log.file import LogFile

FIRST_STRIDE_BYTES = 256 << 10
MOST_STRETCHES = 1 << 16  # then two become one: the memory stays below half a MB whatever the file's size


class LineCounts:
    """Line feeds up to each multiple of the stride, counted from the beginning on a part at a time."""

    def __init__(self, *, stride_bytes: int = FIRST_STRIDE_BYTES, most_stretches: int = MOST_STRETCHES) -> None:
        self._stride = stride_bytes
        self._most = most_stretches
        self._before = array("Q", [0])  # line feeds before each stretch
        self.counted_to = 0  # bytes
        self._feeds = 0

    def step(self, file: LogFile) -> bool:
        """Counts the rest of a stretch; whether more is left."""
        if self.counted_to >= file.size:
            return False
        content = file.read(
            self.counted_to, min(len(self._before) * self._stride, self.counted_to + FIRST_STRIDE_BYTES)
        )
        if not content:
            return False
        self._feeds += content.count(b"\n")
        self.counted_to += len(content)
        if self.counted_to == len(self._before) * self._stride:
            self._before.append(self._feeds)
            if len(self._before) > self._most:
                self._before = self._before[::2]
                self._stride *= 2
        return self.counted_to < file.size

    def before(self, place: int, file: LogFile) -> int | None:
        """Lines that end before a place; None where it is not counted so far."""
        if place > self.counted_to:
            return None
        if place == self.counted_to:
            return self._feeds
        stretch = place // self._stride
        return self._before[stretch] + _feeds(file, stretch * self._stride, place)

    def total(self, file: LogFile) -> int | None:
        """All lines, the unfinished one included; None while it is being counted."""
        if self.counted_to < file.size:
            return None
        return self._feeds + int(file.size > 0 and file.read(file.size - 1, file.size) != b"\n")

    def start_of(self, number: int, file: LogFile) -> int | None:
        """Where the line of a number begins, from 1; None where it is not counted so far, or not there."""
        wanted = number - 1
        if wanted < 0 or wanted > self._feeds:
            return None
        if wanted == 0:
            return 0
        stretch = bisect_right(self._before, wanted - 1) - 1
        low, before = stretch * self._stride, self._before[stretch]
        high = min(low + self._stride, self.counted_to)
        while high - low > 1:  # the feed that ends the line before lies in [low, high)
            middle = (low + high) // 2
            feeds = before + _feeds(file, low, middle)
            if feeds >= wanted:
                high = middle
            else:
                low, before = middle, feeds
        return high


def _feeds(file: LogFile, start: int, end: int) -> int:
    """Line feeds between two places, read in parts."""
    found = 0
    while start < end:
        content = file.read(start, min(end, start + FIRST_STRIDE_BYTES))
        if not content:
            break
        found += content.count(b"\n")
        start += len(content)
    return found
