"""From the course of a metric to curves: its place on x by step or by running time, raw and smoothed, its y range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.columns import Bar
from backprop_tui.plotting.scale import Scale, middle_range, roomy
from backprop_tui.plotting.smoothing import smoothed
from backprop_tui.store.metrics import Bucket, Course
from backprop_tui.tui.charts.chart import Curve
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import numbers

_FIRST = 0.02  # of a curve, the steep beginning: it does not settle the range of y
_WORTH_SMOOTHING = 24  # points
Pieces = tuple[tuple[Bar, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """When each attempt of a run began, and how much time before it had passed between attempts; oldest first."""

    starts: tuple[float, ...] = ()
    idle: tuple[float, ...] = ()

    @classmethod
    def of(cls, run: Run | None) -> Attempts:
        """Those of a run."""
        starts: list[float] = []
        idle: list[float] = []
        total, ended = 0.0, None
        for attempt in () if run is None else run.attempts:
            total += max(0.0, attempt.started_at - ended) if ended is not None else 0.0
            starts.append(attempt.started_at)
            idle.append(total)
            ended = attempt.ended_at
        return cls(starts=tuple(starts), idle=tuple(idle))

    def elapsed(self, time: float) -> float:
        """Seconds from the first start to `time`, without those between attempts."""
        place = max((place for place, start in enumerate(self.starts) if start <= time), default=0)
        return max(0.0, time - self.starts[0] - self.idle[place]) if self.starts else time


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Where a bucket lies on x."""

    attempts: Attempts
    by_time: bool

    def place(self, bucket: Bucket) -> float:
        """Its step, or the seconds of running time."""
        return self.attempts.elapsed(seconds_of(bucket.time)) if self.by_time else bucket.step

    def restarts(self, course: Course) -> tuple[float, ...]:
        """Where each attempt but the first begins."""
        if self.by_time:
            return tuple(self.attempts.elapsed(start) for start in self.attempts.starts[1:])
        return tuple(bucket.step for _, bucket in around_restarts(course, self.attempts))


def seconds_of(time: str) -> float:
    """Since the epoch; 0 for what is no time."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0


def around_restarts(course: Course, attempts: Attempts) -> list[tuple[int, Bucket]]:
    """The first bucket of each attempt but the first, with its place; attempts that printed nothing have none."""
    found: list[tuple[int, Bucket]] = []
    starts = list(attempts.starts[1:])
    for place, bucket in enumerate(course.buckets if starts else ()):
        begun = [start for start in starts if start <= seconds_of(bucket.time)]
        if begun:
            starts = starts[len(begun) :]
            if place:
                found.append((place, bucket))
        if not starts:
            break
    return found


def curves_of(course: Course, axis: Axis, *, shape: Curve, stretches: int) -> list[Curve]:
    """The curve as `shape` says; where it is smoothed, the raw one too, faint and behind it."""
    raw = _pieces((axis.place(one), one.least, one.most) for one in course.buckets)
    size = len(course.buckets)
    if not stretches or size < _WORTH_SMOOTHING:
        return [replace(shape, pieces=raw)]
    weight = 1 - 1 / max(1.0, size / stretches)
    means = smoothed([one.mean for one in course.buckets], weight)
    smooth = _pieces((axis.place(one), mean, mean) for one, mean in zip(course.buckets, means, strict=True))
    behind = replace(shape, label="", value="", token=Token.FAINT, letter=".", faint=True, ends_in_letter=False)
    return [replace(behind, pieces=raw), replace(shape, pieces=smooth)]


def _pieces(bars: Iterable[Bar]) -> Pieces:
    """Another piece wherever x goes back: a resume from an earlier checkpoint."""
    pieces: list[list[Bar]] = [[]]
    for bar in bars:
        if pieces[-1] and bar[0] < pieces[-1][-1][0]:
            pieces.append([])
        pieces[-1].append(bar)
    return tuple(tuple(piece) for piece in pieces if piece)


def x_scale(courses: Sequence[Course], axis: Axis, *, total: float | None) -> Scale:
    """From the beginning to the planned end, or as far as it came."""
    places = [axis.place(one) for course in courses for one in course.buckets]
    if not places:
        return Scale(0.0, float(total or 1))
    high = max([*places, *([] if total is None or axis.by_time else [float(total)])])
    low = min(places)
    low = 0.0 if low >= 0 and low < high / 2 else low
    return Scale(low, high if high > low else low + 1)


def y_scale(courses: Sequence[Course], *, log: bool) -> Scale:
    """Where 98 % of the points lie that come after the first 2 %."""
    values: list[float] = []
    for course in courses:
        buckets = course.buckets
        for one in buckets[int(len(buckets) * _FIRST + 0.5) :]:
            values += (one.least, one.most)
    if log:
        values = [value for value in values if value > 0]
    if not values:
        return Scale(0.0, 1.0)
    low, high = middle_range(values)
    if log and low < high:
        return Scale(low, high, log=True)
    return Scale(*roomy(low, high))


def shown(course: Course) -> str:
    """Its last value."""
    return numbers.metric(None if course.last is None else course.last.value)
