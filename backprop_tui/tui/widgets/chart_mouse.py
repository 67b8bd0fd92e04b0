"""The mouse over a chart: a click reads values, a drag chooses a part of x, the wheel zooms where the pointer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from backprop_tui.tui.charts.chart import Chart
    from backprop_tui.tui.charts.choices import ChartNavigator
    from backprop_tui.tui.charts.draw import ChartFrame
    from backprop_tui.tui.charts.metrics_tab import MetricsView

ZOOM = 0.6  # a turn of the wheel
_LEAST_DRAG = 2  # cells: less is a click


class Steered(Message):
    """Something of cursor, zoom or room changes for the charts."""


class Moved(Steered):
    """The cursor is to move by so much of what is shown of x."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share


class Pointed(Steered):
    """The cursor is wanted at a place on x."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.place = place


class Dragged(Steered):
    """A part of x is being chosen; it is settled when `done`."""

    def __init__(self, one: float, other: float, *, done: bool) -> None:
        super().__init__()
        self.one, self.other, self.done = one, other, done


class Zoomed(Steered):
    """A part of x `factor` times as wide is wanted around a place; None: around the cursor."""

    def __init__(self, place: float | None, factor: float) -> None:
        super().__init__()
        self.place, self.factor = place, factor


class Unzoomed(Steered):
    """All of x and the newest values are wanted again."""


class Sought(Steered):
    """Metrics are wanted whose name matches; more may be typed."""

    def __init__(self, expression: str, *, typing: bool) -> None:
        super().__init__()
        self.expression, self.typing = expression, typing


class RoomChanged(Steered):
    """Another number of charts fits."""


def obey(message: Steered, steering: ChartNavigator) -> None:
    """Does what one of these messages wants."""
    match message:
        case Moved(share=share):
            steering.move(share)
        case Pointed(place=place):
            steering.point(place)
        case Dragged(one=one, other=other, done=done):
            steering.drag(one, other, done=done)
        case Zoomed(place=around, factor=factor):
            steering.zoom(around, factor)
        case Sought(expression=expression, typing=typing):
            steering.seek(expression, typing=typing)
        case Unzoomed():
            steering.leave()


class ChartMouse:
    """Where a chart is drawn in a widget, and what the mouse does there."""

    def __init__(self, chart: Chart, frame: ChartFrame, *, left: int, top: int) -> None:
        """`left` and `top` are where the chart begins, its title in the first row."""
        self._chart, self._frame = chart, frame
        self._left, self._top = left, top

    @property
    def columns(self) -> int:
        """Of the curves."""
        return self._frame.columns

    def covers(self, event: events.MouseEvent) -> bool:
        """Whether it is over the curves."""
        column, row = event.x - self._left - self._frame.margin, event.y - self._top
        return 0 <= column <= self._frame.columns and 1 <= row <= self._frame.rows + self._frame.below

    def place(self, x: int) -> float:
        """On x of the chart, from a column of the widget."""
        return self._frame.place(self._chart, x - self._left)

    def wheel(self, event: events.MouseEvent, *, closer: bool) -> Steered:
        """Zoom, where the pointer is."""
        return Zoomed(self.place(event.x), ZOOM if closer else 1 / ZOOM)

    def drag(self, start: int, event: events.MouseEvent, *, done: bool) -> Steered:
        """From the column where the button went down to where the pointer is now."""
        if abs(event.x - start) < _LEAST_DRAG:
            return Pointed(self.place(event.x))
        return Dragged(self.place(start), self.place(event.x), done=done)


def over_metrics(view: MetricsView, width: int, height: int) -> ChartMouse | None:
    """Over the chart that is read: the large one, in a grid the first; None where none is drawn."""
    from backprop_tui.tui.charts.draw import chart_frame
    from backprop_tui.tui.charts.metrics_tab import layout_of_view, small_chart_columns

    plan = layout_of_view(view, width, height)
    if not view.grid:
        frame = chart_frame(view.large, plan.large_columns, plan.large_rows)
        return None if frame is None else ChartMouse(view.large, frame, left=1, top=0)
    frame = chart_frame(view.small[0], small_chart_columns(plan, width), plan.small_rows) if view.small else None
    return None if frame is None else ChartMouse(view.small[0], frame, left=1, top=1)
