"""The Resources tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on

from backprop_tui.tui.tokens import Piece, Token
from backprop_tui.tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from backprop_tui.tui.charts.resources_tab import ResourcesView


class ResourcesTab(Sheet):
    """Charts; all of them are shown at once, so that nothing scrolls."""

    ALLOW_SELECT = False  # a drag is the chart's

    view: ResourcesView | None = None

    def show_view(self, view: ResourcesView | None) -> None:
        """Paints what changed."""
        self.view = view
        self.paint()

    def move(self, rows: int) -> None:
        """There is nothing to move."""

    def move_to(self, place: int) -> None:
        """There is nothing to move."""

    def paint(self) -> None:
        """Paints what changed."""
        width, height = self.size
        if width <= 0 or height <= 0:
            return
        if self.view is None:
            self.show([(Piece(" nothing was sampled yet", Token.MUTED),)])
            return
        from backprop_tui.tui.charts.resources_tab import draw_resources  # with the first figures

        self.show(draw_resources(self.view, width, height, self.glyphs))

    @on(events.Resize)
    def _resources_resized(self) -> None:
        self.paint()
