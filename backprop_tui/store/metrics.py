"""The course of one metric over a run: its extremes, and buckets for drawing it, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from backprop_tui.domain.metric_names import less_is_better
from backprop_tui.domain.values import dataclass

MOST_BUCKETS = 2048  # then each two become one


class Extreme(NamedTuple):
    """A value and the step it was reached at; None where the script prints no steps."""

    value: float
    step: int | None


class Bucket(NamedTuple):
    """Values that came one after another: `step` and `time` are the last one's.

    `time` is ISO 8601, `step` counts values where the script prints no steps.
    """

    step: float
    time: str
    least: float
    most: float
    mean: float
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One metric as it was at some moment; the extremes are over all values, and None where none was finite."""

    name: str
    buckets: tuple[Bucket, ...]
    count: int
    not_finite: int
    first: Extreme | None
    last: Extreme | None
    least: Extreme | None
    most: Extreme | None

    @property
    def best(self) -> Extreme | None:
        """None where the name does not tell which way is better."""
        less = less_is_better(self.name)
        return None if less is None else self.least if less else self.most

    def drawn(self) -> list[tuple[float, float]]:
        """Points of a curve that shows each least and most."""
        return [(one.step, value) for one in self.buckets for value in dict.fromkeys((one.least, one.most, one.last))]


class Series:
    """Takes in the values of one metric."""

    __slots__ = ("_buckets", "_open", "_stride", "count", "first", "last", "least", "most", "name", "not_finite")

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.not_finite = 0
        self.first: Extreme | None = None
        self.last: Extreme | None = None
        self.least: Extreme | None = None
        self.most: Extreme | None = None
        self._buckets: list[Bucket] = []
        self._open: list[tuple[float, str, float]] = []  # of the bucket that is not full
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
        finite = [place for place, value in enumerate(values) if math.isfinite(value)]
        if len(finite) < len(values):
            self.not_finite += len(values) - len(finite)
            values, steps = [values[place] for place in finite], [steps[place] for place in finite]
            numbered, times = [numbered[place] for place in finite], [times[place] for place in finite]
        if values:
            self._take_extremes(values, steps)
            self._fill(list(zip(numbered, times, values, strict=True)))

    def _take_extremes(self, values: Sequence[float], steps: Sequence[int | None]) -> None:
        least, most = min(values), max(values)
        if self.first is None:
            self.first = Extreme(values[0], steps[0])
        if self.least is None or least < self.least.value:
            self.least = Extreme(least, steps[values.index(least)])
        if self.most is None or most > self.most.value:
            self.most = Extreme(most, steps[values.index(most)])

    def _fill(self, points: list[tuple[float, str, float]]) -> None:
        points = self._open + points
        start = 0
        while len(points) - start >= self._stride:
            self._buckets.append(_bucket(points[start : start + self._stride]))
            start += self._stride
            if len(self._buckets) >= MOST_BUCKETS:
                self._merge()
        self._open = points[start:]

    def _merge(self) -> None:
        """Each two buckets become one, but for those around a resume, where the step goes back."""
        merged: list[Bucket] = []
        waiting: Bucket | None = None
        for bucket in self._buckets:
            if waiting is None:
                waiting = bucket
            elif bucket.step < waiting.step:
                merged.append(waiting)
                waiting = bucket
            else:
                merged.append(_both(waiting, bucket))
                waiting = None
        self._buckets = merged if waiting is None else [*merged, waiting]
        self._stride *= 2

    def course(self) -> Course:
        """It as it is now."""
        buckets = [*self._buckets, _bucket(self._open)] if self._open else self._buckets
        return Course(
            name=self.name,
            buckets=tuple(buckets),
            count=self.count,
            not_finite=self.not_finite,
            first=self.first,
            last=self.last,
            least=self.least,
            most=self.most,
        )


def _bucket(points: Sequence[tuple[float, str, float]]) -> Bucket:
    step, time, last = points[-1]
    values = [value for _, _, value in points]
    mean = sum(values) / len(values)
    if not math.isfinite(mean):  # the sum was too large
        mean = sum(value / len(values) for value in values)
    return Bucket(step, time, min(values), max(values), mean, last)


def _both(one: Bucket, other: Bucket) -> Bucket:
    mean = one.mean / 2 + other.mean / 2
    return Bucket(other.step, other.time, min(one.least, other.least), max(one.most, other.most), mean, other.last)
