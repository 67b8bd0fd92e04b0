"""The header."""

from __future__ import annotations

from backprop_tui.tui.panes.header import HeaderView, draw_header
from backprop_tui.tui.widgets.painted import Painted


class Header(Painted):
    """One row."""

    def show_view(self, view: HeaderView, width: int) -> None:
        """Paints what changed."""
        self.show([draw_header(view, width, self.glyphs)])
