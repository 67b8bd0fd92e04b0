"""A screen of text with a title, to read and close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from backprop_tui.tui.actions import TEXT_ACTIONS, bindings
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import heading
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.line_widget import COLOURS
from backprop_tui.tui.widgets.scroll_view import ScrollView


class TextScreen(DismissOnce, Screen[None]):
    """Scrolls when the text is longer than the screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = bindings(TEXT_ACTIONS)

    def __init__(self, title: str, lines: Sequence[Line], *, glyphs: Glyphs, token: Token = Token.ACCENT) -> None:
        super().__init__()
        self._title = Piece(title, token, bold=True)
        self._lines = lines
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield ScrollView(glyphs=self._glyphs, id="page")

    def on_resize(self, event: events.Resize) -> None:
        """Draw the heading as wide as the screen."""
        width = event.size.width
        back = [Piece("esc", Token.ACCENT, bold=True), Piece(" back", Token.MUTED)]
        top = heading([(2, [self._title]), (max(8, width - 11), back)], width, self._glyphs, focused=True)
        self.query_one(ScrollView).show_content([top, *self._lines])

    def action_scroll(self, rows: int) -> None:
        self.query_one(ScrollView).move(rows)
