"""Axes: what x counts, mapping values to positions, and rounded tick values."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import Bucket, Gap, MetricSeries
from backprop_tui.domain.run import AttemptTimeline


class XUnit(StrEnum):
    """Steps; seconds within the run's attempts; or seconds since its first start, including those between attempts."""

    STEP = "step"
    TIME = "time"
    CLOCK = "clock"


_ROUND = (1.0, 2.0, 2.5, 5.0)
_ROUND_ENDS = frozenset(("1", "1.5", "2", "2.5", "3", "4", "5", "6", "8"))
TIME_STEPS = tuple(
    float(seconds)
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
)
_DAY = 86400.0
_MAX_PARTS = 6
_MAX_FLOAT = sys.float_info.max


@lazy_dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`; logarithmic if `log` is set and both are above 0."""

    low: float
    high: float
    log: bool = False

    @property
    def is_log(self) -> bool:
        """Whether a logarithmic axis is requested and possible."""
        return self.log and 0 < self.low < self.high

    def share(self, value: float) -> float:
        """Returns 0 for the low end, 1 for the high end, and values outside that range for values outside the axis."""
        if self.is_log:
            if value <= 0:
                return -math.inf
            return _share(math.log10(value), math.log10(self.low), math.log10(self.high))
        return _share(value, self.low, self.high)

    def value(self, share: float) -> float:
        if self.is_log:
            low, high = math.log10(self.low), math.log10(self.high)
            return float(10 ** (low + (high - low) * share))
        return self.low * (1 - share) + self.high * share


def _share(value: float, low: float, high: float) -> float:
    distance = high / 2 - low / 2  # halved, because the whole distance may overflow
    return (value / 2 - low / 2) / distance if distance > 0 else 0.5


def ticks(scale: Scale, most: int, *, steps: Sequence[float] = (), to_end: bool = False) -> list[float]:
    """Returns at most `most` round values on the axis.

    `steps` are the distances to choose from, by default 1, 2, 2.5, 5 and their multiples by powers of ten. With
    `to_end`, the end of an axis that starts at 0 is one of the ticks if it is round enough.
    """
    if most < 1 or not scale.high > scale.low or not math.isfinite(scale.high - scale.low):
        return []
    if scale.is_log and scale.high / scale.low >= 10:
        return _log_ticks(scale, most)
    step = _step_to_end(scale, most) if to_end else 0.0
    step = step or _step(scale, most, steps)
    if not 0 < step < math.inf or scale.low + step == scale.low:
        return []
    return [multiple * step for multiple in _multiples(scale, step)]


_FEWEST_ROWS, _FEW_ROWS, _MOST_LABELS = 4, 8, 6
_SMALLEST = sys.float_info.min * 1e20


def row_ticks(scale: Scale, rows: int) -> tuple[Scale, tuple[tuple[int, float], ...]]:
    """Widens a linear axis so that round values lie equally many rows apart; returns them with their rows.

    Rows count from the bottom. Without room for that, the axis stays as it is, without ticks.
    """
    span = scale.high - scale.low
    if scale.is_log or rows < _FEWEST_ROWS or not 0 < span < _MAX_FLOAT / 10:
        return scale, ()
    fitting: list[tuple[float, int, float, int]] = []  # span, rows between ticks, their distance, index of row 0
    for every in range(max(2, -(-rows // _MOST_LABELS)), max(2, rows // (3 if rows > _FEW_ROWS else 2)) + 1):
        for step in _round_steps(span * every / rows):
            unit = step / every
            first = math.floor(scale.low / unit + 0.5) if unit > _SMALLEST else 0
            if unit > _SMALLEST and (first - 0.5 + rows) * unit >= scale.high:
                fitting.append((unit * rows, every, step, first))
                break
    if not fitting:
        return scale, ()
    _, every, step, first = min(fitting)
    unit = step / every
    widened = Scale((first - 0.5) * unit, (first - 0.5 + rows) * unit)
    labels = tuple((row, (first + row) // every * step) for row in range(rows) if (first + row) % every == 0)
    # The range may be too small for floating-point numbers.
    return (widened, labels) if widened.low <= scale.low < widened.high and len(labels) > 1 else (scale, ())


def _multiples(scale: Scale, step: float) -> range:
    return range(math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9) + 1)


def _step_to_end(scale: Scale, most: int) -> float:
    """The smallest round distance that divides the axis evenly; 0 if there is none."""
    if scale.low != 0:
        return 0.0
    for parts in range(min(most - 1, _MAX_PARTS), 0, -1):
        step = scale.high / parts
        if f"{step:e}"[:8].rstrip("0").rstrip(".") in _ROUND_ENDS:
            return step
    return 0.0


def _step(scale: Scale, most: int, steps: Sequence[float]) -> float:
    """The smallest distance that gives at most `most` values."""
    for step in steps or _round_steps((scale.high - scale.low) / most):
        if step == 0 or len(_multiples(scale, step)) <= most:
            return step
    return _DAY * math.ceil((scale.high - scale.low) / _DAY / most)


def _round_steps(least: float) -> list[float]:
    """Round distances, starting with one that is certainly too small."""
    if least < sys.float_info.min * 100:
        return [0.0]
    power = 10.0 ** (math.floor(math.log10(least)) - 1)
    return [mantissa * power * factor for factor in (1, 10, 100, 1000) for mantissa in _ROUND]


def _log_ticks(scale: Scale, most: int) -> list[float]:
    """Values 1, 2 and 5 of each decade, or powers of ten if those are too many."""
    first, last = math.ceil(math.log10(scale.low) - 1e-9), math.floor(math.log10(scale.high) + 1e-9)
    room = 1 + 1e-9
    fine = [
        mantissa * 10.0**power
        for power in (range(first - 1, last + 1) if last - first <= most else ())
        for mantissa in (1, 2, 5)
        if scale.low / room <= mantissa * 10.0**power <= scale.high * room
    ]
    if 0 < len(fine) <= most:
        return fine
    every = max(1, -(-(last - first + 1) // most))
    return [10.0**power for power in range(first, last + 1, every)]


def trimmed_range(values: Sequence[float], *, share: float = 0.01) -> tuple[float, float]:
    """Returns the range of the values without the lowest and the highest `share`; with few values, of all of them."""
    ordered = sorted(values)
    cut = int(len(ordered) * share)
    return ordered[cut], ordered[-1 - cut]


def padded_range(low: float, high: float, *, share: float = 0.04) -> tuple[float, float]:
    """Returns the range with padding at both ends, also if it is empty."""
    if low == high:
        padding = abs(low) * 0.1 or 1.0
        return low - padding, high + padding
    padding = high * share - low * share
    return max(low - padding, -_MAX_FLOAT), min(high + padding, _MAX_FLOAT)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    attempts: AttemptTimeline
    by: XUnit = XUnit.STEP

    def place(self, bucket: Bucket | Gap) -> float:
        return bucket.step if self.by is XUnit.STEP else self.moment(parse_time(bucket.time))

    def moment(self, time: float) -> float:
        """Returns the position of a time (in seconds since the epoch) on a time axis."""
        return self.attempts.elapsed(time, idle=self.by is XUnit.CLOCK)

    def restarts(self, series: MetricSeries) -> tuple[tuple[int, float], ...]:
        """Returns the number and start position of each attempt except the first."""
        if self.by is not XUnit.STEP:
            return tuple((number, self.moment(start)) for number, start in enumerate(self.attempts.starts[1:], start=2))
        restarts = find_restarts(series, self.attempts)
        return tuple((self.attempts.at(parse_time(bucket.time)) + 1, bucket.step) for _, bucket in restarts)


@lru_cache(maxsize=1 << 14)  # the metrics of a log line share one time, and each paint parses it again
def parse_time(time: str) -> float:
    """Parses an ISO 8601 time into seconds since the epoch; 0 if it is invalid."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0


def find_restarts(series: MetricSeries, attempts: AttemptTimeline) -> list[tuple[int, Bucket]]:
    """Returns index and first bucket of each attempt except the first; attempts without output are skipped."""
    restarts: list[tuple[int, Bucket]] = []
    starts = list(attempts.starts[1:])
    for index, bucket in enumerate(series.buckets if starts else ()):
        started = [start for start in starts if start <= parse_time(bucket.time)]
        if started:
            starts = starts[len(started) :]
            if index:
                restarts.append((index, bucket))
        if not starts:
            break
    return restarts
