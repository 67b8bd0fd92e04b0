"""The widgets that draw charts: the loss beside the log, the Metrics and Resources tabs, the Compare page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.actions import SkipAction
from textual.binding import BindingType
from textual.message import Message

from backprop_tui.tui.actions import METRICS_ACTIONS, bindings
from backprop_tui.tui.layout import Layout
from backprop_tui.tui.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.chart_mouse import (
    ChartMouse,
    ChartSurface,
    Moved,
    RoomChanged,
    Sought,
    Unzoomed,
    over_metrics,
)
from backprop_tui.tui.widgets.line_widget import LineWidget
from backprop_tui.tui.widgets.scroll_view import ScrollView

# What draws charts is imported with the first values, which arrive after the first paint.
if TYPE_CHECKING:
    from backprop_tui.tui.charts.chart import Chart
    from backprop_tui.tui.charts.compare import CompareLines
    from backprop_tui.tui.charts.metrics_tab import MetricsView
    from backprop_tui.tui.charts.resources_tab import ResourcesView

_MAX_ROWS_ABOVE_LOG, _MIN_LOG_ROWS = 14, 10
_METRICS_PAGE = 3
_COLUMNS_WITHOUT_CHART = 60


class LossChart(LineWidget):
    """The loss beside the log with a divider at its left, or above the log; hidden when there is nothing to draw."""

    chart: Chart | None = None
    _divided = True

    def show_chart(self, chart: Chart | None, layout: Layout) -> None:
        self.chart = chart
        rows = min(_MAX_ROWS_ABOVE_LOG, layout.selected_rows // 3)
        above = layout.beside and layout.selected_rows - rows >= _MIN_LOG_ROWS
        self._divided = not above
        has_curve = chart is not None and any(curve.pieces for curve in chart.curves)
        self.display = has_curve and (above or layout.chart_columns > 0)
        if self.display:
            self.styles.width = "1fr" if above else layout.chart_columns
            self.styles.height = rows if above else "100%"
            self.styles.dock = "top" if above else "none"
        self.paint()

    def paint(self) -> None:
        """Paint what changed."""
        width, height = self.size
        if width <= 0 or height <= 0 or self.chart is None:
            return
        from backprop_tui.tui.charts.chart import draw_chart

        edge: Line = (Piece(f"{self.glyphs.divider} ", Token.RULE),) if self._divided else (Piece(" "),)
        lines = draw_chart(self.chart, width - len(edge[0].text) - 1, height, self.glyphs)
        self.show([(*edge, *line) for line in lines])

    @on(events.Resize)
    def _repaint(self) -> None:
        self.paint()


class MetricsTab(ChartSurface):
    """Charts and a table of metrics; movement chooses the metric that is shown large."""

    ALLOW_SELECT = False  # a drag selects a range of the chart, not text
    WHEEL_ROWS = 1
    BINDINGS: ClassVar[list[BindingType]] = bindings(METRICS_ACTIONS)
    view: MetricsView | None = None
    _typed: str | None = None  # the filter for names while it is being typed

    class Chosen(Message):
        """Another metric is to be shown large."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def show_view(self, view: MetricsView | None) -> None:
        self.view = view
        self.paint()

    def room(self, *, grid: bool) -> int:
        """Return how many small charts fit."""
        from backprop_tui.tui.charts.metrics_tab import metrics_layout

        return max(1, metrics_layout(*self.size, grid=grid).small)

    def action_cursor(self, columns: int) -> None:
        mouse = self.chart_mouse()
        self.post_message(Moved(columns / (_COLUMNS_WITHOUT_CHART if mouse is None else mouse.columns)))

    def action_leave_zoom(self) -> None:
        """Show all of x; when it is shown already, leave the key to the screen."""
        if self.view is None or not self.view.is_navigated:
            raise SkipAction
        self.post_message(Unzoomed())

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Take letters as text while the filter is typed."""
        return self._typed is not None and character is not None and character.isprintable()

    def _set_filter(self, typed: str | None) -> None:
        """Filter by the text so far; None ends typing and keeps the filter."""
        before, self._typed = self._typed, typed
        self.post_message(Sought((typed if typed is not None else before) or "", typing=typed is not None))

    @on(events.Key)
    def _key(self, event: events.Key) -> None:
        """Handle slash and the text behind it here: bindings run only after the letters that arrive with them."""
        if self._typed is None and event.key != "slash":
            return
        event.stop()
        event.prevent_default()
        if self._typed is None:
            self._set_filter("")
            return
        match event.key:
            case "enter":
                self._set_filter(None)
            case "escape":
                self._typed = ""
                self._set_filter(None)
            case "backspace":
                self._set_filter(self._typed[:-1])
            case "ctrl+u":
                self._set_filter("")
            case _ if event.character is not None and event.character.isprintable():
                self._set_filter(self._typed + event.character)

    def move(self, rows: int) -> None:
        """Choose the metric so many rows further down."""
        if self.view is not None and self.view.rows:
            place = max(0, min(self.view.chosen_index + rows, len(self.view.rows) - 1))
            self.post_message(self.Chosen(self.view.rows[place].name))

    def move_to(self, place: int) -> None:
        self.move(0 if self.view is None else place - self.view.chosen_index)

    def page(self, share: float) -> None:
        """Move by a few metrics; in a grid by a page."""
        size = self.room(grid=True) if self.view is not None and self.view.grid else _METRICS_PAGE
        self.move(size if share > 0 else -size)

    def paint(self) -> None:
        width, height = self.size
        if width <= 0 or height <= 0:
            return
        if self.view is None:
            self.show([(Piece(" no metrics yet", Token.MUTED),)])
            return
        from backprop_tui.tui.charts.metrics_tab import draw_metrics

        self.show(draw_metrics(self.view, width, height, self.glyphs))

    def chart_mouse(self) -> ChartMouse | None:
        return None if self.view is None else over_metrics(self.view, *self.size)

    @on(events.Resize)
    def _metrics_resized(self) -> None:
        self.paint()
        self.post_message(RoomChanged())

    def click_elsewhere(self, x: int, y: int) -> None:
        """Choose the metric of a row of the table, or of a small chart."""
        if self.view is not None:
            from backprop_tui.tui.charts.metrics_tab import metric_at

            name = metric_at(self.view, *self.size, x, y)
            if name is not None:
                self.post_message(self.Chosen(name))


class ResourcesTab(ScrollView):
    """Charts of what the run uses; all of them fit, so nothing scrolls."""

    ALLOW_SELECT = False
    view: ResourcesView | None = None

    def show_view(self, view: ResourcesView | None) -> None:
        self.view = view
        self.paint()

    def move(self, rows: int) -> None:
        """Do nothing."""

    def move_to(self, place: int) -> None:
        """Do nothing."""

    def paint(self) -> None:
        width, height = self.size
        if width <= 0 or height <= 0:
            return
        if self.view is None:
            self.show([(Piece(" no samples yet", Token.MUTED),)])
            return
        from backprop_tui.tui.charts.resources_tab import draw_resources

        self.show(draw_resources(self.view, width, height, self.glyphs))

    @on(events.Resize)
    def _resources_resized(self) -> None:
        self.paint()


class ComparePage(ChartSurface):
    """Results, options and curves of several runs; scrolled when not all options fit."""

    _mouse: ChartMouse | None = None

    def show_page(self, page: CompareLines, chart: Chart) -> None:
        """Show other lines from the same row on."""
        from backprop_tui.tui.charts.chart import chart_frame

        frame = chart_frame(chart, self.size.width - 2, page.chart_rows) if page.chart_rows else None
        self._mouse = None if frame is None else ChartMouse(chart, frame, left=1, top=page.chart_top)
        self.show_content(page.lines)

    def chart_mouse(self) -> ChartMouse | None:
        return self._mouse

    def move_cursor(self, columns: int) -> None:
        """Read values further left or right."""
        if self._mouse is not None:
            self.post_message(Moved(columns / self._mouse.columns))
