"""Paints a row of a log as a strip: in the theme's colors or the script's own, made readable, with matches marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Piece, Token, changed_spans
from backprop_tui.tui.log.escapes import PLAIN, TRUECOLOR, Sgr, Span, plain_text
from backprop_tui.tui.log.page import LineKind, LogPage, LogRow, Problem

GUTTER_COLUMNS = 1  # for the mark of a line
EDGE_COLUMNS = 1  # at the right, where the errors of the log are shown
_TOKENS = {
    LineKind.ERROR: Token.BAD,
    LineKind.WARNING: Token.WARN,
    LineKind.CHECKPOINT: Token.VIOLET,
    LineKind.FRAME: Token.MUTED,
    LineKind.RULE: Token.ACCENT,
}
# The theme's substitutes for the colors 0 to 7; those for black and white are readable on its background.
_NAMED_COLOURS = (Token.MUTED, Token.BAD, Token.OK, Token.WARN, Token.ACCENT, Token.VIOLET, Token.INFO, Token.FG)
_YELLOW = 3
MIN_CONTRAST = 4.5  # WCAG 2.2, for text; a color with less contrast is mixed with black or white
_MIXES = (0.2, 0.4, 0.6, 0.8)
_CUBE = (0, 95, 135, 175, 215, 255)  # levels of xterm's colors 16 to 231

_EDGE = {
    Problem.UNKNOWN: ("between", Token.MUTED),
    Problem.WARNING: ("edge_warning", Token.WARN),
    Problem.ERROR: ("edge_error", Token.BAD),
}
StyleOf = Callable[[Piece, bool], Style]  # the style of a piece, and whether its row is highlighted
_Rgb = tuple[int, int, int]


class RowOnPage(NamedTuple):
    """A row, None below the last one; the line of the cursor is highlighted, marked ones will be copied."""

    row: LogRow | None
    is_highlighted: bool = False
    is_marked: bool = False
    edge: Problem = Problem.NONE
    has_thumb: bool = False


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LogColours:
    """The colors of a theme; `named` are the colors 0 to 15.

    `is_native` leaves all colors to the terminal; their values are then unknown. `is_plain` uses no colors at all.
    """

    named: tuple[Color, ...]
    foreground: Color | None
    background: Color | None
    is_native: bool = False
    is_plain: bool = False


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RowPainter:
    style_of: StyleOf
    colours: LogColours
    glyphs: Glyphs

    def strip(self, on_page: RowOnPage, *, left: int, width: int) -> Strip:
        """A row from column `left` on, with an ellipsis if there is more to its right, and the edge."""
        row, cursor = on_page.row, on_page.is_highlighted
        room = width - GUTTER_COLUMNS - EDGE_COLUMNS
        if row is None:
            return Strip([Segment(" " * (width - EDGE_COLUMNS), self.style_of(Piece(""), False)), self._edge(on_page)])
        if row.kind is LineKind.RULE:
            return Strip([*self._rule(plain_text(row.spans), width - EDGE_COLUMNS), self._edge(on_page)])
        segments = [Segment(span.text, self._span_style(span, row, is_target=cursor)) for span in row.spans]
        cells = row_width(row)
        is_clipped = cells - left > room or row.cut
        content = Strip(segments, cells).crop(left, left + room - is_clipped)
        visible = content.adjust_cell_length(room - is_clipped, self.style_of(Piece(""), cursor))
        ellipsis = Segment(self.glyphs.clipped, self.style_of(Piece("", Token.MUTED), cursor))
        return Strip(
            [self._gutter(row, on_page), *visible, *([ellipsis] if is_clipped else []), self._edge(on_page)],
        )

    def _gutter(self, row: LogRow, on_page: RowOnPage) -> Segment:
        mark = self.glyphs.state("failed" if row.kind is LineKind.ERROR else "running")
        style = self.style_of(Piece("", _TOKENS.get(row.kind, Token.ACCENT)), on_page.is_highlighted)
        if on_page.is_marked:
            mark, style = self.glyphs.mark, self.style_of(Piece("", Token.ACCENT, bold=True), on_page.is_highlighted)
        shown = not row.continues and (on_page.is_marked or on_page.is_highlighted)
        return Segment(mark if shown else " ", style)

    def _rule(self, text: str, width: int) -> Sequence[Segment]:
        rule = self.glyphs.rule
        shown = f"{rule * 2} {text} "[:width]
        rest = Segment(rule * (width - cell_len(shown)), self.style_of(Piece("", Token.MUTED), False))
        return Segment(shown, self.style_of(Piece("", _TOKENS[LineKind.RULE], bold=True), False)), rest

    def _edge(self, on_page: RowOnPage) -> Segment:
        glyph, token = _EDGE.get(on_page.edge, ("", Token.MUTED))
        text = getattr(self.glyphs, glyph) if glyph else " "
        return Segment(text, self.style_of(Piece("", token), on_page.has_thumb))

    def _span_style(self, span: Span, row: LogRow, *, is_target: bool) -> Style:
        if span.is_match:
            return self._match_style()
        token = _TOKENS.get(row.kind)
        if token is not None:
            return self.style_of(Piece("", token, is_target), is_target)
        if not is_target:
            return style_of_sgr(span.sgr, self.colours)
        highlight = self.style_of(Piece(""), True)
        if self.colours.is_plain or self.colours.is_native:
            return highlight  # a color of the script might be unreadable on it, and its value is unknown
        return style_of_sgr(span.sgr, replace(self.colours, background=highlight.bgcolor))

    def _match_style(self) -> Style:
        if self.colours.is_plain or self.colours.is_native:
            return Style(bold=True, reverse=True)
        return Style(color=self.colours.background, bgcolor=self.colours.named[_YELLOW], bold=True)


def row_painter(style_of: StyleOf, glyphs: Glyphs, *, is_native: bool) -> RowPainter:
    """The painter for the theme that provides these styles; it uses no colors if the styles have none."""
    plain = style_of(Piece(""), False)
    named = tuple(colour for token in _NAMED_COLOURS if (colour := style_of(Piece("", token), False).color) is not None)
    colours = LogColours(
        named=named * 2,
        foreground=plain.color,
        background=plain.bgcolor,
        is_native=is_native,
        is_plain=len(named) < len(_NAMED_COLOURS),
    )
    return RowPainter(style_of=style_of, colours=colours, glyphs=glyphs)


def changed_cells(before: RowOnPage, after: RowOnPage, width: int) -> Sequence[tuple[int, int]]:
    """Ranges of columns in which two rows differ; the whole row if either is styled, clipped or highlighted.

    Applies only to rows that are not scrolled sideways.
    """
    old, new = before.row, after.row
    edge = () if before[3:] == after[3:] else ((width - EDGE_COLUMNS, width),)
    if before[:3] == after[:3]:
        return edge
    if old is None or new is None or old.kind is not new.kind or not _is_plain(old, new):
        return ((0, width),)
    if before[1:3] != (False, False) or after[1:3] != (False, False) or old.cut or new.cut:
        return ((0, width),)
    if max(row_width(old), row_width(new)) > width - GUTTER_COLUMNS - EDGE_COLUMNS:
        return ((0, width),)
    spans = changed_spans((Piece(" " + plain_text(old.spans)),), (Piece(" " + plain_text(new.spans)),), width)
    return (*spans, *edge)


def _is_plain(*rows: LogRow) -> bool:
    return all(span.sgr is PLAIN and not span.is_match for row in rows for span in row.spans)


def row_width(row: LogRow) -> int:
    return sum(cell_len(span.text) for span in row.spans)


def row_at(page: LogPage, y: int, *, focused: bool) -> RowOnPage:
    """A row as it is painted; the cursor is only shown with the focus, or where a search or an error brought it."""
    edge = page.edge[y] if y < len(page.edge) and page.thumb else Problem.NONE
    row = page.rows[y] if y < len(page.rows) else None
    line = None if row is None or row.kind is LineKind.RULE else row.start
    return RowOnPage(
        row,
        is_highlighted=line is not None and line == page.cursor and (focused or page.jumped),
        is_marked=line in page.marked,
        edge=edge,
        has_thumb=y in page.thumb,
    )


@lru_cache(maxsize=512)
def style_of_sgr(sgr: Sgr, colours: LogColours) -> Style:
    """The style for the attributes of a span, readable in the theme."""
    fg, bg = _text_colours(sgr, colours)
    is_reversed = sgr.reverse and (colours.is_plain or colours.is_native)
    return Style(
        color=fg,
        bgcolor=bg,
        bold=sgr.bold or None,
        dim=(sgr.dim and colours.is_native) or None,
        italic=sgr.italic or None,
        underline=sgr.underline or None,
        strike=sgr.strike or None,
        reverse=is_reversed or None,
    )


def _text_colours(sgr: Sgr, colours: LogColours) -> tuple[Color | None, Color | None]:
    if colours.is_plain:
        return None, None
    if colours.is_native:
        fg = None if sgr.fg is None else _native_colour(sgr.fg)
        return fg or colours.foreground, colours.background if sgr.bg is None else _native_colour(sgr.bg)
    fg = colours.foreground if sgr.fg is None else _theme_colour(sgr.fg, colours)
    if sgr.dim and sgr.fg is None:
        fg = colours.named[8]
    bg = colours.background if sgr.bg is None else _theme_colour(sgr.bg, colours)
    if sgr.reverse and bg is not None:
        fg, bg = bg, fg
    return (fg if fg is None or bg is None else _readable(fg, bg)), bg


def _native_colour(number: int) -> Color:
    return Color.from_rgb(*_rgb(number)) if number >= TRUECOLOR else Color.from_ansi(number)


def _theme_colour(number: int, colours: LogColours) -> Color:
    return colours.named[number] if number < 16 else Color.from_rgb(*_rgb(number))


def _rgb(number: int) -> _Rgb:
    """The value of a color other than the 16 named ones."""
    if number >= TRUECOLOR:
        return number >> 16 & 255, number >> 8 & 255, number & 255
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    index = number - 16
    return _CUBE[index // 36 % 6], _CUBE[index // 6 % 6], _CUBE[index % 6]


def _readable(fg: Color, bg: Color) -> Color:
    """The text color, or its first mixture with black or white that has enough contrast."""
    text, background = _triplet(fg), _triplet(bg)
    if contrast(text, background) >= MIN_CONTRAST:
        return fg
    extremes: tuple[_Rgb, _Rgb] = ((0, 0, 0), (255, 255, 255))
    extreme = max(extremes, key=lambda colour: contrast(colour, background))
    for share in _MIXES:
        red, green, blue = (round(a + (b - a) * share) for a, b in zip(text, extreme, strict=True))
        if contrast((red, green, blue), background) >= MIN_CONTRAST:
            return Color.from_rgb(red, green, blue)
    return Color.from_rgb(*extreme)


def _triplet(colour: Color) -> _Rgb:
    value = colour.get_truecolor()
    return value.red, value.green, value.blue


def contrast(first: _Rgb, second: _Rgb) -> float:
    """The contrast ratio of two colors as defined by WCAG 2.2."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: _Rgb) -> float:
    red, green, blue = (_linear(component / 255) for component in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(component: float) -> float:
    return component / 12.92 if component <= 0.04045 else float(((component + 0.055) / 1.055) ** 2.4)
