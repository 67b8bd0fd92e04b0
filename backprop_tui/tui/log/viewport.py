"""The part of a log that is on the screen, and how it scrolls."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile

from backprop_tui.tui.log.escapes import Span, decode_line, parse_spans, plain_text
from backprop_tui.tui.log.file import Extent, LineSource, LogFile
from backprop_tui.tui.log.page import (
    TRACEBACK,
    AttemptStart,
    LineKind,
    LogRow,
    classify_line,
    is_traceback_step,
    mark_matches,
    wrap_spans,
)

_MAX_CACHED_LINES = 1024
_CONTEXT_SHARE = 3  # a third of the rows is shown above the line that was jumped to
_TRACEBACK_LINES = 12  # looked at above the first row, which may be inside a traceback


class Viewport:
    """The rows from a position on, or the last ones while `following`."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self.lines: LineSource = file  # the file, or a filter of it
        self._attempts: Sequence[AttemptStart] = ()
        self._cache: dict[Extent, list[LogRow]] = {}
        self._top = (0, 0)  # start of the line, and its part
        self.following = True
        self.width, self.height, self.wrap = 80, 1, False
        self.pattern: re.Pattern[str] | None = None

    def clear_cache(self) -> None:
        """Drops rows that were made for other content, another width or another pattern."""
        self._cache.clear()

    def rule_off(self, attempts: Sequence[AttemptStart]) -> None:
        """Draws a rule where each of these attempts begins; they are in the order of their offsets."""
        self._attempts = attempts
        self.clear_cache()

    def resize(self, width: int, height: int) -> None:
        if width != self.width and self.wrap:
            self.clear_cache()
            self._top = (self._top[0], 0)
        self.width, self.height = max(1, width), max(0, height)

    def set_wrap(self, *, wrap: bool) -> None:
        self.wrap = wrap
        self._top = (self._top[0], 0)
        self.clear_cache()

    def rows(self) -> tuple[LogRow, ...]:
        rows = [] if self.following else list(islice(self._rows_from(self._top), self.height))
        if len(rows) < self.height and (self.following or self.lines.reaches_end):
            rows = list(islice(self._rows_before(self._file.size, 0), self.height))[::-1]
        if rows and not self.following:
            self._top = rows[0][:2]
        return tuple(self._mark_traceback_steps(rows))

    def move(self, count: int) -> None:
        """Scrolls by rows; at the end it follows."""
        rows = self.rows()
        if not rows:
            return
        top = rows[0].start, rows[0].part
        if count < 0:
            above = list(islice(self._rows_before(*top), -count))
            if above:
                self.following, self._top = False, above[-1][:2]
        elif not self.following:
            below = list(islice(self._rows_from(top), count + self.height + 1))
            if len(below) <= count + self.height and self.lines.reaches_end:
                self.following = True
            elif len(below) <= count:
                self._top = below[-1][:2] if below else top
            else:
                self._top = below[count][:2]

    def to_top(self) -> None:
        self.following, self._top = False, (0, 0)

    def to_end(self) -> None:
        self.following = True

    def stay(self) -> None:
        rows = self.rows()
        self.following = False
        self._top = rows[0][:2] if rows else (0, 0)

    def to_line(self, start: int) -> None:
        """Scrolls to a line, unless it is visible already."""
        if any(row.start == start for row in self.rows()):
            if self.following:
                self.stay()
            return
        above = list(islice(self._rows_before(start, 0), self.height // _CONTEXT_SHARE))
        self.following, self._top = False, above[-1][:2] if above else (start, 0)

    def reveal(self, start: int) -> None:
        """Scrolls as little as possible so that a line is visible."""
        self.stay()
        rows = self.rows()
        if not rows or start <= rows[0].start:
            self._top = (start, 0)
        elif start >= rows[-1].start:
            end = self._file.line_end(start)
            rows_to_end = list(islice(self._rows_before(end, 0), self.height))
            of_line = sum(row.start == start for row in rows_to_end)
            if start > rows[-1].start or of_line > sum(row.start == start for row in rows):
                self._top = (start, 0) if of_line >= self.height else rows_to_end[-1][:2]

    def _rows_from(self, top: tuple[int, int]) -> Iterator[LogRow]:
        start, part = top
        for extent in self.lines.forward(start):
            rows = self._rows_of_line(extent)
            yield from rows[part:] if extent[0] == start else rows

    def _rows_before(self, start: int, part: int) -> Iterator[LogRow]:
        if part:
            line = next(self._file.forward(start), None)
            yield from reversed(self._rows_of_line(line)[:part] if line else [])
        for extent in self.lines.backward(start):
            yield from reversed(self._rows_of_line(extent))

    def _rows_of_line(self, extent: Extent) -> list[LogRow]:
        rows = self._cache.get(extent)
        if rows is None:
            if len(self._cache) >= _MAX_CACHED_LINES:
                self._cache.clear()
            rows = self._cache[extent] = self._parse_line(extent)
        return rows

    def _parse_line(self, extent: Extent) -> list[LogRow]:
        """The rows of a line; a rule stands where an attempt begins, which may be within the line."""
        start, end = extent
        attempts = self._attempts[bisect_left(self._attempts, start, key=_offset) :]
        rows: list[LogRow] = []
        begin = start
        for attempt in takewhile(lambda attempt: attempt.offset < end, attempts):
            if attempt.offset > begin:
                rows += self._parse_text(start, (begin, attempt.offset))
                begin = attempt.offset
            rows.append(LogRow(start, 0, (Span(attempt.text),), LineKind.RULE))
        rows += self._parse_text(start, (begin, end))
        return [row._replace(part=part) for part, row in enumerate(rows)]

    def _parse_text(self, start: int, extent: Extent) -> list[LogRow]:
        """The rows of a line that starts at `start`, or of a part of it."""
        content, complete = self._file.shown_bytes(extent)
        spans = parse_spans(decode_line(content, whole=extent[1] < self._file.size))
        kind = classify_line(plain_text(spans))
        if self.pattern is not None:
            spans = mark_matches(spans, self.pattern)
        parts = wrap_spans(spans, self.width) if self.wrap else [spans]
        rows = [LogRow(start, 0, part, kind, continues=index > 0) for index, part in enumerate(parts)]
        if not complete:
            rows[-1] = rows[-1]._replace(cut=True)
        return rows

    def _mark_traceback_steps(self, rows: list[LogRow]) -> Iterator[LogRow]:
        """Classifies indented lines as steps of a traceback if they follow its head."""
        before = islice(self._rows_before(*rows[0][:2]), _TRACEBACK_LINES) if rows and _is_indented(rows[0]) else ()
        inside = False
        for row in reversed(list(before)):
            inside = _is_in_traceback(row, inside=inside)
        for row in rows:
            inside = _is_in_traceback(row, inside=inside)
            yield row._replace(kind=LineKind.FRAME) if inside and row.kind is LineKind.PLAIN else row


def _offset(attempt: AttemptStart) -> int:
    return attempt.offset


def _is_indented(row: LogRow) -> bool:
    return bool(row.spans) and row.spans[0].text.startswith("  ")


def _is_in_traceback(row: LogRow, *, inside: bool) -> bool:
    """Whether a row is the head of a traceback or a step of it; `inside`: the previous row is."""
    if row.continues:
        return inside
    text = plain_text(row.spans)
    return TRACEBACK in text or is_traceback_step(text, after_frame=inside)
