"""A metric on an axis: smoothed and raw segments, and the axis ranges it needs."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import pairwise

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import Bucket, MetricSeries
from backprop_tui.plotting.axes import Axis, Scale, XUnit, find_restarts, padded_range, trimmed_range
from backprop_tui.plotting.canvas import Bar


def moving_average(points: Sequence[tuple[float, float]], reach: float) -> list[float]:
    """Returns the moving average at each point; weights fall by a factor of e per `reach` on x, to both sides.

    Both sides count, so a falling curve is not drawn above its values. Values printed at uneven steps are smoothed
    evenly. When x goes back, as after a resume from an earlier checkpoint, the earlier side is the one at that x.
    A `reach` of 0 leaves the values unchanged.
    """
    means: list[float] = []
    mirrored = [(-x, value) for x, value in reversed(points)]
    sides = zip(_one_sided(points, reach), reversed(_one_sided(mirrored, reach)), strict=True)
    for (_, value), ((earlier, earlier_weight), (later, later_weight)) in zip(points, sides, strict=True):
        weight = 1.0 + earlier_weight + later_weight
        # A mean of the three, so nothing overflows.
        means.append(value / weight + earlier * (earlier_weight / weight) + later * (later_weight / weight))
    return means


def _one_sided(points: Sequence[tuple[float, float]], reach: float) -> list[tuple[float, float]]:
    """For each point mean and weight of those before it: an exponential mean that is weighted by distance."""
    before: list[tuple[float, float]] = []
    states: list[tuple[float, float, float]] = []  # x, mean and weight; later ones are dropped when x goes back
    previous_x = -math.inf
    for x, value in points:
        while x < previous_x and states and states[-1][0] >= x:
            states.pop()
        previous_x = x
        last_x, mean, weight = states[-1] if states else (x, value, 0.0)
        weight *= math.exp((last_x - x) / reach) if reach > 0 else 0.0
        before.append((mean, weight))
        weight += 1.0
        states.append((x, mean * (1.0 - 1.0 / weight) + value / weight, weight))
    return before


_IGNORED_START = 0.02  # share of a curve: its steep start does not count for the range of y
_MIN_SMOOTHED_POINTS = 24
_MAX_WINDOWS = 100  # whose ranges of y are kept
_MIN_POINTS_FOR_GAPS = 4
_GAP_FACTOR, _GAP_SECONDS = 8.0, 10.0
Pieces = tuple[tuple[Bar, ...], ...]
Window = tuple[float, float]  # the visible range of x


class Style(IntEnum):
    """How a curve is drawn, from the back to the front: later ones cover earlier ones."""

    BAND = 0  # a shade between the minima and maxima
    FAINT = 1
    LINE = 2
    POINTS = 3  # a dot for each value


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CurveParts:
    """The pieces of a curve: the valid ones, their raw values if smoothed, and those that a later attempt repeated."""

    pieces: Pieces
    raw: Pieces = ()
    redone: Pieces = ()

    @property
    def behind(self) -> list[tuple[Style, Pieces]]:
        """What is drawn behind the curve: the range of its raw values, and the repeated steps."""
        return [(style, pieces) for style, pieces in ((Style.BAND, self.raw), (Style.FAINT, self.redone)) if pieces]


def nearest_bar(pieces: Pieces, position: float) -> Bar | None:
    candidates: list[Bar] = []
    for piece in pieces:
        after = bisect_left(piece, position, key=lambda bar: bar[0])
        candidates += piece[max(0, after - 1) : after + 1]
    return min(candidates, key=lambda bar: abs(bar[0] - position), default=None)


class PlottedSeries:
    """A series on an axis; its curves are cached."""

    def __init__(self, series: MetricSeries, axis: Axis) -> None:
        self.series, self.axis = series, axis
        self.positions: Sequence[float] = [axis.place(bucket) for bucket in series.buckets]
        self._is_sorted = all(left <= right for left, right in pairwise(self.positions))
        self._by_step: PlottedSeries | None = None
        self._drawn: dict[int, CurveParts] = {}
        self._y_ranges: dict[tuple[bool, Window | None], tuple[float, float] | None] = {}

    @property
    def by_step(self) -> PlottedSeries:
        """The same series on an axis of steps."""
        if self.axis.by is XUnit.STEP:
            return self
        if self._by_step is None:
            self._by_step = PlottedSeries(self.series, Axis(attempts=self.axis.attempts))
        return self._by_step

    def nearest(self, position: float | None) -> Bucket | None:
        """Returns the bucket nearest to a position on x, the newest if there are several; for None the last bucket."""
        buckets = self.series.buckets
        if not buckets or position is None:
            return buckets[-1] if buckets else None
        if not self._is_sorted:
            distance = [(abs(x - position), -index) for index, x in enumerate(self.positions)]
            return buckets[-min(distance)[1]]
        after = min(bisect_left(self.positions, position), len(buckets) - 1)
        before = max(0, after - 1)
        return buckets[before if position - self.positions[before] < self.positions[after] - position else after]

    def drawn(self, stretches: int = 0) -> CurveParts:
        """Returns the curve, smoothed over each of `stretches` parts of x; with 0 or few points it is not smoothed."""
        if stretches not in self._drawn:
            self._drawn[stretches] = self._new_drawn(stretches)
        return self._drawn[stretches]

    def y_range(self, *, log: bool, window: Window | None) -> tuple[float, float] | None:
        """Returns the range of 98 % of the values after the first 2 %, or of those in the window; None without any.

        For a logarithmic axis, of the values above 0.
        """
        key = log, window
        if key not in self._y_ranges:
            if len(self._y_ranges) > _MAX_WINDOWS:
                self._y_ranges.clear()
            self._y_ranges[key] = self._new_y_range(log=log, window=window)
        return self._y_ranges[key]

    def _new_y_range(self, *, log: bool, window: Window | None) -> tuple[float, float] | None:
        buckets: Sequence[Bucket] = self.series.buckets
        if window is None:
            visible = buckets[int(len(buckets) * _IGNORED_START + 0.5) :]
        else:
            low, high = window
            visible = [bucket for bucket, x in zip(buckets, self.positions, strict=True) if low <= x <= high]
        values = [value for bucket in visible for value in (bucket.least, bucket.most) if value > 0 or not log]
        return trimmed_range(values) if values else None

    def _new_drawn(self, stretches: int) -> CurveParts:
        positions, buckets = self.positions, self.series.buckets
        spread = max(positions) - min(positions) if positions else 0.0
        raw = [(x, bucket.least, bucket.most) for x, bucket in zip(positions, buckets, strict=True)]
        gaps = self._gaps()
        valid = [x <= limit for x, limit in zip(positions, self._valid_limits(), strict=True)]
        redone = _pieces(raw, gaps, [not is_valid for is_valid in valid])
        if not stretches or len(positions) < _MIN_SMOOTHED_POINTS or spread <= 0:
            return CurveParts(pieces=_pieces(raw, gaps, valid), redone=redone)
        points = [(x, bucket.mean) for x, bucket in zip(positions, buckets, strict=True)]
        means = moving_average(points, spread / stretches)
        smooth = [(x, mean, mean) for x, mean in zip(positions, means, strict=True)]
        return CurveParts(pieces=_pieces(smooth, gaps, valid), raw=_pieces(raw, gaps, valid), redone=redone)

    def _gaps(self) -> list[bool]:
        """For each bucket whether the curve is interrupted before it: by values that are not finite, or in time.

        On an axis of time, a gap is an interval that is much longer than the usual one: a pause, a stop, a hang.
        """
        gaps = [bucket.after_hole for bucket in self.series.buckets]
        if self.axis.by is XUnit.STEP or len(gaps) < _MIN_POINTS_FOR_GAPS:
            return gaps
        intervals = [after - before for before, after in pairwise(self.positions)]
        longest = max(_GAP_SECONDS, _GAP_FACTOR * sorted(intervals)[len(intervals) // 2])
        return [gaps[0], *(gap or interval > longest for gap, interval in zip(gaps[1:], intervals, strict=True))]

    def _valid_limits(self) -> list[float]:
        """For each bucket the position after which it is superseded by a later attempt, which restarted there."""
        limits = [float("inf")] * len(self.positions)
        limit, end = float("inf"), len(self.positions)
        for start, _ in reversed(find_restarts(self.series, self.axis.attempts)):
            limits[start:end] = [limit] * (end - start)
            limit, end = min(limit, self.positions[start]), start
        limits[:end] = [limit] * end
        return limits


def _pieces(bars: Sequence[Bar], gaps: Sequence[bool], included: Sequence[bool]) -> Pieces:
    """Splits a curve at gaps, at bars that are not included, and wherever x goes back."""
    pieces: list[list[Bar]] = [[]]
    for bar, after_gap, is_included in zip(bars, gaps, included, strict=True):
        if pieces[-1] and (not is_included or after_gap or bar[0] < pieces[-1][-1][0]):
            pieces.append([])
        if is_included:
            pieces[-1].append(bar)
    return tuple(tuple(piece) for piece in pieces if piece)


class PlottedSeriesCache:
    """Keeps the plotted series, so that a key press in the charts does not compute them again."""

    def __init__(self) -> None:
        self._cache: dict[tuple[str, str], PlottedSeries] = {}

    def of(self, series: MetricSeries, axis: Axis, *, run_id: str = "") -> PlottedSeries:
        """Returns the plotted series of a run's metric, the same object while series and axis are unchanged."""
        track = self._cache.get((run_id, series.name))
        if track is None or track.series is not series or track.axis != axis:
            track = self._cache[run_id, series.name] = PlottedSeries(series, axis)
        return track


def x_scale(tracks: Iterable[PlottedSeries], *, total: float | None = None) -> Scale:
    """Returns the scale from the start to the planned end in steps (`total`), or to the last value."""
    tracks = list(tracks)
    ends = [x for track in tracks if track.positions for x in (min(track.positions), max(track.positions))]
    by_step = all(track.axis.by is XUnit.STEP for track in tracks)
    planned = [] if total is None or not by_step else [float(total)]
    if not ends:
        return Scale(0.0, max(planned, default=1.0))
    high, low = max([*ends, *planned]), min(ends)
    low = 0.0 if low >= 0 and low < high / 2 else low
    return Scale(low, high if high > low else low + 1)


def y_scale(tracks: Iterable[PlottedSeries], *, log: bool, window: Window | None = None) -> Scale:
    """Returns the scale for the ranges of the tracks; linear if there is nothing to show on a logarithmic one."""
    tracks = list(tracks)
    ranges = [values for track in tracks if (values := track.y_range(log=log, window=window)) is not None]
    if not ranges:
        return y_scale(tracks, log=False, window=window) if log else Scale(0.0, 1.0)
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if log and low < high:
        return Scale(low, high, log=True)
    return Scale(*padded_range(low, high))
