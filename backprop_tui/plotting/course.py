"""From the course of a metric to what is drawn of it: its places on x, pieces raw and smoothed, the ranges of axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from backprop_tui.domain.course import Bucket, Course, Hole
from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.by import By
from backprop_tui.plotting.columns import Bar
from backprop_tui.plotting.scale import Scale, middle_range, roomy
from backprop_tui.plotting.smoothing import smoothed

_FIRST = 0.02  # of a curve, the steep beginning: it does not settle the range of y
_WORTH_SMOOTHING = 24  # points
Pieces = tuple[tuple[Bar, ...], ...]
Window = tuple[float, float]  # the part of x that is shown


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

    def at(self, time: float) -> int:
        """The place of the attempt that was at work then."""
        return max((place for place, start in enumerate(self.starts) if start <= time), default=0)

    def elapsed(self, time: float, *, idle: bool = False) -> float:
        """Seconds from the first start to `time`; without those between attempts, unless `idle`."""
        if not self.starts:
            return time
        return max(0.0, time - self.starts[0] - (0.0 if idle else self.idle[self.at(time)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Where a bucket lies on x."""

    attempts: Attempts
    by: By = By.STEP

    def place(self, bucket: Bucket | Hole) -> float:
        """Its step, or its seconds."""
        return bucket.step if self.by is By.STEP else self.moment(seconds_of(bucket.time))

    def moment(self, time: float) -> float:
        """Where a time lies that is known in seconds since the epoch, on an axis of time."""
        return self.attempts.elapsed(time, idle=self.by is By.CLOCK)

    def restarts(self, course: Course) -> tuple[tuple[int, float], ...]:
        """The number of each attempt but the first, and where it begins."""
        if self.by is not By.STEP:
            return tuple((place, self.moment(start)) for place, start in enumerate(self.attempts.starts[1:], start=2))
        found = around_restarts(course, self.attempts)
        return tuple((self.attempts.at(seconds_of(one.time)) + 1, one.step) for _, one in found)


@lru_cache(maxsize=1 << 14)  # the metrics of one line of a log have one time, and each paint asks for it again
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The pieces of a curve: what counts, what it was before it was smoothed, and what a later attempt did again."""

    pieces: Pieces
    raw: Pieces = ()
    redone: Pieces = ()


def drawn(course: Course, axis: Axis, *, stretches: int = 0) -> Drawn:
    """Smoothed over each of so many stretches of x; 0, or too few points, leaves the curve as it is."""
    places = [axis.place(one) for one in course.buckets]
    first_redone = _first_redone(course, axis, places)
    spread = max(places) - min(places) if places else 0.0
    raw = [(place, one.least, one.most) for place, one in zip(places, course.buckets, strict=True)]
    holes = [one.after_hole for one in course.buckets]
    kept = [place <= limit for place, limit in zip(places, first_redone, strict=True)]
    redone = _pieces(raw, holes, [not one for one in kept])
    if not stretches or len(places) < _WORTH_SMOOTHING or spread <= 0:
        return Drawn(pieces=_pieces(raw, holes, kept), redone=redone)
    means = smoothed(zip(places, (one.mean for one in course.buckets), strict=True), spread / stretches)
    smooth = [(place, mean, mean) for place, mean in zip(places, means, strict=True)]
    return Drawn(pieces=_pieces(smooth, holes, kept), raw=_pieces(raw, holes, kept), redone=redone)


def _first_redone(course: Course, axis: Axis, places: Sequence[float]) -> list[float]:
    """For each bucket the place behind which a later attempt counts, since it went back to there."""
    limits = [float("inf")] * len(places)
    floor, end = float("inf"), len(places)
    for begin, _ in reversed(around_restarts(course, axis.attempts)):
        limits[begin:end] = [floor] * (end - begin)
        floor, end = min(floor, places[begin]), begin
    limits[:end] = [floor] * end
    return limits


def _pieces(bars: Sequence[Bar], holes: Sequence[bool], wanted: Sequence[bool]) -> Pieces:
    """Another piece behind each hole, behind what is not wanted, and wherever x goes back."""
    pieces: list[list[Bar]] = [[]]
    for bar, after_hole, is_wanted in zip(bars, holes, wanted, strict=True):
        if pieces[-1] and (not is_wanted or after_hole or bar[0] < pieces[-1][-1][0]):
            pieces.append([])
        if is_wanted:
            pieces[-1].append(bar)
    return tuple(tuple(piece) for piece in pieces if piece)


def x_scale(courses: Iterable[Course], axis: Axis, *, total: float | None = None) -> Scale:
    """From the beginning to the planned end, or as far as it came."""
    return scale_to([axis.place(one) for course in courses for one in course.buckets], axis, total=total)


def scale_to(places: Sequence[float], axis: Axis, *, total: float | None = None) -> Scale:
    """As `x_scale`, of places that are known."""
    planned = [] if total is None or axis.by is not By.STEP else [float(total)]
    if not places:
        return Scale(0.0, max(planned, default=1.0))
    high, low = max([*places, *planned]), min(places)
    low = 0.0 if low >= 0 and low < high / 2 else low
    return Scale(low, high if high > low else low + 1)


def y_scale(courses: Iterable[tuple[Course, Axis]], *, log: bool, window: Window | None = None) -> Scale:
    """Where 98 % of the points lie that come after the first 2 %, or of those in the window."""
    values: list[float] = []
    for course, axis in courses:
        buckets = course.buckets
        if window is None:
            shown = buckets[int(len(buckets) * _FIRST + 0.5) :]
        else:
            shown = tuple(one for one in buckets if window[0] <= axis.place(one) <= window[1])
        for one in shown:
            values += (one.least, one.most)
    if log:
        values = [value for value in values if value > 0]
    if not values:
        return Scale(0.0, 1.0)
    low, high = middle_range(values)
    if log and low < high:
        return Scale(low, high, log=True)
    return Scale(*roomy(low, high))


def nearest(course: Course, axis: Axis, place: float | None) -> Bucket | None:
    """The bucket nearest to a place on x, of several the newest; None for the newest of all."""
    if not course.buckets:
        return None
    if place is None:
        return course.buckets[-1]
    return min(reversed(course.buckets), key=lambda one: abs(axis.place(one) - place))
