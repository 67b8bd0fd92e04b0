"""The curve of the loss beside the log, or above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on

from backprop_tui.tui.layout import Layout
from backprop_tui.tui.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.painted import Painted

if TYPE_CHECKING:
    from backprop_tui.tui.charts.chart import Chart

_MOST_ROWS, _LEAST_LOG_ROWS = 14, 10  # above the log


class LossChart(Painted):
    """One chart; where it stands beside the log, with a divider at its left. Hidden where there is nothing to draw."""

    chart: Chart | None = None
    _divided = True

    def show_chart(self, chart: Chart | None, layout: Layout) -> None:
        """Paints what changed."""
        self.chart = chart
        rows = min(_MOST_ROWS, layout.selected_rows // 3)
        above = layout.beside and layout.selected_rows - rows >= _LEAST_LOG_ROWS
        self._divided = not above
        found = chart is not None and any(curve.pieces for curve in chart.curves)
        self.display = found and (above or layout.chart_columns > 0)
        if self.display:
            self.styles.width = "1fr" if above else layout.chart_columns
            self.styles.height = rows if above else "100%"
            self.styles.dock = "top" if above else "none"
        self.paint()

    def paint(self) -> None:
        """Paints what changed."""
        width, height = self.size
        if width <= 0 or height <= 0 or self.chart is None:
            return
        from backprop_tui.tui.charts.draw import draw_chart  # with the first figures

        edge: Line = (Piece(f"{self.glyphs.divider} ", Token.RULE),) if self._divided else (Piece(" "),)
        lines = draw_chart(self.chart, width - len(edge[0].text) - 1, height, self.glyphs)
        self.show([(*edge, *line) for line in lines])

    @on(events.Resize)
    def _resized(self) -> None:
        self.paint()
