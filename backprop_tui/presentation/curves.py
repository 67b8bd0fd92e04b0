"""What curves say in text: the labels of their axes, which are round and short, and the gap to the validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from backprop_tui.domain.formatting import duration
from backprop_tui.domain.limits import GIGABYTE, MEGABYTE
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.plotting.axes import TIME_STEPS, Scale, XUnit, row_ticks, ticks
from backprop_tui.plotting.track import PlottedSeries, nearest_bar
from backprop_tui.presentation import numbers

FIGURES_MISSING = "figures missing"  # a part of the output was not read
_EXTRA_TICKS = 4
_COLUMNS_PER_LABEL = 11
SMOOTH_STRETCHES = 60  # the usual smoothing: over this part of a curve
_NEARBY = 0.05  # of x: values that are closer are compared
_ROWS_PER_LABEL = 3


class AxisUnit(StrEnum):
    """The quantity on an axis, which decides how its ticks are labeled."""

    STEPS = "steps"
    SECONDS = "seconds"  # since the start
    AGO = "ago"  # seconds before now, negative
    BEFORE_END = "before end"  # seconds before the end of a run, negative
    METRIC = "metric"
    PERCENT = "percent"
    GIGABYTES = "gigabytes"  # values are in bytes
    CELSIUS = "celsius"
    CORES = "cores"


X_UNITS = {XUnit.STEP: AxisUnit.STEPS, XUnit.TIME: AxisUnit.SECONDS, XUnit.CLOCK: AxisUnit.SECONDS}
_TIME_UNITS = (AxisUnit.SECONDS, AxisUnit.AGO, AxisUnit.BEFORE_END)
ZERO_LABELS = {AxisUnit.AGO: "now", AxisUnit.BEFORE_END: "end"}


def tick_labels(scale: Scale, unit: AxisUnit, most: int) -> list[tuple[float, str]]:
    """About `most` values on an axis with their labels."""
    if unit is AxisUnit.GIGABYTES:
        size = GIGABYTE if scale.high >= GIGABYTE else MEGABYTE
        in_units = Scale(scale.low / size, scale.high / size)
        return [(value * size, text) for value, text in tick_labels(in_units, AxisUnit.METRIC, most)]
    values: list[float] = []
    for count in range(most, most + _EXTRA_TICKS):  # a single label does not show the scale
        values = ticks(scale, count, steps=TIME_STEPS if unit in _TIME_UNITS else (), to_end=unit is AxisUnit.STEPS)
        if unit is AxisUnit.STEPS:
            values = [value for value in values if value == int(value)]
        if len(values) > 1:
            break
    labels: list[tuple[float, str]] = []
    for value, text in zip(values, _tick_texts(values, scale, unit), strict=True):
        if not labels or labels[-1][1] != text:
            labels.append((value, text))
    return labels


def column_labels(scale: Scale, unit: AxisUnit, width: int, end: int) -> list[tuple[int, str]]:
    """The labels of a horizontal axis of so many columns, with their first columns; none goes beyond `end`."""
    labels: list[tuple[int, str]] = []
    free = 0
    for value, text in tick_labels(scale, unit, max(2, width // _COLUMNS_PER_LABEL)):
        start = max(0, min(int(scale.share(value) * width) - len(text) // 2, width - len(text)))
        if unit in ZERO_LABELS and value == scale.low:
            start = 0
        if start >= free and start + len(text) <= end:
            labels.append((start, text))
            free = start + len(text) + 1
    return labels


def planned_text(planned: float | None, *, unicode: bool) -> str:
    """`60k ▸`: the planned end, which is beyond the axis."""
    return "" if planned is None else f"{numbers.compact_count(planned)} {'▸' if unicode else '>'}"


def _has_diverged(series: MetricSeries) -> bool:
    return series.last is not None and not math.isfinite(series.last.value)


def train_and_gap(*tracks: PlottedSeries, cursor: float | None = None) -> tuple[str, str]:
    """The smoothed training value at the step of the validation, and how much the validation is above it.

    The validation is that at the cursor, or the newest; its step is named if that is not close to the end. Both are
    empty without two tracks, without a training value nearby, or if a newest value is not finite.
    """
    if len(tracks) != 2 or (cursor is None and any(_has_diverged(track.series) for track in tracks)):
        return "", ""
    train, bucket = tracks[0].by_step, tracks[1].nearest(cursor)
    bar = None if bucket is None else nearest_bar(train.drawn(SMOOTH_STRETCHES).pieces, bucket.step)
    if bucket is None or bar is None:
        return "", ""
    last = max(train.positions)
    nearby = _NEARBY * (last - min(train.positions))
    if abs(bar[0] - bucket.step) > nearby:
        return "", ""
    smoothed = bar[1] / 2 + bar[2] / 2
    gap = numbers.difference(bucket.last - smoothed, bucket.last)
    return numbers.metric(smoothed), gap if last - bucket.step <= nearby else f"{gap} at {numbers.count(bucket.step)}"


def row_labels(scale: Scale, unit: AxisUnit, rows: int) -> tuple[Scale, dict[int, str]]:
    """The vertical axis to draw in so many rows, and the labels of rows, which count from the bottom.

    The axis of a metric is widened so that its labels are equally far apart.
    """
    widened, rowed = row_ticks(scale, rows) if unit is AxisUnit.METRIC else (scale, ())
    if rowed:
        texts = _tick_texts([value for _, value in rowed], widened, unit)
        return widened, {row: text for (row, _), text in zip(rowed, texts, strict=True)}
    labels = tick_labels(scale, unit, max(2, min(6, rows // _ROWS_PER_LABEL)))
    return scale, {min(rows - 1, int(max(0.0, scale.share(value)) * rows)): text for value, text in labels}


def _tick_texts(values: Sequence[float], scale: Scale, unit: AxisUnit) -> list[str]:
    if unit is AxisUnit.STEPS:
        return [numbers.compact_count(value) for value in values]
    if unit in _TIME_UNITS:
        return [ZERO_LABELS[unit] if value == 0 and unit in ZERO_LABELS else axis_duration(value) for value in values]
    if unit is AxisUnit.PERCENT:
        return [f"{value:.0f}%" for value in values]
    if scale.is_log and values and max(values) / max(min(values), 1e-300) >= 10:
        return [_power_of_ten_text(value) for value in values]
    return _decimal_texts(values)


def _power_of_ten_text(value: float) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e5 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _decimal_texts(values: Sequence[float]) -> list[str]:
    """As many decimals as distinguish the values; very small or large values are abbreviated."""
    if not values:
        return []
    largest = max(abs(value) for value in values)
    if largest and (largest < 1e-3 or largest >= 1e5):
        return [_abbreviated(value) for value in values]
    step = min((b - a for a, b in pairwise(values)), default=largest or 1.0)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if round(step, decimals) and abs(step - round(step, decimals)) > step * 1e-6:
        decimals += 1
    return [f"{value + 0.0:.{min(decimals, 6)}f}" for value in values]  # adding 0.0 makes -0 positive


def _abbreviated(value: float) -> str:
    if value == 0:
        return "0"
    if 1e5 <= abs(value) < 1e12:
        return numbers.compact_count(value)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def axis_duration(seconds: float) -> str:
    """A time on an axis: 0, 30s, -15m, 1h30m, 2d."""
    whole = round(abs(seconds))
    return ("-" if seconds < 0 else "") + duration(whole) if whole else "0"


def missing_text(names: Sequence[str]) -> str:
    """`figures missing of a, b`, for runs of whose output a part was not read; empty without any."""
    return f"{FIGURES_MISSING} of {', '.join(names)}" if names else ""
