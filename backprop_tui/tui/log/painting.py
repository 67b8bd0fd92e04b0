"""A row of a log as a strip of the screen: in the theme's colours, with what was found or sought picked out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from backprop_tui.domain.values import dataclass
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import changed_spans
from backprop_tui.tui.log.colours import Palette, style_of
from backprop_tui.tui.log.escapes import PLAIN, Span, text_of
from backprop_tui.tui.log.kinds import Kind
from backprop_tui.tui.log.page import Page
from backprop_tui.tui.log.rows import Row
from backprop_tui.tui.tokens import Piece, Token

GUTTER_COLUMNS = 1  # for the mark of what was sought
_TOKENS = {Kind.ERROR: Token.BAD, Kind.WARNING: Token.WARN, Kind.CHECKPOINT: Token.VIOLET, Kind.FRAME: Token.MUTED}
# What stands for the colours 0 to 7; black and white are those of the theme, which can be read.
_NAMED = (Token.MUTED, Token.BAD, Token.OK, Token.WARN, Token.ACCENT, Token.VIOLET, Token.INFO, Token.FG)
_YELLOW = 3

Shown = tuple[Row | None, bool]  # a row, and whether it is of the line that was sought
StyleOf = Callable[[Piece, bool], Style]  # of a piece, and whether its row is the cursor's


@dataclass(frozen=True, slots=True, kw_only=True)
class Brush:
    """Paints rows in one theme."""

    style_of: StyleOf
    palette: Palette
    glyphs: Glyphs

    def strip(self, row: Row, *, left: int, width: int, is_hit: bool) -> Strip:
        """A row from a column on; an ellipsis where there is more to its right."""
        segments = [Segment(span.text, self._look(span, row, is_hit=is_hit)) for span in row.spans]
        room = width - GUTTER_COLUMNS
        cells = cells_of(row)
        beyond = cells - left > room or row.cut
        content = Strip(segments, cells).crop(left, left + room - beyond)
        shown = content.adjust_cell_length(room - beyond, self.style_of(Piece(""), is_hit))
        ellipsis = Segment(self.glyphs.clipped, self.style_of(Piece("", Token.MUTED), is_hit))
        return Strip([self._gutter(row, is_hit=is_hit), *shown, *([ellipsis] if beyond else [])])

    def _gutter(self, row: Row, *, is_hit: bool) -> Segment:
        mark = self.glyphs.state("failed" if row.kind is Kind.ERROR else "running")
        style = self.style_of(Piece("", _TOKENS.get(row.kind, Token.ACCENT)), is_hit)
        return Segment(mark if is_hit and row.part == 0 else " ", style)

    def _look(self, span: Span, row: Row, *, is_hit: bool) -> Style:
        if span.found:
            return self._found()
        token = _TOKENS.get(row.kind)
        if token is not None:
            return self.style_of(Piece("", token, is_hit), is_hit)
        if not is_hit:
            return style_of(span.sgr, self.palette)
        under = self.style_of(Piece(""), True)
        if self.palette.is_plain or self.palette.is_native:
            return under  # a colour of the script may vanish on the cursor's, and nobody can compute whether
        return style_of(span.sgr, replace(self.palette, background=under.bgcolor))

    def _found(self) -> Style:
        if self.palette.is_plain or self.palette.is_native:
            return Style(bold=True, reverse=True)
        return Style(color=self.palette.background, bgcolor=self.palette.named[_YELLOW], bold=True)


def brush(style_of: StyleOf, glyphs: Glyphs, *, is_native: bool) -> Brush:
    """The brush of the theme that gives these styles; without colours where it gives none."""
    plain = style_of(Piece(""), False)
    named = tuple(colour for token in _NAMED if (colour := style_of(Piece("", token), False).color) is not None)
    palette = Palette(
        named=named * 2,
        foreground=plain.color,
        background=plain.bgcolor,
        is_native=is_native,
        is_plain=len(named) < len(_NAMED),
    )
    return Brush(style_of=style_of, palette=palette, glyphs=glyphs)


def changed_cells(before: Shown, now: Shown, width: int) -> Sequence[tuple[int, int]]:
    """Columns, from and up to, in which two rows that are not scrolled to the side differ, as far as that is simple."""
    old, new = before[0], now[0]
    if old is None or new is None or before[1] or now[1] or old.kind is not new.kind or not _is_plain(old, new):
        return ((0, width),)
    if max(cells_of(old), cells_of(new)) > width - GUTTER_COLUMNS or old.cut or new.cut:
        return ((0, width),)
    spans = changed_spans((Piece(" " + text_of(old.spans)),), (Piece(" " + text_of(new.spans)),), width)
    return spans or ((0, 1),)


def _is_plain(*rows: Row) -> bool:
    return all(span.sgr is PLAIN and not span.found for row in rows for span in row.spans)


def cells_of(row: Row) -> int:
    """Its width."""
    return sum(cell_len(span.text) for span in row.spans)


def row_at(page: Page, y: int) -> Shown:
    """A row, and whether it is of the line that was sought."""
    if y >= len(page.rows):
        return None, False
    row = page.rows[y]
    return row, row.start == page.hit
