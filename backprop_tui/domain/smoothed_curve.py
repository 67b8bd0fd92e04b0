"""The extremes of a metric, and a training loss in parts whose means are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import Direction


@lazy_dataclass(frozen=True, slots=True)
class Extreme:
    """A value and the step at which it was reached; `step` is None if the script prints no steps."""

    value: float
    step: int | None


MAX_PARTS = 64  # of a smoothed curve; when they are full, pairs are merged
_Point = tuple[float, int | None]  # value and step


class SmoothedCurve:
    """A training loss so far, in parts of equally many values, each with its mean; bounded, so that it can be stored.

    The loss of a single minibatch says little: the lowest of thousands is luck.
    """

    __slots__ = ("count", "earlier", "points", "stride", "total")

    def __init__(
        self,
        points: Iterable[_Point] = (),
        *,
        stride: int = 1,
        total: float = 0.0,
        count: int = 0,
        earlier: Iterable[Extreme] = (),
    ) -> None:
        """`total` and `count` are of the part that is being filled.

        `earlier` has the extremes of the smoothed curve before values that were not read.
        """
        self.points = list(points)
        self.stride, self.total, self.count = stride, total, count
        self.earlier = tuple(earlier)

    def copy(self) -> SmoothedCurve:
        return SmoothedCurve(self.points, stride=self.stride, total=self.total, count=self.count, earlier=self.earlier)

    def after_hole(self) -> SmoothedCurve:
        """The curve that goes on behind values that were not read: nothing is smoothed across them."""
        return SmoothedCurve(earlier=filter(None, map(self.best, Direction)))

    @property
    def is_smoothed(self) -> bool:
        """Whether there are enough values for its best one to count beside others."""
        return bool(self.earlier) or len(self.points) > 2

    def add(self, value: float, step: int | None) -> None:
        self.total += value
        self.count += 1
        if self.count < self.stride:
            return
        self.points.append((self.total / self.count, step))
        self.total, self.count = 0.0, 0
        if len(self.points) == MAX_PARTS:
            self.points = _averaged(self.points, 2)
            self.stride *= 2

    def best(self, direction: Direction) -> Extreme | None:
        newest = smoothed_best(self.points, direction) if len(self.points) > 2 or not self.earlier else None
        extremes = [*self.earlier, *([] if newest is None else [newest])]
        choose = min if direction is Direction.MIN else max
        return choose(extremes, key=lambda extreme: extreme.value, default=None)


def _averaged(points: Sequence[_Point], size: int) -> list[_Point]:
    """Each `size` neighboring points as one, with the step of the last."""
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(value for value, _ in part) / len(part), part[-1][1]) for part in parts]


def smoothed_best(points: Sequence[_Point], direction: Direction) -> Extreme | None:
    """The best of the running medians of three (Tukey), so that no single dip is the best; None without points.

    More than `MAX_PARTS` points are averaged first. The first and the last value count no further than twice
    the step of their neighbors (Tukey's rule for ends). One or two values are taken as they are.
    """
    size = 1
    while len(points) >= MAX_PARTS * size:
        size *= 2
    points = _averaged(points, size) if size > 1 else points
    values = [value for value, _ in points]
    smooth = list(values)
    smooth[1:-1] = [_median(*values[index : index + 3]) for index in range(len(values) - 2)]
    if len(values) > 2:
        first = _median(values[0], smooth[1], 3 * smooth[1] - 2 * smooth[2])
        smooth[-1] = _median(values[-1], smooth[-2], 3 * smooth[-2] - 2 * smooth[-3])
        smooth[0] = first
    best = min(smooth, default=None) if direction is Direction.MIN else max(smooth, default=None)
    if best is None or not math.isfinite(best):  # there is no value, or the sum of huge ones overflowed
        return None
    return Extreme(best, points[smooth.index(best)][1])


def _median(first: float, second: float, third: float) -> float:
    return max(min(first, second), min(max(first, second), third))
