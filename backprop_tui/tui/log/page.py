"""What the log pane shows: rows of the log, classified and wrapped, and the status row below them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, IntEnum
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation import durations, numbers
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import (
    Line,
    LineBuilder,
    Piece,
    Token,
    clip,
    clip_middle,
    hint,
    pressing,
    text_of,
    width_of,
)
from backprop_tui.tui.log.escapes import Span

Spans = tuple[Span, ...]
TRACEBACK = "Traceback (most recent call last)"
_WARNING_PATTERN = re.compile(r"\b(?:WARN|WARNING)\b|\b[A-Z]\w*Warning:|^\s*(?i:warning):")
_CHECKPOINT_PATTERN = re.compile(
    r"(?i:\b(?:sav(?:ing|ed)|wr(?:iting|ote)|stored)\b.*(?:\bcheckpoint|\bckpt|\.(?:pt|pth|ckpt|safetensors|keras)\b))"
    r'|"event"\s*:\s*"checkpoint'
)
COUNTED_AT_ONCE_BYTES = 1 << 20  # a log so short is counted before anybody could read how far that is
_EXACT_SECONDS, _ROUNDED_SECONDS = 10, 5  # later ages are rounded, so that the row does not change every second


_LEVEL = re.compile(r"(?i)\b(debug|info|notice|warn(?:ing)?)\b")
_LETTER_LEVEL = re.compile(r"\[?([DIW])(?:\d{4}|\s)")  # of absl, glog and torch's own loggers
_KEY_LEVEL = re.compile(r"""(?i)\b(?:level|severity)["']?\s*[:=]\s*["']?(debug|info|notice|warn)""")
_NOT_FINITE = re.compile(r"(?i)\bloss\b\W{1,4}(?:nan|[-+]?inf)\b")


class LineKind(Enum):
    """What a line is, judged by its text."""

    PLAIN = "plain"
    ERROR = "error"
    WARNING = "warning"
    CHECKPOINT = "checkpoint"
    FRAME = "frame"  # between the head of a traceback and its error
    RULE = "rule"  # no line, but the border between the outputs of two attempts


class Problem(IntEnum):
    """The worst that a part of a log has; UNKNOWN if it was not looked at."""

    NONE = 0
    WARNING = 1
    ERROR = 2
    UNKNOWN = 3


class AttemptStart(NamedTuple):
    """Where the output of an attempt begins in the log, and what the rule above it says."""

    offset: int  # bytes
    text: str


ERROR_PATTERN = re.compile(
    r"""
    ^\s* (?:\[\w+\]:?\ *)? (?:                                                       # [rank0]:
        Traceback\ \(most\ recent\ call\ last\)
      | (?:[A-Za-z_]\w*\.)* [A-Z]\w* (?:Error|Exception|Interrupt|Exit|Fault) (?:: | \s*$)  # torch.OutOfMemoryError:
      | (?i:error|fatal(?:\ error)?) : (?!\s*[-+]?\d*\.?\d+ \s* (?:$|[,;|]))            # a figure: error: 0.31
      | [\w./-]+ (?:\ [\w.-]+){0,3} (?::\d+)* :\ (?i:error|fatal(?:\ error)?) : (?!\s*[-+]?\.?\d)  # train.py: error:
      | [\w./-]+ :\ (?: .*command\ not\ found | can't\ open\ file | No\ module\ named )   # shells, interpreters
      | ╭─\ [\w\ ]*[Ee]rror\ ─                                                           # typer, tyro
    )
  | \b (?:ERROR|CRITICAL|FATAL) \b (?!\W{1,3} (?:\d*\.\d | \d+\s*(?:$|[,;|])))         # levels of logging
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


def classify_line(text: str) -> LineKind:
    """The level that a line states decides, else what begins first: `WARNING NCCL timeout, retrying` is a warning."""
    error, warning = ERROR_PATTERN.search(text), _WARNING_PATTERN.search(text)
    level = None if error is None else _stated_level(text)
    if level is None and error is not None and (warning is None or error.start() <= warning.start()):
        return LineKind.ERROR
    if level is not None and _NOT_FINITE.search(text):  # whatever its level
        return LineKind.WARNING if level is LineKind.WARNING else LineKind.ERROR
    if level is LineKind.WARNING or (level is None and warning is not None):
        return LineKind.WARNING
    return LineKind.CHECKPOINT if _CHECKPOINT_PATTERN.search(text) else LineKind.PLAIN


def _stated_level(text: str) -> LineKind | None:
    """PLAIN of a line that says in front of its message that it only informs, WARNING of one that warns; else None."""
    from backprop_tui.readers.prefixes import prefix_end  # its expression takes long to compile

    prefix = text[: prefix_end(text)]
    level = _LEVEL.search(prefix) or _LETTER_LEVEL.match(prefix) or _KEY_LEVEL.search(text)
    if level is None:
        return None
    return LineKind.WARNING if level[1][0] in "wW" else LineKind.PLAIN


def is_traceback_step(text: str, *, after_frame: bool) -> bool:
    """Whether a line belongs to the frames of a traceback; `after_frame`: the previous line does, or is its head."""
    return text.startswith('  File "') or (after_frame and text.startswith("  "))


class LogRow(NamedTuple):
    """One row; `part` counts the rows of a line from 0: it may be wrapped, or have a rule above or within it."""

    start: int  # of its line in the file, in bytes
    part: int
    spans: Spans
    kind: LineKind = LineKind.PLAIN
    cut: bool = False  # the line is longer than what is read of it
    continues: bool = False  # it is wrapped text of the row above


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


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SearchState:
    """The current search or filter; `share` is how much of the file was searched, None once all was."""

    expression: str
    count: int = 0
    ordinal: int | None = None
    share: float | None = None
    problem: str | None = None  # why the expression is invalid

    @property
    def finds_nothing(self) -> bool:
        return not self.count and self.share is None and self.problem is None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """The content of the pane; `path` None means that there is no log.

    Line numbers start at 1 and are None until the lines are counted. `cursor` is the start of the line that keys act
    on, the last one while following; `jumped` says that it is a match or an error. `elsewhere`: somebody moved away
    from the end, or from the error at which the log of a failed run opens.
    """

    path: str | None = None
    is_read: bool = False  # whether the file was looked at
    problem: str | None = None  # why it cannot be read
    size: int = 0
    rows: tuple[LogRow, ...] = ()
    live: bool = True  # whether more may be written
    following: bool = True
    elsewhere: bool = False
    wrap: bool = False
    cursor: int | None = None
    cursor_number: int | None = None
    jumped: bool = False
    marked: frozenset[int] = frozenset()  # the starts of the marked lines
    total: int | None = None
    counted: float = 1.0  # share of the file
    idle_seconds: float | None = None  # since the last write, as they are shown
    usual_gap_seconds: float | None = None  # between two writes; only set if it is quiet for much longer than that
    search: SearchState | None = None
    filter: SearchState | None = None
    edge: tuple[Problem, ...] = ()  # of the parts of the file that the rows of the pane stand for
    thumb: range = range(0)  # the rows of the edge that stand for what is visible; empty if that is all
    seeking: bool = False
    note: str = ""


def draw_status(page: LogPage, width: int, glyphs: Glyphs) -> Line:
    """Draws the status row: as many parts as fit, the most important first."""
    line: list[Piece] = [Piece(" ")]
    room = width - 1
    for index, part in enumerate(_status_parts(page, width, glyphs)):
        gap = "  " if index else ""
        size = width_of(part) + len(gap)
        if size > room:
            if index == 0:
                line += [Piece(clip(text_of(part), room, glyphs), part[0].token)]
            break
        line += [Piece(gap), *part]
        room -= size
    return tuple(line)


def draw_prompt(prompt: str, expression: str, width: int, glyphs: Glyphs) -> Line:
    """Draws the row in which a search (`/`) or a filter (`&`) is typed; its end is always visible."""
    room = width - 4
    shown = expression if cell_len(expression) <= room else expression[-room:]
    verb = "search" if prompt == "/" else "show only these lines"
    line = LineBuilder().put(f" {prompt}", Token.ACCENT, bold=True).put(shown).put(" ", chosen=True)
    for text, key in ((f"  enter {verb}", "enter"), (", esc cancel", "esc"), (", smart case", "")):
        part = clip(text, width - line.column, glyphs)
        line.extend([Piece(part, Token.MUTED, click=pressing(key) if key else "")])
    return line.line()


def _status_parts(page: LogPage, width: int, glyphs: Glyphs) -> Iterator[Line]:
    if page.problem is not None:
        path = clip_middle(sanitize(page.path or ""), max(8, width - len(page.problem) - 6), glyphs)
        yield (Piece(page.problem, Token.WARN), Piece(f"  {path}", Token.MUTED))
    elif page.path is None:
        yield (Piece("no log yet", Token.MUTED),)
    elif page.is_read and not page.size:
        yield (Piece("no output yet" if page.live else "no output", Token.MUTED),)
    elif page.is_read:
        yield from _invalid_parts(page)
        if page.filter is not None and page.filter.finds_nothing and not page.rows:
            yield (_expression("&", page.filter), Piece(" matches no line", Token.WARN))
            yield tuple(hint("esc", "all lines"))
        else:
            yield from _content_parts(page, glyphs)


def _invalid_parts(page: LogPage) -> Iterator[Line]:
    """They come first, since they may fill the row."""
    for prompt, search in (("&", page.filter), ("/", page.search)):
        if search is not None and search.problem is not None:
            problem = f"  invalid regular expression: {search.problem}"
            yield (_expression(prompt, search), Piece(problem, Token.WARN))


def _content_parts(page: LogPage, glyphs: Glyphs) -> Iterator[Line]:
    yield from _position_parts(page, glyphs)
    if page.marked:
        yield (Piece(f"{counted(len(page.marked), 'line')} marked", Token.ACCENT),)
    if page.filter is not None and page.filter.problem is None:
        yield from _search_parts("&", page.filter)
    if page.search is not None and page.search.problem is None:
        yield from _search_parts("/", page.search)
        yield tuple(hint("n", "next"))
    if page.seeking:
        yield (Piece("searching", Token.INFO), Piece(" esc stops", Token.MUTED, click=pressing("esc")))
    elif page.note:
        yield (Piece(page.note, Token.WARN),)
    yield from _activity_parts(page)


def _position_parts(page: LogPage, glyphs: Glyphs) -> Iterator[Line]:
    mark = glyphs.state("stopped")
    if page.following:
        yield (Piece(f"{glyphs.following} following", Token.OK),) if page.live else (Piece(f"{mark} at the end"),)
        if page.total is not None or page.size > COUNTED_AT_ONCE_BYTES:
            yield (Piece(f"line {_line_number(page.total, page)}", Token.MUTED),)
    elif page.cursor_number is not None:
        of = "" if page.total is None else f" of {numbers.count(page.total)}"
        yield (Piece(f"{mark} line {numbers.count(page.cursor_number)}{of}"),)
    else:
        share = (page.cursor or 0) / page.size if page.size else 0.0
        counting = f", {_line_number(None, page)} lines" if page.counted < 1 else ""
        yield (Piece(f"{mark} at {share * 100:.0f} %{counting}"),)


def _expression(prompt: str, search: SearchState) -> Piece:
    return Piece(f"{prompt}{sanitize(search.expression)}", Token.ACCENT)


def _search_parts(prompt: str, search: SearchState) -> Iterator[Line]:
    total = numbers.count(search.count)
    count = total if search.ordinal is None else f"{numbers.count(search.ordinal)} of {total}"
    progress = "" if search.share is None else f" after {search.share * 100:.0f} %"
    yield (_expression(prompt, search), Piece(f" {count}{progress}", Token.FG if search.count else Token.WARN))


def _activity_parts(page: LogPage) -> Iterator[Line]:
    if page.following:
        yield (Piece(numbers.size(page.size), Token.MUTED),)
    if page.usual_gap_seconds is not None:
        usual = f"{page.usual_gap_seconds:.1f}s"
        yield (Piece(f"quiet for {durations.elapsed(page.idle_seconds)}, usually {usual}", Token.WARN),)
    elif page.following and page.idle_seconds is not None:
        yield (Piece(f"written {durations.ago(page.idle_seconds)}", Token.MUTED),)
    if page.jumped:
        yield tuple(hint("!", "next error"))
    if not page.following:
        yield tuple(hint("f", "follow" if page.live else "to the end"))


def _line_number(number: int | None, page: LogPage) -> str:
    return f"counting {page.counted * 100:.0f} %" if number is None else numbers.count(number)


def rounded_age(seconds: float) -> float:
    return seconds if seconds < _EXACT_SECONDS else seconds // _ROUNDED_SECONDS * _ROUNDED_SECONDS
