"""The header."""

from __future__ import annotations

from backprop_tui.tui.drawing.header import draw_header
from backprop_tui.tui.view.header import HeaderView
from backprop_tui.tui.widgets.painted import Painted


class Header(Painted):
    """One row."""

    def show_view(self, view: HeaderView, width: int) -> None:
        """Paints what changed."""
        self.show([draw_header(view, width, self.glyphs)])
