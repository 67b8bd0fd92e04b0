"""A widget of lines of coloured text, which sends to the terminal only the cells that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from backprop_tui.tui.drawing.differences import changed_spans
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.glyphs import UNICODE, Glyphs

_CURSOR, _CHOSEN = "bp--cursor", "bp--chosen"
# Of every screen with painted widgets, not of each widget: Textual matches the stylesheet against each of them.
COLOURS = frozenset({*(f"bp--{token}" for token in Token), _CURSOR, _CHOSEN})
_ASCII = str.maketrans({"·": "-", "…": "~", "×": "x"})
_Span = tuple[int, int]
_StyleKey = tuple[Token, bool, bool, bool]


class Painted(Widget):
    """Shows lines; the one at `cursor` is painted as the selected row, over the whole width."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.glyphs = glyphs
        self._lines: Sequence[Line] = ()
        self._cursor: int | None = None
        self._styles_of: dict[_StyleKey, Style] = {}

    def show(self, lines: Sequence[Line], *, cursor: int | None = None) -> None:
        """Replaces the lines; what is as before is not painted again."""
        old, old_cursor = self._lines, self._cursor
        self._lines, self._cursor = tuple(lines), cursor
        width = self.size.width
        for row in range(max(len(old), len(self._lines))):
            before = old[row] if row < len(old) else ()
            now = self._lines[row] if row < len(self._lines) else ()
            if (row == old_cursor) != (row == cursor):
                self.refresh(Region(0, row, width, 1))
            elif before != now:
                spans = changed_spans(before, now, width)
                if spans:
                    self.refresh(*(Region(start, row, end - start, 1) for start, end in spans))

    def line_text(self, row: int) -> str:
        """The letters of a row, as they are shown."""
        return "".join(piece.text for piece in self._lines[row]) if row < len(self._lines) else ""

    @property
    def shown_text(self) -> str:
        """The letters of all rows."""
        return "\n".join(self.line_text(row).rstrip() for row in range(len(self._lines)))

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is selected by the mouse stands out; the rows themselves are kept without it."""
        strips = super().render_lines(crop)
        selection = self.text_selection
        if selection is None:
            return strips
        style = self.selection_style
        return [_picked(strip, selection.get_span(y), crop.x, style) for y, strip in enumerate(strips, crop.y)]

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The letters that are selected, as they are shown, and what stands between them and those of the next pane."""
        rows = [(self.render_line(y), selection.get_span(y)) for y in range(self.size.height)]
        texts = [strip.crop(span[0], _end(strip, span)).text.rstrip() for strip, span in rows if span is not None]
        return "\n".join(texts), "\n"

    def render_line(self, y: int) -> Strip:
        """One row, as Textual asks for it."""
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self._style(Piece(""), cursor=False))
        cursor = y == self._cursor
        strip = Strip([Segment(text, style) for text, style in self._runs(self._lines[y], cursor=cursor)])
        if cursor:
            return strip.extend_cell_length(width, self._style(Piece(""), cursor=True)).crop(0, width)
        return strip.adjust_cell_length(width, self._style(Piece(""), cursor=False))

    def _runs(self, line: Line, *, cursor: bool) -> Iterator[tuple[str, Style]]:
        """Text by style; blanks go with what stands before them, since each change of style costs some forty bytes."""
        said = ""
        style: Style | None = None
        for piece in line:
            wanted = self._style(piece, cursor=cursor)
            same = style is not None and (wanted is style or wanted == style)
            blank = style is not None and piece.text.isspace() and style.bgcolor == wanted.bgcolor and not style.reverse
            if style is None or same or blank:
                said, style = said + piece.text, style or wanted
                continue
            yield self._said(said), style
            said, style = piece.text, wanted
        if style is not None:
            yield self._said(said), style

    def notify_style_update(self) -> None:
        """Another theme: other colours."""
        super().notify_style_update()
        self._styles_of.clear()

    def _said(self, text: str) -> str:
        return text if self.glyphs.unicode or text.isascii() else text.translate(_ASCII)

    def _style(self, piece: Piece, *, cursor: bool) -> Style:
        key = (piece.token, piece.bold, piece.chosen, cursor)
        found = self._styles_of.get(key)
        if found is None:
            found = self._styles_of[key] = self._new_style(piece, cursor=cursor)
        return found

    def _new_style(self, piece: Piece, *, cursor: bool) -> Style:
        picked = piece.chosen or cursor
        if self.app.no_color:
            return Style(bold=piece.bold or None, reverse=picked or None)
        colour = self.screen.get_component_rich_style(f"bp--{piece.token}").color
        if not picked:
            return Style(color=colour, bgcolor=self.rich_style.bgcolor, bold=piece.bold or None)
        under = self.screen.get_component_rich_style(_CHOSEN if piece.chosen else _CURSOR)
        # In 16 colours a token may vanish on the cursor's background: there the whole row has one style.
        single = self.app.current_theme.ansi
        return Style(color=under.color if single else colour, bgcolor=under.bgcolor, bold=piece.bold or None)


def _end(strip: Strip, span: _Span) -> int:
    return strip.cell_length if span[1] == -1 else span[1]


def _picked(strip: Strip, span: _Span | None, left: int, style: Style) -> Strip:
    """A row that begins at column `left`, with its cells from and up to the span in another style."""
    if span is None:
        return strip
    start = max(0, span[0] - left)
    end = min(strip.cell_length, strip.cell_length if span[1] == -1 else span[1] - left)
    if start >= end:
        return strip
    return Strip.join([strip.crop(0, start), strip.crop(start, end).apply_style(style), strip.crop(end)])
