"""Which rows of a file are on the screen, and where they go when they are scrolled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from backprop_tui.tui.log.escapes import decoded, spans_of, text_of
from backprop_tui.tui.log.file import Extent, LogFile
from backprop_tui.tui.log.kinds import TRACEBACK, Kind, is_frame, kind_of
from backprop_tui.tui.log.rows import Row, with_found, wrapped

_MOST_CACHED = 1024  # lines
_CONTEXT_SHARE = 3  # what was sought stands with a third of the rows above it
_LOOK_BACK_LINES = 12  # for the traceback that the first row may be within


class Viewport:
    """Rows from a place on, or the last ones while `following`."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._cache: dict[tuple[int, int], list[Row]] = {}
        self._top = (0, 0)  # begin of the line, and its part
        self.following = True
        self.width, self.height, self.wrap = 80, 1, False
        self.pattern: re.Pattern[str] | None = None

    def forget(self) -> None:
        """Other content, width or pattern: nothing made so far is valid."""
        self._cache.clear()

    def shape(self, width: int, height: int) -> None:
        """Another size."""
        if width != self.width and self.wrap:
            self.forget()
            self._top = (self._top[0], 0)
        self.width, self.height = max(1, width), max(0, height)

    def set_wrap(self, *, wrap: bool) -> None:
        """Long lines in several rows, or cut."""
        self.wrap = wrap
        self._top = (self._top[0], 0)
        self.forget()

    def rows(self) -> tuple[Row, ...]:
        """What is on the screen now."""
        shown = [] if self.following else list(islice(self._down(self._top), self.height))
        if len(shown) < self.height:
            last = list(islice(self._up(self._file.size, 0), self.height))
            shown = last[::-1]
        if shown and not self.following:
            self._top = shown[0][:2]
        return tuple(self._in_context(shown))

    def move(self, count: int) -> None:
        """Scrolls so many rows; at the end it follows."""
        shown = self.rows()
        if not shown:
            return
        top = shown[0].start, shown[0].part
        if count < 0:
            above = list(islice(self._up(*top), -count))
            if above:
                self.following, self._top = False, above[-1][:2]
        elif not self.following:
            below = list(islice(self._down(top), count + self.height + 1))
            if len(below) <= count + self.height:
                self.following = True
            else:
                self._top = below[count][:2]

    def to_top(self) -> None:
        """The first row."""
        self.following, self._top = False, (0, 0)

    def to_end(self) -> None:
        """The last rows, and what will be added."""
        self.following = True

    def stay(self) -> None:
        """No longer follows."""
        shown = self.rows()
        self.following = False
        self._top = shown[0][:2] if shown else (0, 0)

    def to_line(self, start: int) -> None:
        """A line comes to the screen, where it is not on it already."""
        if any(row.start == start for row in self.rows()):
            if self.following:
                self.stay()
            return
        above = list(islice(self._up(start, 0), self.height // _CONTEXT_SHARE))
        self.following, self._top = False, above[-1][:2] if above else (start, 0)

    def _down(self, top: tuple[int, int]) -> Iterator[Row]:
        """Rows from a place on."""
        start, part = top
        for extent in self._file.forward(start):
            rows = self._line(extent)
            yield from rows[part:] if extent[0] == start else rows

    def _up(self, start: int, part: int) -> Iterator[Row]:
        """Rows before a place, the nearest first."""
        if part:
            line = next(self._file.forward(start), None)
            yield from reversed(self._line(line)[:part] if line else [])
        for extent in self._file.backward(start):
            yield from reversed(self._line(extent))

    def _line(self, extent: Extent) -> list[Row]:
        rows = self._cache.get(extent)
        if rows is None:
            if len(self._cache) >= _MOST_CACHED:
                self._cache.clear()
            rows = self._cache[extent] = self._made(extent)
        return rows

    def _made(self, extent: Extent) -> list[Row]:
        content, complete = self._file.shown_bytes(extent)
        spans = spans_of(decoded(content, whole=extent[1] < self._file.size))
        kind = kind_of(text_of(spans))
        if self.pattern is not None:
            spans = with_found(spans, self.pattern)
        parts = wrapped(spans, self.width) if self.wrap else [spans]
        rows = [Row(extent[0], part, one, kind) for part, one in enumerate(parts)]
        if not complete:
            rows[-1] = rows[-1]._replace(cut=True)
        return rows

    def _in_context(self, rows: list[Row]) -> Iterator[Row]:
        """Rows with the steps of tracebacks told from what is indented otherwise."""
        before = islice(self._up(*rows[0][:2]), _LOOK_BACK_LINES) if rows and _is_indented(rows[0]) else ()
        inside = False
        for row in reversed(list(before)):
            inside = _is_inside(row, inside=inside)
        for row in rows:
            within = _is_inside(row, inside=inside)
            is_step = row.kind is Kind.PLAIN and within
            inside = within
            yield row._replace(kind=Kind.FRAME) if is_step else row


def _is_indented(row: Row) -> bool:
    return bool(row.spans) and row.spans[0].text.startswith("  ")


def _is_inside(row: Row, *, inside: bool) -> bool:
    """Whether a row is the head of a traceback or a step of it."""
    if row.part:
        return inside
    text = text_of(row.spans)
    return TRACEBACK in text or is_frame(text, after_frame=inside)
