"""The course of a metric on an axis: its places, its pieces raw and smoothed, the ranges of axes that it needs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from backprop_tui.domain.course import Bucket, Course
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.axis import Axis, around_restarts
from backprop_tui.plotting.by import By
from backprop_tui.plotting.columns import Bar
from backprop_tui.plotting.scale import Scale, middle_range, roomy
from backprop_tui.plotting.smoothing import smoothed

_FIRST = 0.02  # of a curve, the steep beginning: it does not settle the range of y
_WORTH_SMOOTHING = 24  # points
Pieces = tuple[tuple[Bar, ...], ...]
Window = tuple[float, float]  # the part of x that is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The pieces of a curve: what counts, what it was before it was smoothed, and what a later attempt did again."""

    pieces: Pieces
    raw: Pieces = ()
    redone: Pieces = ()


class Track:
    """Keeps what was worked out of it."""

    def __init__(self, course: Course, axis: Axis) -> None:
        self.course, self.axis = course, axis
        self.places: Sequence[float] = [axis.place(one) for one in course.buckets]
        self._is_sorted = all(one <= other for one, other in pairwise(self.places))
        self._drawn: dict[int, Drawn] = {}

    def nearest(self, place: float | None) -> Bucket | None:
        """The bucket nearest to a place on x, of several the newest; None for the newest of all."""
        buckets = self.course.buckets
        if not buckets or place is None:
            return buckets[-1] if buckets else None
        if not self._is_sorted:
            return buckets[min(range(len(buckets)), key=lambda number: (abs(self.places[number] - place), -number))]
        after = min(bisect_left(self.places, place), len(buckets) - 1)
        before = max(0, after - 1)
        return buckets[before if place - self.places[before] < self.places[after] - place else after]

    def drawn(self, stretches: int = 0) -> Drawn:
        """Smoothed over each of so many stretches of x; 0, or too few points, leaves the curve as it is."""
        if stretches not in self._drawn:
            self._drawn[stretches] = self._new_drawn(stretches)
        return self._drawn[stretches]

    def _new_drawn(self, stretches: int) -> Drawn:
        places, buckets = self.places, self.course.buckets
        spread = max(places) - min(places) if places else 0.0
        raw = [(place, one.least, one.most) for place, one in zip(places, buckets, strict=True)]
        holes = [one.after_hole for one in buckets]
        kept = [place <= limit for place, limit in zip(places, self._first_redone(), strict=True)]
        redone = _pieces(raw, holes, [not one for one in kept])
        if not stretches or len(places) < _WORTH_SMOOTHING or spread <= 0:
            return Drawn(pieces=_pieces(raw, holes, kept), redone=redone)
        means = smoothed(zip(places, (one.mean for one in buckets), strict=True), spread / stretches)
        smooth = [(place, mean, mean) for place, mean in zip(places, means, strict=True)]
        return Drawn(pieces=_pieces(smooth, holes, kept), raw=_pieces(raw, holes, kept), redone=redone)

    def _first_redone(self) -> list[float]:
        """For each bucket the place behind which a later attempt counts, since it went back to there."""
        limits = [float("inf")] * len(self.places)
        floor, end = float("inf"), len(self.places)
        for begin, _ in reversed(around_restarts(self.course, self.axis.attempts)):
            limits[begin:end] = [floor] * (end - begin)
            floor, end = min(floor, self.places[begin]), begin
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


class Tracks:
    """Gives the same track again while its course is the same, so that a key of the charts costs no new one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Track] = {}

    def of(self, course: Course, axis: Axis, *, run_id: str = "") -> Track:
        """The track of a metric of a run."""
        known = self._known.get((run_id, course.name))
        if known is None or known.course is not course or known.axis != axis:
            known = self._known[run_id, course.name] = Track(course, axis)
        return known


def x_scale(tracks: Iterable[Track], *, total: float | None = None) -> Scale:
    """From the beginning to the planned end in steps, or as far as it came."""
    found = list(tracks)
    places = [place for one in found if one.places for place in (min(one.places), max(one.places))]
    by_step = all(one.axis.by is By.STEP for one in found)
    planned = [] if total is None or not by_step else [float(total)]
    if not places:
        return Scale(0.0, max(planned, default=1.0))
    high, low = max([*places, *planned]), min(places)
    low = 0.0 if low >= 0 and low < high / 2 else low
    return Scale(low, high if high > low else low + 1)


def y_scale(tracks: Iterable[Track], *, log: bool, window: Window | None = None) -> Scale:
    """Where 98 % of the points lie that come after the first 2 %, or of those in the window."""
    values: list[float] = []
    for track in tracks:
        buckets: Sequence[Bucket] = track.course.buckets
        if window is None:
            shown = buckets[int(len(buckets) * _FIRST + 0.5) :]
        else:
            low, high = window
            shown = [one for one, place in zip(buckets, track.places, strict=True) if low <= place <= high]
        for one in shown:
            values += (one.least, one.most)
    if log:
        values = [value for value in values if value > 0]
    if not values:
        return Scale(0.0, 1.0)
    least, most = middle_range(values)
    if log and least < most:
        return Scale(least, most, log=True)
    return Scale(*roomy(least, most))
