"""The widgets that draw charts, and the mouse over a chart: a click reads values, a drag selects, the wheel zooms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.actions import SkipAction
from textual.binding import BindingType
from textual.message import Message

from backprop_tui.tui.actions import METRICS_ACTIONS, bindings
from backprop_tui.tui.charts.chart import ChartFrame
from backprop_tui.tui.charts.choices import ChartNavigator
from backprop_tui.tui.layout import Layout
from backprop_tui.tui.lines import Line, Piece, Token
from backprop_tui.tui.widgets.line_widget import LineWidget, ScrollView, edited

if TYPE_CHECKING:
    from backprop_tui.tui.charts.chart import Chart
    from backprop_tui.tui.charts.compare import CompareLines
    from backprop_tui.tui.charts.metrics_tab import MetricsView
    from backprop_tui.tui.charts.resources_tab import ResourcesView

ZOOM = 0.6  # by one turn of the wheel
_MIN_DRAG_CELLS = 2  # less is a click
_LEFT = 1  # the column where a chart begins
_MAX_ROWS_ABOVE_LOG, _MIN_LOG_ROWS = 14, 10
_METRICS_PAGE = 3
_COLUMNS_WITHOUT_CHART = 60


class Steered(Message):
    """Cursor, zoom or filter of the charts is to change; without a `change` only their number or size."""

    def __init__(self, change: Callable[[ChartNavigator], None] | None = None) -> None:
        super().__init__()
        self.change = change

    @classmethod
    def zoom(cls, *, closer: bool, place: float | None = None) -> Steered:
        """Zooms around a place on x; None: around the cursor."""
        factor = ZOOM if closer else 1 / ZOOM
        return cls(lambda navigator: navigator.zoom(place, factor))

    def apply(self, navigator: ChartNavigator) -> None:
        if self.change is not None:
            self.change(navigator)


class ChartMouse:
    """Where a chart is drawn in a widget, and what the mouse means there."""

    def __init__(self, chart: Chart, frame: ChartFrame, *, top: int, left: int = _LEFT) -> None:
        """`top` is the row of the chart's title, `left` its first column."""
        self._chart, self._frame = chart, frame
        self.columns = frame.columns  # of the curves
        self._top, self._left = top, left

    def covers(self, event: events.MouseEvent) -> bool:
        column, row = event.x - self._left - self._frame.margin, event.y - self._top
        return 0 <= column <= self._frame.columns and 1 <= row <= self._frame.rows + self._frame.below

    def place(self, x: int) -> float:
        """Convert a column of the widget to a place on x."""
        return self._frame.x_at(self._chart, x - self._left)

    def drag(self, start: int, event: events.MouseEvent, *, done: bool) -> Steered:
        """Interprets a drag from column `start`, where the button went down, to the pointer."""
        first, last = self.place(start), self.place(event.x)
        if abs(event.x - start) < _MIN_DRAG_CELLS:
            return Steered(lambda navigator: navigator.point(last))
        return Steered(lambda navigator: navigator.drag(first, last, done=done))


def metrics_mice(view: MetricsView, width: int, height: int) -> list[ChartMouse]:
    """Returns the mouse over each chart that is drawn, the large one first."""
    from backprop_tui.tui.charts.chart import chart_frame
    from backprop_tui.tui.charts.metrics_tab import layout_of_view

    plan = layout_of_view(view, width, height)
    places = [
        (chart, tile.columns, tile.rows, plan.small_top + tile.top, tile.chart_left)
        for chart, tile in zip(view.small, plan.small, strict=False)
    ]
    if not view.grid:
        places.insert(0, (view.large, plan.large_columns, plan.large_rows, 0, _LEFT))
    return [
        ChartMouse(chart, frame, top=top, left=left)
        for chart, columns, rows, top, left in places
        if (frame := chart_frame(chart, columns, rows)) is not None
    ]


class ChartSurface(ScrollView):
    """A scroll view with charts that react to the mouse."""

    _pressed_at: int | None = None  # the column where the button went down on a chart
    _pressed_on: ChartMouse | None = None
    _hovered_at: int | None = None  # the column of the pointer over a chart

    def chart_mouse(self) -> ChartMouse | None:
        """Returns the mouse over the only chart; None when no chart is drawn."""
        raise NotImplementedError

    def chart_mice(self) -> Sequence[ChartMouse]:
        """Returns the mouse over each chart that is drawn."""
        mouse = self.chart_mouse()
        return [] if mouse is None else [mouse]

    def click_elsewhere(self, x: int, y: int) -> None:
        """Handles a click, beside a chart or after a chart has moved its cursor there."""

    def _mouse_at(self, event: events.MouseEvent) -> ChartMouse | None:
        return next((mouse for mouse in self.chart_mice() if mouse.covers(event)), None)

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def _wheel(self, event: events.MouseScrollDown | events.MouseScrollUp) -> None:
        mouse = self._mouse_at(event)
        if mouse is not None:
            event.stop()
            event.prevent_default()
            closer = isinstance(event, events.MouseScrollUp)
            self.post_message(Steered.zoom(closer=closer, place=mouse.place(event.x)))

    @on(events.MouseDown)
    def _pressed(self, event: events.MouseDown) -> None:
        mouse = self._mouse_at(event)
        if event.button == 1 and mouse is not None:
            self._pressed_at, self._pressed_on = event.x, mouse
            self.capture_mouse()

    @on(events.MouseMove)
    def _moved(self, event: events.MouseMove) -> None:
        if self._pressed_at is not None and self._pressed_on is not None:
            self.post_message(self._pressed_on.drag(self._pressed_at, event, done=False))
        else:
            mouse = self._mouse_at(event)
            self._hover(None if mouse is None else event.x, mouse)

    @on(events.Leave)
    def _pointer_left(self) -> None:
        self._hover(None, None)

    def _hover(self, column: int | None, mouse: ChartMouse | None) -> None:
        """Reads the values under the pointer, as long as it is over a chart."""
        if column == self._hovered_at:
            return
        self._hovered_at = column
        place = None if column is None or mouse is None else mouse.place(column)
        self.post_message(Steered(lambda navigator: navigator.hover(place)))

    @on(events.MouseUp)
    def _released(self, event: events.MouseUp) -> None:
        start, mouse = self._pressed_at, self._pressed_on
        self._pressed_at = self._pressed_on = None
        if start is None or mouse is None:
            self.click_elsewhere(event.x, event.y)
            return
        self.release_mouse()
        self.post_message(mouse.drag(start, event, done=True))
        if abs(event.x - start) < _MIN_DRAG_CELLS:
            self.click_elsewhere(event.x, event.y)


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

    @on(events.Resize)
    def paint(self) -> None:
        width, height = self.size
        if width <= 0 or height <= 0 or self.chart is None:
            return
        from backprop_tui.tui.charts.chart import draw_chart

        edge: Line = (Piece(f"{self.glyphs.divider} ", Token.RULE),) if self._divided else (Piece(" "),)
        lines = draw_chart(self.chart, width - len(edge[0].text) - 1, height, self.glyphs)
        self.show([(*edge, *line) for line in lines])


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

    def room(self, *, grid: bool, metrics: int) -> int:
        """Returns how many small charts fit, of so many."""
        from backprop_tui.tui.charts.metrics_tab import metrics_layout

        return max(1, len(metrics_layout(*self.size, grid=grid, small=metrics).small))

    def action_cursor(self, columns: int) -> None:
        mice = self.chart_mice()
        share = columns / (mice[0].columns if mice else _COLUMNS_WITHOUT_CHART)
        self.post_message(Steered(lambda navigator: navigator.move(share)))

    def action_leave_zoom(self) -> None:
        """Shows all of x; when it is shown already, leaves the key to the screen."""
        if self.view is None or not self.view.is_navigated:
            raise SkipAction
        self.post_message(Steered(lambda navigator: navigator.leave()))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return self._typed is not None and character is not None and character.isprintable()

    def _set_filter(self, typed: str | None) -> None:
        """Filter by the text so far; None ends typing and keeps the filter."""
        expression = (self._typed if typed is None else typed) or ""
        self._typed = typed
        self.post_message(Steered(lambda navigator: navigator.seek(expression, typing=typed is not None)))

    @on(events.Key)
    def _key(self, event: events.Key) -> None:
        """Handles slash and the text behind it here: bindings run only after the letters that arrive with them."""
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
            case _:
                self._set_filter(edited(self._typed, event))

    def move(self, rows: int) -> None:
        if self.view is not None and self.view.rows:
            index = max(0, min(self.view.chosen_index + rows, len(self.view.rows) - 1))
            self.post_message(self.Chosen(self.view.rows[index].name))

    def move_to(self, index: int) -> None:
        self.move(0 if self.view is None else index - self.view.chosen_index)

    def page(self, share: float) -> None:
        """Moves by a few metrics; in a grid by a page."""
        size = len(self.view.small) if self.view is not None and self.view.grid else _METRICS_PAGE
        self.move(size if share > 0 else -size)

    def paint(self) -> None:
        width, height = self.size
        if width <= 0 or height <= 0:
            return
        if self.view is None:
            self.show([(Piece(" reading …" if self.glyphs.unicode else " reading", Token.MUTED),)])
            return
        from backprop_tui.tui.charts.metrics_tab import draw_metrics

        self.show(draw_metrics(self.view, width, height, self.glyphs))

    def chart_mice(self) -> Sequence[ChartMouse]:
        return [] if self.view is None else metrics_mice(self.view, *self.size)

    @on(events.Resize)
    def _metrics_resized(self) -> None:
        self.post_message(Steered())

    def click_elsewhere(self, x: int, y: int) -> None:
        """Chooses the metric of a row of the table, or of a small chart."""
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
        """Does nothing."""

    def move_to(self, index: int) -> None:
        """Does nothing."""

    def paint(self) -> None:
        width, height = self.size
        if width <= 0 or height <= 0:
            return
        if self.view is None:
            self.show([(Piece(" reading …" if self.glyphs.unicode else " reading", Token.MUTED),)])
            return
        from backprop_tui.tui.charts.resources_tab import draw_resources

        self.show(draw_resources(self.view, width, height, self.glyphs))


class ComparePage(ChartSurface):
    """Results, options and curves of several runs; scrolled when not all options fit."""

    _mouse: ChartMouse | None = None

    def show_page(self, page: CompareLines, chart: Chart) -> None:
        from backprop_tui.tui.charts.chart import chart_frame

        frame = chart_frame(chart, self.size.width - 2, page.chart_rows) if page.chart_rows else None
        self._mouse = None if frame is None else ChartMouse(chart, frame, top=page.chart_top)
        self.show_content(page.lines)

    def chart_mouse(self) -> ChartMouse | None:
        return self._mouse

    def move_cursor(self, columns: int) -> None:
        if self._mouse is not None:
            share = columns / self._mouse.columns
            self.post_message(Steered(lambda navigator: navigator.move(share)))
