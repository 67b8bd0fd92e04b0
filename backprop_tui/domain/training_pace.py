"""The pace of a training and its ETA, from its recent progress.

Time counts only while the script may run, so pauses are excluded. The pace is measured over a window, without gaps such
as a validation or a checkpoint. The ETA includes gaps if they recur.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

WINDOW_SECONDS = 120.0
MIN_POINTS = 8  # are kept, even if they are older
SPACING_SECONDS = 2.0  # points closer than this are merged
GAP_FACTOR = 3.0  # a unit that takes this many times the median is a gap
MIN_SECONDS = 3.0  # measured before there is an estimate
PRINTED_SECONDS = 60.0  # how long the script's own estimate is used after newer progress while the pace is unknown


@lazy_dataclass(frozen=True, slots=True)
class _Point:
    """A position, in steps or epochs, and the running seconds at which it was first seen."""

    at: float
    position: float


class PaceMeter:
    """Measures the pace of one attempt; `now` is its running time in seconds."""

    def __init__(self) -> None:
        self._points: deque[_Point] = deque()
        self._unit = ""
        self._first_gap_at: float | None = None  # the position behind the first gap
        self._last_gap_at = 0.0
        self._later_gaps = 0.0  # seconds that all gaps but the first took
        self._printed: tuple[float, float] | None = None  # an estimate of the script, and when it was printed

    def note(self, position: float, unit: str, now: float) -> None:
        """Adds a position; another unit, or a position before the last one, starts a new window."""
        points = self._points
        if unit != self._unit or (points and position < points[-1].position):
            points.clear()
            self._unit, self._first_gap_at, self._later_gaps = unit, None, 0.0
        if points and position == points[-1].position:
            return
        if (len(points) > 1 and now - points[-2].at < SPACING_SECONDS) or (points and now <= points[-1].at):
            points.pop()
        elif len(points) > 1:
            self._note_gap(points[-2], points[-1])
        points.append(_Point(now, position))
        while len(points) > MIN_POINTS and points[0].at < now - WINDOW_SECONDS:
            points.popleft()

    def _note_gap(self, before: _Point, after: _Point) -> None:
        """Remembers the newest finished interval if it was a gap."""
        pace, distance = self._unit_seconds(), after.position - before.position
        if pace is None or after.at - before.at <= GAP_FACTOR * pace * distance:
            return
        if self._first_gap_at is None:
            self._first_gap_at = after.position
        else:
            self._later_gaps += after.at - before.at - pace * distance
        self._last_gap_at = after.position

    def _gap_seconds(self) -> float:
        """Seconds per unit that recurring gaps take: those from the end of the first gap to the end of the last."""
        distance = 0.0 if self._first_gap_at is None else self._last_gap_at - self._first_gap_at
        return self._later_gaps / distance if distance > 0 else 0.0

    def note_printed(self, seconds: float, now: float) -> None:
        """Notes the time to the end that the script itself printed."""
        self._printed = seconds, now

    def step_seconds(self) -> float | None:
        """Seconds per step; None if too little was seen, or epochs are counted."""
        return self._unit_seconds() if self._unit == "step" else None

    def _unit_seconds(self) -> float | None:
        intervals = self._intervals()
        elapsed = sum(interval.at for interval in intervals)
        if elapsed < MIN_SECONDS or len(self._points) < (2 if self._unit == "epoch" else 3):
            return None
        return elapsed / sum(interval.position for interval in intervals)

    def seconds_left(self, total: float | None, now: float) -> float | None:
        """The time to `total` units, or what the script printed if that is recent; None if neither is known."""
        newest = self._points[-1].at if self._points else None
        pace = None if total is None else self._unit_seconds()
        if self._printed is not None:
            seconds, printed_at = self._printed
            left = seconds - (now - printed_at)
            is_newest = newest is None or newest <= printed_at
            if is_newest or (pace is None and total is not None and left > 0 and now - printed_at < PRINTED_SECONDS):
                return max(0.0, left)
        if total is None or pace is None or newest is None:
            return None
        # Count down no longer than the usual interval: then the training has stalled.
        since = min(now - newest, max(interval.at for interval in self._intervals()))
        return max(0.0, (total - self._points[-1].position) * (pace + self._gap_seconds()) - since)

    def _intervals(self) -> list[_Point]:
        """Durations and distances between neighboring points, without gaps."""
        points = list(self._points)
        pairs = pairwise(points)
        intervals = [_Point(after.at - before.at, after.position - before.position) for before, after in pairs]
        paces = sorted(interval.at / interval.position for interval in intervals)
        if not paces:
            return []
        median = paces[(len(paces) - 1) // 2]
        return [interval for interval in intervals if interval.at / interval.position <= GAP_FACTOR * median]
