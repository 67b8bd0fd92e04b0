"""The series of one metric over a run: extremes, buckets for drawing, and the best value so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import less_is_better


class Extreme(NamedTuple):
    """A value and the step at which it was reached; `step` is None if the script prints no steps."""

    value: float
    step: int | None


class Bucket(NamedTuple):
    """Consecutive values; `step` and `time` belong to the last one.

    `time` is ISO 8601. `step` counts values if the script prints no steps. `after_hole`: the value just before was NaN
    or infinite.
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

    `last` may be NaN or infinite. If there are many `holes`, only the first and the newest are kept.
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

    @property
    def best(self) -> Extreme | None:
        """The best value; None if the name does not imply a direction."""
        lower = less_is_better(self.name)
        return None if lower is None else self.least if lower else self.most

    def drawn(self) -> list[tuple[float, float]]:
        """Points (step, value) of a curve that includes every minimum and maximum."""
        return [
            (bucket.step, value)
            for bucket in self.buckets
            for value in dict.fromkeys((bucket.least, bucket.most, bucket.last))
        ]


MAX_BEST_METRICS = 32  # limit of metrics kept: the record is rewritten every second
BestValues = Mapping[str, Extreme]

_direction = lru_cache(maxsize=512)(less_is_better)  # a log repeats the same names on every line


def update_best(best: dict[str, Extreme], metrics: Mapping[str, float], step: int | None) -> None:
    """Updates `best` in place with the values of one step; `step` is None if the script prints no steps."""
    for name, value in metrics.items():
        lower = _direction(name)
        if lower is None or not math.isfinite(value):
            continue
        previous = best.get(name)
        if previous is None:
            if len(best) < MAX_BEST_METRICS:
                best[name] = Extreme(value, step)
        elif value < previous.value if lower else value > previous.value:
            best[name] = Extreme(value, step)


def merge_best(earlier: BestValues, later: BestValues) -> BestValues:
    """Returns the better value of each metric; on a tie the earlier one."""
    if not later:
        return earlier
    merged = dict(earlier)
    for name, extreme in later.items():
        update_best(merged, {name: extreme.value}, extreme.step)
    return merged
