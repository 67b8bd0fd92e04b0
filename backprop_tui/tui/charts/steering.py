"""What keys and mouse do over charts: where the cursor reads, and which part of x is shown."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.plotting.scale import Scale
from backprop_tui.tui.charts.choices import ChartChoices, Window
from backprop_tui.tui.charts.course_charts import Plotter

_NARROWEST = 1 / 128  # of the whole: there are no more points than that to see


class Steering:
    """Changes the choices; `shown` of the `whole` of x is to be seen, and `places` are where points lie, in order."""

    def __init__(self, choices: ChartChoices, shown: Scale, whole: Scale, places: Sequence[float]) -> None:
        self._choices = choices
        self._shown, self._whole = shown, whole
        self._places = places

    @classmethod
    def of(cls, plotter: Plotter) -> Steering:
        """Over the charts of one run."""
        places = plotter.large[0].places if plotter.large else ()
        return cls(plotter.choices, plotter.x, plotter.whole, sorted(set(places)))

    def move(self, share: float) -> None:
        """The cursor by a share of what is shown, and at least to the next point; the part that is shown follows."""
        cursor = self._moved(share * (self._shown.high - self._shown.low))
        self._choices.cursor = cursor
        if self._choices.window is not None and cursor is not None and not 0 <= self._shown.share(cursor) <= 1:
            half = (self._shown.high - self._shown.low) / 2
            self._choices.window = self._within(cursor - half, cursor + half)

    def _moved(self, by: float) -> float | None:
        """None for the newest point."""
        if not self._places:
            return None
        now = self._places[-1] if self._choices.cursor is None else self._choices.cursor
        beyond = [one for one in self._places if (one > now if by > 0 else one < now)]
        if not beyond:
            return None if by > 0 else self._places[0]
        wanted = min(beyond, key=lambda one: abs(one - (now + by)))
        return None if wanted >= self._places[-1] else wanted

    def point(self, place: float) -> None:
        """The cursor reads there."""
        self._choices.cursor, self._choices.dragged = place, None

    def drag(self, one: float, other: float, *, done: bool) -> None:
        """A part of x is chosen; it is shown alone when that is `done`."""
        self._choices.dragged = None if done else (one, other)
        if done:
            self._choices.window, self._choices.cursor = self._selected(one, other), None

    def zoom(self, place: float | None, factor: float) -> None:
        """A part `factor` times as wide; a place stays where it is: the cursor, the newest point, or the middle."""
        newest = self._places[-1] if self._places else None
        wanted = (place, self._choices.cursor, newest, (self._shown.low + self._shown.high) / 2)
        at = next(one for one in wanted if one is not None and 0 <= self._shown.share(one) <= 1)
        width, most = (self._shown.high - self._shown.low) * factor, self._whole.high - self._whole.low
        if width >= most:
            self._choices.window = None
            return
        width = max(width, most * _NARROWEST)
        low = at - self._shown.share(at) * width
        self._choices.window = self._within(low, low + width)

    def seek(self, expression: str, *, typing: bool) -> None:
        """Only metrics whose name matches."""
        self._choices.wanted, self._choices.typing = expression, typing

    def leave(self) -> None:
        """All of x, the newest values, all metrics."""
        self._choices.forget_places()
        self.seek("", typing=False)

    def _selected(self, one: float, other: float) -> Window | None:
        """A little more where that is too narrow to see anything; None for all."""
        low, high, whole = min(one, other), max(one, other), self._whole
        least = (whole.high - whole.low) * _NARROWEST
        if high - low < least:
            low, high = (low + high - least) / 2, (low + high + least) / 2
        return None if high - low >= whole.high - whole.low else self._within(low, high)

    def _within(self, low: float, high: float) -> Window:
        """A part as wide as that, moved so that it lies inside the whole."""
        width = min(high - low, self._whole.high - self._whole.low)
        low = max(self._whole.low, min(low, self._whole.high - width))
        return low, low + width
