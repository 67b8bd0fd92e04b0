"""The mouse over a chart: a click reads values, a drag selects a range of x, the wheel zooms at the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on
from textual.message import Message

from backprop_tui.tui.charts.chart import ChartFrame
from backprop_tui.tui.charts.choices import ChartNavigator
from backprop_tui.tui.widgets.scroll_view import ScrollView

if TYPE_CHECKING:
    from backprop_tui.tui.charts.chart import Chart
    from backprop_tui.tui.charts.metrics_tab import MetricsView

ZOOM = 0.6  # by one turn of the wheel
_MIN_DRAG_CELLS = 2  # less is a click


class Steered(Message):
    """Cursor, zoom or size of the charts is to change."""


class Moved(Steered):
    """Move the cursor by a share of the visible range of x."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share


class Pointed(Steered):
    """Put the cursor at a place on x."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.place = place


class Dragged(Steered):
    """Select a range of x; it is final when `done`."""

    def __init__(self, start: float, end: float, *, done: bool) -> None:
        super().__init__()
        self.start, self.end, self.done = start, end, done


class Zoomed(Steered):
    """Show a range of x `factor` times as wide around a place; None: around the cursor."""

    def __init__(self, place: float | None, factor: float) -> None:
        super().__init__()
        self.place, self.factor = place, factor


class Unzoomed(Steered):
    """Show all of x and read the newest values."""


class Sought(Steered):
    """Show the metrics whose name matches an expression, which may still be being typed."""

    def __init__(self, expression: str, *, typing: bool) -> None:
        super().__init__()
        self.expression, self.typing = expression, typing


class RoomChanged(Steered):
    """Another number of charts fits."""


def steer(message: Steered, steering: ChartNavigator) -> None:
    """Carry out one of these messages."""
    match message:
        case Moved(share=share):
            steering.move(share)
        case Pointed(place=place):
            steering.point(place)
        case Dragged(start=start, end=end, done=done):
            steering.drag(start, end, done=done)
        case Zoomed(place=around, factor=factor):
            steering.zoom(around, factor)
        case Sought(expression=expression, typing=typing):
            steering.seek(expression, typing=typing)
        case Unzoomed():
            steering.leave()


class ChartMouse:
    """Where a chart is drawn in a widget, and what the mouse means there."""

    def __init__(self, chart: Chart, frame: ChartFrame, *, left: int, top: int) -> None:
        """`left` and `top` are the position of the chart, whose first row is its title."""
        self._chart, self._frame = chart, frame
        self._left, self._top = left, top

    @property
    def columns(self) -> int:
        """Columns of the curves."""
        return self._frame.columns

    def covers(self, event: events.MouseEvent) -> bool:
        """Whether the pointer is over the curves."""
        column, row = event.x - self._left - self._frame.margin, event.y - self._top
        return 0 <= column <= self._frame.columns and 1 <= row <= self._frame.rows + self._frame.below

    def place(self, x: int) -> float:
        """Convert a column of the widget to a place on x."""
        return self._frame.x_at(self._chart, x - self._left)

    def wheel(self, event: events.MouseEvent, *, closer: bool) -> Steered:
        return Zoomed(self.place(event.x), ZOOM if closer else 1 / ZOOM)

    def drag(self, start: int, event: events.MouseEvent, *, done: bool) -> Steered:
        """Interpret a drag from column `start`, where the button went down, to the pointer."""
        if abs(event.x - start) < _MIN_DRAG_CELLS:
            return Pointed(self.place(event.x))
        return Dragged(self.place(start), self.place(event.x), done=done)


def over_metrics(view: MetricsView, width: int, height: int) -> ChartMouse | None:
    """Return the mouse over the chart that is read: the large one, in a grid the first; None when none is drawn."""
    from backprop_tui.tui.charts.chart import chart_frame
    from backprop_tui.tui.charts.metrics_tab import layout_of_view, small_chart_columns

    plan = layout_of_view(view, width, height)
    if not view.grid:
        frame = chart_frame(view.large, plan.large_columns, plan.large_rows)
        return None if frame is None else ChartMouse(view.large, frame, left=1, top=0)
    frame = chart_frame(view.small[0], small_chart_columns(plan, width), plan.small_rows) if view.small else None
    return None if frame is None else ChartMouse(view.small[0], frame, left=1, top=1)


class ChartSurface(ScrollView):
    """A scroll view with a chart that reacts to the mouse."""

    _pressed_at: int | None = None  # the column where the button went down on the chart

    def chart_mouse(self) -> ChartMouse | None:
        """Return the mouse over the chart; None when no chart is drawn."""
        raise NotImplementedError

    def click_elsewhere(self, x: int, y: int) -> None:
        """Handle a click beside the chart."""

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def _wheel(self, event: events.MouseScrollDown | events.MouseScrollUp) -> None:
        mouse = self.chart_mouse()
        if mouse is not None and mouse.covers(event):
            event.stop()
            event.prevent_default()
            self.post_message(mouse.wheel(event, closer=isinstance(event, events.MouseScrollUp)))

    @on(events.MouseDown)
    def _pressed(self, event: events.MouseDown) -> None:
        mouse = self.chart_mouse()
        if event.button == 1 and mouse is not None and mouse.covers(event):
            self._pressed_at = event.x
            self.capture_mouse()

    @on(events.MouseMove)
    def _dragged(self, event: events.MouseMove) -> None:
        mouse = self.chart_mouse()
        if self._pressed_at is not None and mouse is not None:
            self.post_message(mouse.drag(self._pressed_at, event, done=False))

    @on(events.MouseUp)
    def _released(self, event: events.MouseUp) -> None:
        start, self._pressed_at = self._pressed_at, None
        if start is None:
            self.click_elsewhere(event.x, event.y)
            return
        self.release_mouse()
        mouse = self.chart_mouse()
        if mouse is not None:
            self.post_message(mouse.drag(start, event, done=True))
