"""The user's choices about charts (metric, axis, smoothing, zoom, cursor), and how keys and mouse change them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.plotting.axes import XUnit

if TYPE_CHECKING:
    from backprop_tui.plotting.axes import Scale
    from backprop_tui.tui.charts.metric_charts import Plotter

# The smoothing window is the width of the curve divided by this number; 0 does not smooth.
SMOOTHINGS = (("usual", 60), ("strong", 20), ("off", 0), ("light", 150))
RANGES_SECONDS = (1800.0, 7200.0, 600.0)  # of the resource charts
_AXES = (XUnit.STEP, XUnit.TIME, XUnit.CLOCK)
_MIN_ZOOM = 1 / 128  # of the whole x range: a narrower part has no more points to show
Window = tuple[float, float]  # the visible part of x
AXIS_WORDS = {XUnit.STEP: "by step", XUnit.TIME: "by time", XUnit.CLOCK: "by clock time"}


@lazy_dataclass(slots=True)
class ChartChoices:
    """The current choices; they are kept when another run is selected.

    `metric` None is the loss. `cursor` is a position on x, None for the newest point; `pinned` is where it returns to
    when the mouse leaves the chart. `window` is the visible part of x, None for all of it, and `dragged` a part that is
    being selected. `shows_plan` extends x to the planned end. `name_filter` is a regular expression for names of
    metrics; `typing` says that it is still being typed. `grid` shows all metrics at the same size.
    """

    metric: str | None = None
    by: XUnit = XUnit.STEP
    log: bool = False
    smoothing: int = 0
    cursor: float | None = None
    pinned: float | None = None
    shows_plan: bool = False
    window: Window | None = None
    dragged: Window | None = None
    grid: bool = False
    name_filter: str = ""
    typing: bool = False
    resources_range: int = 0

    @property
    def stretches(self) -> int:
        """The divisor of the smoothing window; 0 does not smooth."""
        return SMOOTHINGS[self.smoothing][1]

    @property
    def range_seconds(self) -> float:
        return RANGES_SECONDS[self.resources_range]

    @property
    def next_by(self) -> XUnit:
        return _AXES[(_AXES.index(self.by) + 1) % len(_AXES)]

    def next_axis(self) -> None:
        self.by = self.next_by
        self.reset_view()

    def reset_view(self) -> None:
        """Resets cursor and zoom, which are meaningless on another axis or for another run."""
        self.cursor = self.pinned = self.window = self.dragged = None

    def next_smoothing(self) -> str:
        """Switches to the next smoothing; returns its name."""
        self.smoothing = (self.smoothing + 1) % len(SMOOTHINGS)
        return SMOOTHINGS[self.smoothing][0]

    def next_range(self) -> None:
        self.resources_range = (self.resources_range + 1) % len(RANGES_SECONDS)

    @property
    def filter_text(self) -> str:
        """The name filter as shown: `/loss`, with a cursor while it is typed; empty without a filter."""
        return f"/{self.name_filter}{'_' if self.typing else ''}" if self.name_filter or self.typing else ""

    def matching(self, names: Iterable[str]) -> list[str]:
        """The metrics that match the filter; all of them if the filter is invalid or matches none."""
        known = list(names)
        try:
            matching = [name for name in known if re.search(self.name_filter, name, re.IGNORECASE)]
        except re.error:
            return known
        return matching or known


class ChartNavigator:
    """Moves the cursor and the zoom window of charts.

    `shown` is the visible part of `whole`, and `points` are the sorted positions of the points.
    """

    def __init__(self, choices: ChartChoices, shown: Scale, whole: Scale, points: Sequence[float]) -> None:
        self._choices = choices
        self._shown, self._whole = shown, whole
        self._points = points

    @classmethod
    def of(cls, plotter: Plotter) -> ChartNavigator:
        points = {position for track in plotter.large for position in track.positions}
        return cls(plotter.choices, plotter.x, plotter.whole, sorted(points))

    def move(self, share: float) -> None:
        """Moves the cursor by a share of the visible range, at least to the next point; the window follows it."""
        cursor = self._moved_cursor(share * (self._shown.high - self._shown.low))
        self._choices.cursor = self._choices.pinned = cursor
        if self._choices.window is not None and cursor is not None and not 0 <= self._shown.share(cursor) <= 1:
            half = (self._shown.high - self._shown.low) / 2
            self._choices.window = self._clamped(cursor - half, cursor + half)

    def _moved_cursor(self, distance: float) -> float | None:
        """The position `distance` away from the cursor; None for the newest point."""
        if not self._points:
            return None
        start = self._points[-1] if self._choices.cursor is None else self._choices.cursor
        beyond = [x for x in self._points if (x > start if distance > 0 else x < start)]
        if not beyond:
            return None if distance > 0 else self._points[0]
        target = min(beyond, key=lambda x: abs(x - (start + distance)))
        return None if target >= self._points[-1] else target

    def point(self, x: float) -> None:
        """Moves the cursor to the point nearest to x, where it stays."""
        self._choices.cursor = self._choices.pinned = self._nearest_point(x)
        self._choices.dragged = None

    def hover(self, x: float | None) -> None:
        """Moves the cursor to the point nearest to x; None: back to where it was."""
        self._choices.cursor = self._choices.pinned if x is None else self._nearest_point(x)

    def _nearest_point(self, x: float) -> float | None:
        after = bisect_left(self._points, x)
        return min(self._points[max(0, after - 1) : after + 1], key=lambda point: abs(point - x), default=None)

    def drag(self, start: float, end: float, *, done: bool) -> None:
        """Selects a part of x, and zooms into it once the drag is `done`."""
        self._choices.dragged = None if done else (start, end)
        if done:
            self._choices.reset_view()
            self._choices.window = self._window_of_selection(start, end)

    def zoom(self, x: float | None, factor: float) -> None:
        """Makes the window `factor` times as wide.

        What keeps its column on the screen is `x`, else the cursor, else the newest point, else the middle:
        the first of them that is visible.
        """
        newest = self._points[-1] if self._points else None
        candidates = (x, self._choices.cursor, newest, (self._shown.low + self._shown.high) / 2)
        anchor = next(at for at in candidates if at is not None and 0 <= self._shown.share(at) <= 1)
        width, whole_width = (self._shown.high - self._shown.low) * factor, self._whole.high - self._whole.low
        if width >= whole_width:
            self._choices.window = None
            return
        width = max(width, whole_width * _MIN_ZOOM)
        low = anchor - self._shown.share(anchor) * width
        self._choices.window = self._clamped(low, low + width)

    def seek(self, expression: str, *, typing: bool) -> None:
        self._choices.name_filter, self._choices.typing = expression, typing

    def leave(self) -> None:
        self._choices.reset_view()
        self.seek("", typing=False)

    def _window_of_selection(self, start: float, end: float) -> Window | None:
        """The selected range, widened to the minimum zoom; None if it is all of x."""
        low, high, whole = min(start, end), max(start, end), self._whole
        min_width = (whole.high - whole.low) * _MIN_ZOOM
        if high - low < min_width:
            low, high = (low + high - min_width) / 2, (low + high + min_width) / 2
        return None if high - low >= whole.high - whole.low else self._clamped(low, high)

    def _clamped(self, low: float, high: float) -> Window:
        width = min(high - low, self._whole.high - self._whole.low)
        low = max(self._whole.low, min(low, self._whole.high - width))
        return low, low + width
