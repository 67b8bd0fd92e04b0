"""The problem line."""

from __future__ import annotations

from textual import events, on
from textual.message import Message

from backprop_tui.tui.panes.governor import ProblemView, draw_problem
from backprop_tui.tui.widgets.painted import Painted


class Problem(Painted):
    """One row; a click goes to the run."""

    class Chosen(Message):
        """The run it tells of is wanted."""

    def show_view(self, view: ProblemView | None, width: int) -> None:
        """Paints what changed."""
        self.show([draw_problem(view, width, self.glyphs)])

    @on(events.Click)
    def _clicked(self) -> None:
        self.post_message(self.Chosen())
