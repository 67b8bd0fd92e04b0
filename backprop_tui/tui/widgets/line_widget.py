"""Widgets of lines of colored text that send only the changed cells to the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import App
from textual.color import Color
from textual.geometry import Region
from textual.keys import _character_to_key
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from backprop_tui.tui.glyphs import UNICODE, Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, changed_spans, hints, piece_at

_ASCII = str.maketrans({"·": "-", "…": "~", "×": "x", "°": "", "→": ">"})
_KEY_NAMES = {"esc": "escape", "del": "delete"}
_MANY_ROWS = 8
_Span = tuple[int, int]
_StyleKey = tuple[Token, bool, bool, bool]


def press_key(app: App[object], shown: str) -> None:
    """Presses a key that a hint names; of several the first."""
    name = shown.partition(" ")[0]
    key = _KEY_NAMES.get(name) or (_character_to_key(name) if len(name) == 1 else name)
    app.call_later(app.simulate_key, key)  # a key that a screen sends does not bubble to it


def border_hints(text: str, between: str) -> str:
    """`enter queue · esc close` as markup for the border of a dialog; a click on a part presses its key."""
    parts = ((piece.text.replace("[", r"\["), piece.click) for piece in hints(text, between))
    return f" {''.join(f'[@click=screen.{click}]{part}[/]' if click else part for part, click in parts)} "


def edited(text: str, event: events.Key) -> str:
    """Returns a text after a key that edits it at its end."""
    match event.key:
        case "backspace":
            return text[:-1]
        case "ctrl+u":
            return ""
        case _:
            return text + event.character if event.character is not None and event.character.isprintable() else text


class LineWidget(Widget):
    """Shows lines; the one at `cursor` is painted as the selected row, over the whole width."""

    WHEEL_ROWS: ClassVar[int] = 0  # by one turn of the wheel; 0 leaves the wheel to the parent

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.glyphs = glyphs
        self._lines: Sequence[Line] = ()
        self._cursor: int | None = None
        self._styles: dict[_StyleKey, Style] = {}
        self._strips: dict[int, Strip] = {}  # of lines, by their identity: a line that moved looks the same

    def show(self, lines: Sequence[Line], *, cursor: int | None = None) -> None:
        """Replaces the lines; only what differs is painted again."""
        old, old_cursor = self._lines, self._cursor
        self._lines, self._cursor = tuple(lines), cursor
        self._strips = {key: self._strips[key] for key in map(id, self._lines) if key in self._strips}
        width = self.size.width
        if not width and old:  # hidden: how it looked may be cached
            self.refresh()
            return
        pairs = list(zip_longest(old, self._lines, fillvalue=()))
        rows = [row for row, (before, now) in enumerate(pairs) if before is not now or row in (old_cursor, cursor)]
        if len(rows) > _MANY_ROWS:  # to find out which cells differ takes longer than to render the others
            self.refresh(Region(0, rows[0], width, rows[-1] + 1 - rows[0]))
            return
        changed: list[Region] = []
        for row in rows:
            if (row == old_cursor) != (row == cursor):
                changed.append(Region(0, row, width, 1))
            else:
                changed += (Region(start, row, end - start, 1) for start, end in changed_spans(*pairs[row], width))
        if changed:
            self.refresh(*changed)

    def line_text(self, row: int) -> str:
        return "".join(piece.text for piece in self._lines[row]) if row < len(self._lines) else ""

    @property
    def shown_text(self) -> str:
        return "\n".join(self.line_text(row).rstrip() for row in range(len(self._lines)))

    @on(events.Click)
    async def _piece_clicked(self, event: events.Click) -> None:
        action = self.piece_at(event).click
        if action:
            event.stop()
            await self.run_action(action)

    def piece_at(self, event: events.Click) -> Piece:
        return piece_at(self._lines[event.y] if event.y < len(self._lines) else (), event.x)

    def action_press(self, key: str) -> None:
        press_key(self.app, key)

    def turn_wheel(self, rows: int) -> None:
        """Scrolls by rows, down if positive."""

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def _wheel_turned(self, event: events.MouseScrollDown | events.MouseScrollUp) -> None:
        if self.WHEEL_ROWS:
            event.stop()
            self.turn_wheel(self.WHEEL_ROWS if isinstance(event, events.MouseScrollDown) else -self.WHEEL_ROWS)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Highlights the text selected by the mouse; Textual caches the rows without it."""
        strips = super().render_lines(crop)
        selection = self.text_selection
        if selection is None:
            return strips
        spans = [self._selected_span(selection, y) for y in range(crop.y, crop.y + len(strips))]
        return [_highlighted(strip, span, crop.x) for strip, span in zip(strips, spans, strict=True)]

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Returns the text that is highlighted, and the separator before the text of the next pane."""
        spans = [self._selected_span(selection, y) for y in range(self.size.height)]
        texts = [self.render_line(y).crop(*span).text for y, span in enumerate(spans) if span is not None]
        return "\n".join(texts), "\n"

    def selectable_columns(self, y: int) -> _Span:
        """The columns of a row that the mouse can select; never the blanks at the end of its text."""
        return 0, self.size.width

    def _selected_span(self, selection: Selection, y: int) -> _Span | None:
        """The selected columns of a row, possibly none of them; None if the selection does not reach the row."""
        span = selection.get_span(y)
        if span is None:
            return None
        left, right = self.selectable_columns(y)
        start = max(span[0], left)
        end = right if span[1] == -1 else min(span[1], right)
        return start, start + cell_len(self.render_line(y).crop(start, max(start, end)).text.rstrip())

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self._style(Piece(""), cursor=False))
        line = self._lines[y]
        if y == self._cursor:
            strip = self._strip(line, cursor=True)
            return strip.extend_cell_length(width, self._style(Piece(""), cursor=True)).crop(0, width)
        kept = self._strips.get(id(line))
        if kept is None or kept.cell_length != width:
            kept = self._strip(line, cursor=False).adjust_cell_length(width, self._style(Piece(""), cursor=False))
            self._strips[id(line)] = kept
        return kept

    def _strip(self, line: Line, *, cursor: bool) -> Strip:
        return Strip([Segment(text, style) for text, style in self._runs(line, cursor=cursor)])

    def _runs(self, line: Line, *, cursor: bool) -> Iterator[tuple[str, Style]]:
        """Yields text by style.

        Blanks join the text before them, because each change of style costs some forty bytes.
        """
        text = ""
        style: Style | None = None
        for piece in line:
            new = self._style(piece, cursor=cursor)
            same = style is not None and (new is style or new == style)
            blank = style is not None and piece.text.isspace() and style.bgcolor == new.bgcolor and not style.reverse
            if style is None or same or blank:
                text, style = text + piece.text, style or new
                continue
            yield self._encodable(text), style
            text, style = piece.text, new
        if style is not None:
            yield self._encodable(text), style

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def _encodable(self, text: str) -> str:
        if self.glyphs.unicode or text.isascii():
            return text
        plain = text.translate(_ASCII)
        return plain + " " * (len(text) - len(plain))  # what follows stays in its column

    def _style(self, piece: Piece, *, cursor: bool) -> Style:
        key = (piece.token, piece.bold, piece.chosen, cursor)
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = self._new_style(piece, cursor=cursor)
        return style

    def _new_style(self, piece: Piece, *, cursor: bool) -> Style:
        highlighted = piece.chosen or cursor
        if self.app.no_color:
            return Style(bold=piece.bold or None, reverse=highlighted or None)
        background = self.screen.background_colors[1]
        colour = self._colour(piece.token, background)
        if not highlighted:
            return Style(color=colour.rich_color, bgcolor=self.rich_style.bgcolor, bold=piece.bold or None)
        background = self._colour("cursor", background)
        if self.app.current_theme.ansi:  # a token may vanish on the cursor's background: the row has one style
            colour = self._colour("cursor-fg", background)
        return Style(color=colour.rich_color, bgcolor=background.rich_color, bold=piece.bold or None)

    def _colour(self, name: str, background: Color) -> Color:
        """A color of the theme; component classes would have Textual match its style sheet with each of them."""
        return _over(self.app.theme_variables[f"bp-{name}"], background)


@lru_cache(maxsize=128)
def _over(definition: str, background: Color) -> Color:
    """A color over a background, as the style sheet defines it: `#d8dee6`, `ansi_red`, `auto 60%` for the contrast."""
    name, _, share = definition.partition(" ")
    alpha = float(share.removesuffix("%")) / 100 if share else 1.0
    colour = background.get_contrast_text(alpha) if name == "auto" else Color.parse(name).multiply_alpha(alpha)
    return background + colour


def _highlighted(strip: Strip, span: _Span | None, left: int) -> Strip:
    """Swaps the colors of the cells of a span, in a row that begins at column `left`: visible on any background."""
    if span is None:
        return strip
    start, end = (max(0, min(column - left, strip.cell_length)) for column in span)
    swapped = [
        Segment(text, (style or Style()) + Style(reverse=not (style and style.reverse)))
        for text, style, _ in strip.crop(start, end)
    ]
    return Strip([*strip.crop(0, start), *swapped, *strip.crop(end)], strip.cell_length)


class ScrollView(LineWidget, can_focus=True):
    """Scrolled by keys and wheel; new lines leave the position as it is."""

    WHEEL_ROWS: ClassVar[int] = 3
    _content: Sequence[Line] = ()
    _top = 0

    def show_content(self, lines: Sequence[Line]) -> None:
        """Replaces the lines, keeping the position."""
        self._content = lines
        self.paint()

    @property
    def content_rows(self) -> int:
        return len(self._content)

    def to_top(self) -> None:
        """Goes to the first line with the next paint."""
        self._top = 0

    def move(self, rows: int) -> None:
        self._top += rows
        self.paint()

    def move_to(self, index: int) -> None:
        self._top = index
        self.paint()

    def page(self, share: float) -> None:
        """Scrolls by a share of the visible rows."""
        self.move(int(self.size.height * share))

    def paint(self) -> None:
        self._top = max(0, min(self._top, len(self._content) - self.size.height))
        self.show(self._visible_lines())

    def _visible_lines(self) -> Sequence[Line]:
        return self._content[self._top : self._top + self.size.height]

    @on(events.Resize)
    def _repaint(self) -> None:
        self.paint()

    def turn_wheel(self, rows: int) -> None:
        self.move(rows)


class Page(ScrollView):
    """A screen full of text; its last row says how much more there is below."""

    def _visible_lines(self) -> Sequence[Line]:
        shown = super()._visible_lines()
        below = self.content_rows - self._top - len(shown)
        return [*shown[:-1], (Piece(f"  {below + 1} more rows below", Token.MUTED),)] if below > 0 else shown
