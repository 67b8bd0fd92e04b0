"""Lines as rows of a screen: cut at its width, or one row each, and with what a search found picked out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size

from backprop_tui.tui.log.escapes import Span
from backprop_tui.tui.log.kinds import Kind

Spans = tuple[Span, ...]


class Row(NamedTuple):
    """One row; `part` counts the rows of a wrapped line from 0."""

    start: int  # where its line begins in the file
    part: int
    spans: Spans
    kind: Kind = Kind.PLAIN
    cut: bool = False  # the line is longer than what is shown of it


def wrapped(spans: Spans, width: int) -> list[Spans]:
    """Rows of at most `width` cells; a character that is wider than that has a row of its own."""
    if sum(cell_len(span.text) for span in spans) <= width:
        return [spans]
    rows: list[Spans] = []
    row: list[Span] = []
    column = 0
    for span in spans:
        text = span.text
        while text:
            count, cells = _fitting(text, max(1, width) - column)
            if count == 0 and column == 0:
                count, cells = 1, width
            if count:
                row.append(span._replace(text=text[:count]))
                text, column = text[count:], column + cells
            if text:
                rows.append(tuple(row))
                row, column = [], 0
    return [*rows, tuple(row)] if row or not rows else rows


def _fitting(text: str, room: int) -> tuple[int, int]:
    """How many characters fit, and their cells."""
    if text.isascii():
        count = min(len(text), room)
        return count, count
    cells = 0
    for count, character in enumerate(text):
        size = get_character_cell_size(character)
        if cells + size > room:
            return count, cells
        cells += size
    return len(text), cells


def with_found(spans: Spans, pattern: re.Pattern[str]) -> Spans:
    """The same text, what matches picked out."""
    text = "".join(span.text for span in spans)
    extents = [found.span() for found in pattern.finditer(text) if found.end() > found.start()]
    return tuple(_divided(spans, extents)) if extents else spans


def _divided(spans: Spans, extents: list[tuple[int, int]]) -> Iterator[Span]:
    at = 0
    for span in spans:
        end = at + len(span.text)
        place = at
        for start, stop in extents:
            if stop <= place or start >= end:
                continue
            if start > place:
                yield span._replace(text=span.text[place - at : start - at])
                place = start
            last = min(stop, end)
            yield span._replace(text=span.text[place - at : last - at], found=True)
            place = last
        if place < end:
            yield span._replace(text=span.text[place - at :])
        at = end
