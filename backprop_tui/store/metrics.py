"""Takes in the values of one metric: its extremes, and buckets for drawing it, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from backprop_tui.domain.course import Bucket, Course, Extreme, Hole

MOST_BUCKETS = 2048  # then each two become one
_CROWDED = MOST_BUCKETS * 3 // 4  # so many left: what must stay apart is joined too, for memory is bounded
_MOST_HOLES = 64  # then those in the middle are forgotten

_Point = tuple[float, str, float]


class Series:
    """Takes in the values of one metric."""

    __slots__ = (
        "_buckets",
        "_holes",
        "_in_hole",
        "_marks_next",
        "_open",
        "_stride",
        "count",
        "first",
        "last",
        "least",
        "most",
        "name",
        "not_finite",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.not_finite = 0
        self.first: Extreme | None = None
        self.last: Extreme | None = None
        self.least: Extreme | None = None
        self.most: Extreme | None = None
        self._buckets: list[Bucket] = []
        self._open: list[_Point] = []  # of the bucket that is not full
        self._holes: list[Hole] = []
        self._in_hole = False  # whether the newest value was not finite
        self._marks_next = False  # whether the next bucket follows a hole
        self._stride = 1

    def add(self, value: float, step: int | None, time: str = "") -> None:
        """The next value."""
        self.extend([value], [step], [time])

    def extend(self, values: Sequence[float], steps: Sequence[int | None], times: Sequence[str]) -> None:
        """The next values; as many of each."""
        if not values:
            return
        numbered = [self.count + place if step is None else float(step) for place, step in enumerate(steps, start=1)]
        self.count += len(values)
        self.last = Extreme(values[-1], steps[-1])
        for start, end, finite in _stretches(values):
            if finite:
                self._take_extremes(values[start:end], steps[start:end])
                self._fill(list(zip(numbered[start:end], times[start:end], values[start:end], strict=True)))
            else:
                self.not_finite += end - start
                self._interrupt(Hole(numbered[start], times[start]))

    def _interrupt(self, hole: Hole) -> None:
        """The curve ends here; what comes next begins another piece."""
        if self._in_hole:
            return
        self._in_hole = True
        self._holes.append(hole)
        if len(self._holes) > _MOST_HOLES:
            del self._holes[_MOST_HOLES // 2]
        if self._open:
            self._close(self._open)
            self._open = []
        self._marks_next = bool(self._buckets)

    def _take_extremes(self, values: Sequence[float], steps: Sequence[int | None]) -> None:
        least, most = min(values), max(values)
        if self.first is None:
            self.first = Extreme(values[0], steps[0])
        if self.least is None or least < self.least.value:
            self.least = Extreme(least, steps[values.index(least)])
        if self.most is None or most > self.most.value:
            self.most = Extreme(most, steps[values.index(most)])

    def _fill(self, points: list[_Point]) -> None:
        self._in_hole = False
        points = self._open + points
        start = 0
        while len(points) - start >= self._stride:
            end = start + self._stride
            self._close(points[start:end])
            start = end
        self._open = points[start:]

    def _close(self, points: Sequence[_Point]) -> None:
        self._buckets.append(_bucket(points, after_hole=self._marks_next))
        self._marks_next = False
        if len(self._buckets) >= MOST_BUCKETS:
            kept = _merged(self._buckets, apart=True)
            self._buckets = kept if len(kept) < _CROWDED else _merged(self._buckets, apart=False)
            self._stride *= 2

    def course(self) -> Course:
        """It as it is now."""
        buckets = [*self._buckets, _bucket(self._open, after_hole=self._marks_next)] if self._open else self._buckets
        return Course(
            name=self.name,
            buckets=tuple(buckets),
            count=self.count,
            not_finite=self.not_finite,
            first=self.first,
            last=self.last,
            least=self.least,
            most=self.most,
            holes=tuple(self._holes),
        )


def _stretches(values: Sequence[float]) -> Iterator[tuple[int, int, bool]]:
    """Beginning and end of each stretch of values that are all finite, or all not."""
    start = 0
    for finite, group in groupby(map(math.isfinite, values)):
        end = start + sum(1 for _ in group)
        yield start, end, finite
        start = end


def _merged(buckets: Sequence[Bucket], *, apart: bool) -> list[Bucket]:
    """Each two become one; with `apart` those around a hole or a resume do not, where the step goes back."""
    merged: list[Bucket] = []
    waiting: Bucket | None = None
    for bucket in buckets:
        if waiting is None:
            waiting = bucket
        elif apart and (bucket.after_hole or bucket.step < waiting.step):
            merged.append(waiting)
            waiting = bucket
        else:
            merged.append(_both(waiting, bucket))
            waiting = None
    return merged if waiting is None else [*merged, waiting]


def _bucket(points: Sequence[_Point], *, after_hole: bool) -> Bucket:
    step, time, last = points[-1]
    values = [value for _, _, value in points]
    mean = sum(values) / len(values)
    if not math.isfinite(mean):  # the sum was too large
        mean = sum(value / len(values) for value in values)
    return Bucket(step, time, min(values), max(values), mean, last, after_hole)


def _both(one: Bucket, other: Bucket) -> Bucket:
    mean = one.mean / 2 + other.mean / 2
    least, most = min(one.least, other.least), max(one.most, other.most)
    return Bucket(other.step, other.time, least, most, mean, other.last, one.after_hole)
