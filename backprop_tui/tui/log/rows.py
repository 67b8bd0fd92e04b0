"""Rows of a log on the screen: lines cut or wrapped to its width, classified by their text, with matches marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size

from backprop_tui.tui.log.escapes import Span

Spans = tuple[Span, ...]


class LineKind(Enum):
    """What a line is, judged by its text."""

    PLAIN = "plain"
    ERROR = "error"
    WARNING = "warning"
    CHECKPOINT = "checkpoint"
    FRAME = "frame"  # between the head of a traceback and its error


TRACEBACK = "Traceback (most recent call last)"

ERROR_PATTERN = re.compile(
    r"""
    ^\s* Traceback\ \(most\ recent\ call\ last\)
  | ^\s* (?:[A-Za-z_]\w*\.)* [A-Z]\w* (?:Error|Exception|Interrupt|Exit|Fault) (?:: | \s*$)   # torch.OutOfMemoryError:
  | \b (?:ERROR|CRITICAL|FATAL) \b                                                  # levels of logging
  | ^\s* (?i:error|fatal(?:\ error)?) :
  | \b CUDA \ (?:out\ of\ memory | error)
  | \b (?i:out\ of\ memory) \b
  | \b NCCL \b .* \b (?i:error|timeout|timed\ out) \b
  | ^ (?:Killed|Terminated|Aborted|Segmentation\ fault|Bus\ error|Floating\ point\ exception) \b
  | (?i:no\ space\ left\ on\ device)
  | (?i: \b loss \b \W{1,4} (?:nan|[-+]?inf) \b)
  | (?i: \b (?:found|detected|encountered|got|is|contains) \s (?:an?\s)? (?:nan|inf(?:inity)?) \b)
    """,
    re.VERBOSE,
)
_WARNING_PATTERN = re.compile(r"\b(?:WARN|WARNING)\b|\b[A-Z]\w*Warning:|^\s*(?i:warning):")
_CHECKPOINT_PATTERN = re.compile(
    r"(?i:\b(?:sav(?:ing|ed)|wr(?:iting|ote)|stored)\b.*(?:\bcheckpoint|\bckpt|\.(?:pt|pth|ckpt|safetensors|keras)\b))"
    r'|"event"\s*:\s*"checkpoint'
)


def classify_line(text: str) -> LineKind:
    """Classifies a line by its own text, without its context."""
    if ERROR_PATTERN.search(text):
        return LineKind.ERROR
    if _WARNING_PATTERN.search(text):
        return LineKind.WARNING
    return LineKind.CHECKPOINT if _CHECKPOINT_PATTERN.search(text) else LineKind.PLAIN


def is_traceback_step(text: str, *, after_frame: bool) -> bool:
    """Whether a line belongs to the frames of a traceback; `after_frame`: the previous line does, or is its head."""
    return text.startswith('  File "') or (after_frame and text.startswith("  "))


class LogRow(NamedTuple):
    """One row; `part` counts the rows of a wrapped line from 0."""

    start: int  # of its line in the file, in bytes
    part: int
    spans: Spans
    kind: LineKind = LineKind.PLAIN
    cut: bool = False  # the line is longer than what is read of it


def wrap_spans(spans: Spans, width: int) -> list[Spans]:
    """Wraps a line into rows of at most `width` cells; a character wider than that gets a row of its own."""
    if sum(cell_len(span.text) for span in spans) <= width:
        return [spans]
    rows: list[Spans] = []
    row: list[Span] = []
    column = 0
    for span in spans:
        text = span.text
        while text:
            count, cells = _fitting_characters(text, max(1, width) - column)
            if count == 0 and column == 0:
                count, cells = 1, width
            if count:
                row.append(span._replace(text=text[:count]))
                text, column = text[count:], column + cells
            if text:
                rows.append(tuple(row))
                row, column = [], 0
    return [*rows, tuple(row)] if row or not rows else rows


def _fitting_characters(text: str, room: int) -> tuple[int, int]:
    """How many characters fit, and their width in cells."""
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


def mark_matches(spans: Spans, pattern: re.Pattern[str]) -> Spans:
    """Splits spans so that the matches of a pattern are spans of their own, marked as matches."""
    text = "".join(span.text for span in spans)
    extents = [match.span() for match in pattern.finditer(text) if match.end() > match.start()]
    return tuple(_split_at_matches(spans, extents)) if extents else spans


def _split_at_matches(spans: Spans, extents: list[tuple[int, int]]) -> Iterator[Span]:
    span_start = 0
    for span in spans:
        span_end = span_start + len(span.text)
        position = span_start
        for start, end in extents:
            if end <= position or start >= span_end:
                continue
            if start > position:
                yield span._replace(text=span.text[position - span_start : start - span_start])
                position = start
            match_end = min(end, span_end)
            yield span._replace(text=span.text[position - span_start : match_end - span_start], is_match=True)
            position = match_end
        if position < span_end:
            yield span._replace(text=span.text[position - span_start :])
        span_start = span_end
