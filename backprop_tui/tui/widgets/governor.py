"""The governor line."""

from __future__ import annotations

from backprop_tui.tui.drawing.governor import draw_governor
from backprop_tui.tui.view.governor import GovernorLineView
from backprop_tui.tui.widgets.painted import Painted


class Governor(Painted):
    """One row."""

    def show_view(self, view: GovernorLineView, width: int) -> None:
        """Paints what changed."""
        self.show([draw_governor(view, width, self.glyphs)])
