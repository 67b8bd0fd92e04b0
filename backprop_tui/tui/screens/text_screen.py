"""A page of text with a title, which is read and left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from backprop_tui.tui.drawing.lines import heading
from backprop_tui.tui.screens.leave_once import LeaveOnce
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.painted import COLOURS
from backprop_tui.tui.widgets.sheet import Sheet
from backprop_tui.tui.wording.glyphs import Glyphs


class Page(LeaveOnce, Screen[None]):
    """Scrolled where it is longer than the screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q", "dismiss", "back"),
        ("j,down", "scroll(1)", "down"),
        ("k,up", "scroll(-1)", "up"),
        ("ctrl+d,pagedown", "scroll(12)", "down"),
        ("ctrl+u,pageup", "scroll(-12)", "up"),
    ]

    def __init__(self, title: str, lines: Sequence[Line], *, glyphs: Glyphs, token: Token = Token.FG) -> None:
        super().__init__()
        self._title = Piece(title, token if token is not Token.FG else Token.ACCENT, bold=True)
        self._lines = lines
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Sheet(glyphs=self._glyphs, id="page")

    def on_resize(self, event: events.Resize) -> None:
        """The heading has the width of the screen."""
        width = event.size.width
        back = [Piece("esc", Token.ACCENT, bold=True), Piece(" back", Token.MUTED)]
        top = heading([(2, [self._title]), (max(8, width - 11), back)], width, self._glyphs, focused=True)
        self.query_one(Sheet).show_sheet([top, *self._lines])

    def action_scroll(self, rows: int) -> None:
        """Scrolls."""
        self.query_one(Sheet).move(rows)
