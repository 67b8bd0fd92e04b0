"""Series of metrics with extremes, buckets for drawing and the best value."""

from __future__ import annotations

from typing import NamedTuple

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import Direction, direction_of, is_smoothed
from backprop_tui.domain.smoothed_curve import Extreme, SmoothedCurve


class Bucket(NamedTuple):
    """Consecutive values; `step` and `time` belong to the last one.

    `time` is ISO 8601. `step` counts values if the script prints no steps. `after_hole`: the value just before was NaN
    or infinite, or was not read.
    """

    step: float
    time: str
    least: float
    most: float
    mean: float
    last: float
    after_hole: bool = False


class Gap(NamedTuple):
    """Where values became NaN or infinite; step and time as in `Bucket`."""

    step: float
    time: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """One metric up to some moment; the extremes cover all values and are None if none was finite.

    `last` may be NaN or infinite. If there are many `holes`, only the first and the newest are kept. `skips` counts
    the parts of the output that were not read in between.
    """

    name: str
    buckets: tuple[Bucket, ...]
    count: int
    not_finite: int
    first: Extreme | None
    last: Extreme | None
    least: Extreme | None
    most: Extreme | None
    holes: tuple[Gap, ...] = ()
    skips: int = 0

    @property
    def best(self) -> Extreme | None:
        """The best value, of a training loss the best smoothed one; None if the name does not imply a direction."""
        return self.best_by(direction_of(self.name))

    def best_by(self, direction: Direction | None) -> Extreme | None:
        """As `best`, in a direction that is known from elsewhere."""
        if direction is None or self.least is None:
            return None
        if not is_smoothed(self.name):
            return self.least if direction is Direction.MIN else self.most
        has_steps = self.least.step is not None
        curve = SmoothedCurve()
        for bucket in self.buckets:
            if self.skips and bucket.after_hole:
                curve = curve.after_hole()
            curve.points.append((bucket.mean, int(bucket.step) if has_steps else None))
        return curve.best(direction)

    def drawn(self) -> list[tuple[float, float]]:
        """Points (step, value) of a curve that includes every minimum and maximum."""
        return [
            (bucket.step, value)
            for bucket in self.buckets
            for value in dict.fromkeys((bucket.least, bucket.most, bucket.last))
        ]
