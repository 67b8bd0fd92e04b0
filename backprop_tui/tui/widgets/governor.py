"""The governor line."""

from __future__ import annotations

from textual import events, on
from textual.message import Message

from backprop_tui.tui.panes.governor import GovernorLineView, draw_governor
from backprop_tui.tui.widgets.painted import Painted


class Governor(Painted):
    """One row; a click asks why."""

    class Chosen(Message):
        """What it holds back is wanted."""

    @on(events.Click)
    def _clicked(self) -> None:
        self.post_message(self.Chosen())

    def show_view(self, view: GovernorLineView, width: int) -> None:
        """Paints what changed."""
        self.show([draw_governor(view, width, self.glyphs)])
