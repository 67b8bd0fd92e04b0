"""Maps the steps and times of a run to positions on an x axis, and finds where its attempts start there."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.course import Bucket, Course, Hole
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.by import By


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An x axis in steps or seconds."""

    attempts: Attempts
    by: By = By.STEP

    def place(self, bucket: Bucket | Hole) -> float:
        """Returns the position of a bucket: its step, or its seconds."""
        return bucket.step if self.by is By.STEP else self.moment(seconds_of(bucket.time))

    def moment(self, time: float) -> float:
        """Returns the position of a time (in seconds since the epoch) on a time axis."""
        return self.attempts.elapsed(time, idle=self.by is By.CLOCK)

    def restarts(self, course: Course) -> tuple[tuple[int, float], ...]:
        """Returns the number and start position of each attempt except the first."""
        if self.by is not By.STEP:
            return tuple((number, self.moment(start)) for number, start in enumerate(self.attempts.starts[1:], start=2))
        restarts = around_restarts(course, self.attempts)
        return tuple((self.attempts.at(seconds_of(bucket.time)) + 1, bucket.step) for _, bucket in restarts)


@lru_cache(maxsize=1 << 14)  # the metrics of a log line share one time, and each paint parses it again
def seconds_of(time: str) -> float:
    """Parses an ISO 8601 time into seconds since the epoch; 0 if it is invalid."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0


def around_restarts(course: Course, attempts: Attempts) -> list[tuple[int, Bucket]]:
    """Returns index and first bucket of each attempt except the first; attempts without output are skipped."""
    restarts: list[tuple[int, Bucket]] = []
    starts = list(attempts.starts[1:])
    for index, bucket in enumerate(course.buckets if starts else ()):
        started = [start for start in starts if start <= seconds_of(bucket.time)]
        if started:
            starts = starts[len(started) :]
            if index:
                restarts.append((index, bucket))
        if not starts:
            break
    return restarts
