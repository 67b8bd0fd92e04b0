"""When the attempts of a run were at work, for telling what belongs to which, and at what running time."""

from __future__ import annotations

from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass


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
