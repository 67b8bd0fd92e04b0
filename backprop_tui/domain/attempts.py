"""Maps wall times to the attempts of a run and to elapsed time."""

from __future__ import annotations

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Run


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimeline:
    """Start time of each attempt, and the total time spent between attempts before it; oldest first."""

    starts: tuple[float, ...] = ()
    idle: tuple[float, ...] = ()

    @classmethod
    def of(cls, run: Run | None) -> AttemptTimeline:
        """Builds the timeline of a run; it is empty for None."""
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
        """Index of the attempt that was running at `time`."""
        return max((index for index, start in enumerate(self.starts) if start <= time), default=0)

    def elapsed(self, time: float, *, idle: bool = False) -> float:
        """Seconds from the first start to `time`; time between attempts is excluded unless `idle` is set."""
        if not self.starts:
            return time
        return max(0.0, time - self.starts[0] - (0.0 if idle else self.idle[self.at(time)]))
