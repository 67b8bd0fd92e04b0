"""Where a step or a moment of a run lies on an axis, and where its attempts begin there."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.course import Bucket, Course, Hole
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.by import By


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
