"""From values to a share of an axis and back, and round values to label it at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
SEXAGESIMAL = tuple(
    float(seconds)
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
)
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`, by its logarithm where `log` is set and both are above 0."""

    low: float
    high: float
    log: bool = False

    @property
    def is_log(self) -> bool:
        """Whether a logarithm is possible and wanted."""
        return self.log and 0 < self.low < self.high

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high end, beyond that outside. Halved first: a distance may be too large."""
        if self.is_log:
            if value <= 0:
                return -math.inf
            return _share(math.log10(value), math.log10(self.low), math.log10(self.high))
        return _share(value, self.low, self.high)

    def value(self, share: float) -> float:
        """The inverse of `share`."""
        if self.is_log:
            low, high = math.log10(self.low), math.log10(self.high)
            return float(10 ** (low + (high - low) * share))
        return self.low * (1 - share) + self.high * share


def _share(value: float, low: float, high: float) -> float:
    distance = high / 2 - low / 2
    return (value / 2 - low / 2) / distance if distance > 0 else 0.5


def ticks(scale: Scale, most: int, *, steps: Sequence[float] = ()) -> list[float]:
    """At most `most` round values of the axis; `steps` are the distances to choose from, else 1, 2, 2.5 and 5."""
    if most < 1 or not scale.high > scale.low or not math.isfinite(scale.high - scale.low):
        return []
    if scale.is_log and scale.high / scale.low >= 10:
        return _decades(scale, most)
    step = _step(scale.high - scale.low, most, steps)
    if step <= 0 or scale.low + step == scale.low:
        return []
    first = math.ceil(scale.low / step - 1e-9)
    return [place * step for place in range(first, math.floor(scale.high / step + 1e-9) + 1)][:most]


def _step(span: float, most: int, steps: Sequence[float]) -> float:
    """The least distance that gives no more than `most` values."""
    least = span / most
    for step in steps:
        if step >= least:
            return step
    if steps:
        return _DAY * math.ceil(least / _DAY)
    power = 10.0 ** math.floor(math.log10(least))
    return next(one * power for one in _ROUND if one * power >= least * (1 - 1e-9))


def _decades(scale: Scale, most: int) -> list[float]:
    first, last = math.ceil(math.log10(scale.low) - 1e-9), math.floor(math.log10(scale.high) + 1e-9)
    every = max(1, -(-(last - first + 1) // most))
    return [10.0**power for power in range(first, last + 1, every)]


def middle_range(values: Sequence[float], *, share: float = 0.01) -> tuple[float, float]:
    """Where all values but the lowest and the highest `share` lie; of few values, all of them."""
    ordered = sorted(values)
    cut = int(len(ordered) * share)
    return ordered[cut], ordered[-1 - cut]


def roomy(low: float, high: float, *, share: float = 0.04) -> tuple[float, float]:
    """A range with some room at both ends, also where it has no extent."""
    if low == high:
        around = abs(low) * 0.1 or 1.0
        return low - around, high + around
    room = high * share - low * share
    return max(low - room, -1.7e308), min(high + room, 1.7e308)
