"""The lines of a log that match a filter, found from a position outwards, one stretch at a time."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.tui.log.file import Extent, LogFile
from backprop_tui.tui.log.search import STRETCH_BYTES, LineMatcher

_MAX_CACHED_STRETCHES = 64


class FilteredLines:
    """Yields lines as `LogFile` does, but only those that match, of the part that was searched so far.

    Of each stretch only the number of its matching lines is kept.
    """

    def __init__(self, matcher: LineMatcher, file: LogFile, position: int) -> None:
        self.matcher = matcher
        self._file = file
        self._low = self._high = max(0, min(position, file.size - 1)) // STRETCH_BYTES  # low to below high is searched
        self._end = self._low * STRETCH_BYTES  # bytes; the end of what is searched
        self._last_line_at: int | None = (
            None  # the size of the file when its last line, perhaps unfinished, was searched
        )
        self._counts: dict[int, int] = {}  # by stretch; without those that have none
        self._cache: dict[int, list[int]] = {}  # the starts, by stretch
        self._is_downward = True

    @property
    def count(self) -> int:
        return sum(self._counts.values())

    @property
    def share(self) -> float | None:
        """The share of the file that is searched; None once all of it is."""
        if not self.has_work:
            return None
        return (self._end - self._low * STRETCH_BYTES) / self._file.size

    @property
    def has_work(self) -> bool:
        return self._low > 0 or not self.reaches_end

    @property
    def reaches_end(self) -> bool:
        return self._end >= self._file.size

    def step(self) -> None:
        """Searches another stretch: after and before the searched part by turns."""
        self._is_downward = not self.reaches_end and (self._is_downward or self._low == 0)
        if self._is_downward:
            self._forget_last_line()
            stretch, self._high = self._high, self._high + 1
            self._end = min(self._file.size, self._high * STRETCH_BYTES)
        else:
            self._low -= 1
            stretch = self._low
        # A line is searched with the stretch that it begins in, and the last one may go on beyond it.
        if self._last_line_at is None and self._file.line_start(self._file.size) // STRETCH_BYTES <= stretch:
            self._last_line_at = self._file.size
        count = len(self._starts(stretch))
        if count:
            self._counts[stretch] = count
        self._is_downward = not self._is_downward

    def _forget_last_line(self) -> None:
        """Drops the stretches from the last line on, if the file has grown since it was searched."""
        if self._last_line_at in (None, self._file.size):
            return
        self._last_line_at = None
        unfinished = self._file.line_start(self._end) // STRETCH_BYTES
        while self._high > max(self._low, unfinished):
            self._high -= 1
            self._counts.pop(self._high, None)
            self._cache.pop(self._high, None)

    def forward(self, start: int) -> Iterator[Extent]:
        for stretch in range(max(self._low, start // STRETCH_BYTES), self._high):
            if stretch in self._counts:
                for line in self._starts(stretch):
                    if line >= start:
                        yield line, self._file.line_end(line)

    def backward(self, end: int) -> Iterator[Extent]:
        for stretch in range(min(self._high, -(-end // STRETCH_BYTES)) - 1, self._low - 1, -1):
            if stretch in self._counts:
                for line in reversed(self._starts(stretch)):
                    if line < end:
                        yield line, self._file.line_end(line)

    def _starts(self, stretch: int) -> list[int]:
        starts = self._cache.get(stretch)
        if starts is None:
            if len(self._cache) >= _MAX_CACHED_STRETCHES:
                self._cache.clear()
            starts = self._cache[stretch] = self.matcher.starts_in(self._file, stretch)
        return starts
