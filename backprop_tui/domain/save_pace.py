"""How often a run saves, how long a save takes and what it adds to the disk: learned from its last few saves."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from backprop_tui.domain.values import dataclass

REMEMBERED = 3
OVERDUE_SHARE = 0.25  # of the interval: so much later than usual a save is still expected
ONE_SAVE_SHARE = 0.2  # of the longest interval: files that follow so soon are of one save, as a best beside a last one

FigureT = TypeVar("FigureT")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavePace:
    """Seconds are running seconds, pauses excluded; the newest of each row comes last.

    `last_at` is when the attempt saved last, counted from its start; None: not yet. `growth_bytes` is what each save
    left on the disk beyond what it replaced and what was deleted since the one before: of a run that keeps its last
    three, about 0.
    """

    last_at: float | None = None
    intervals: tuple[float, ...] = ()
    durations: tuple[float, ...] = ()
    growth_bytes: tuple[int, ...] = ()

    @property
    def every_seconds(self) -> float | None:
        """The usual time from save to save; None until there were two."""
        return sorted(self.intervals)[len(self.intervals) // 2] if self.intervals else None

    @property
    def takes_seconds(self) -> float:
        """The longest that one of the last saves was seen to take; 0 where each was over before it was seen.

        Never more than from save to save: what is written over all the time changes for longer than one save takes.
        """
        longest, every = max(self.durations, default=0.0), self.every_seconds
        return longest if every is None else min(longest, every)

    @property
    def bytes_per_save(self) -> float | None:
        """What one save adds to the disk; never negative, None until one was measured."""
        return max(0.0, sum(self.growth_bytes) / len(self.growth_bytes)) if self.growth_bytes else None

    def saved(self, at: float) -> SavePace:
        """A save that was noticed at this second of the attempt."""
        passed = None if self.last_at is None else at - self.last_at
        if passed is not None and passed <= 0:
            return self
        if passed is not None and passed < ONE_SAVE_SHARE * max(self.intervals, default=0.0):
            return replace(self, last_at=at)
        return replace(self, last_at=at, intervals=_with(self.intervals, passed))

    def measured(self, *, growth_bytes: int, duration: float | None) -> SavePace:
        """What a save was found to have left on the disk, and how long it was seen to be written."""
        return replace(
            self,
            growth_bytes=_with(self.growth_bytes, growth_bytes),
            durations=_with(self.durations, duration),
        )

    def next_attempt(self) -> SavePace:
        """What is known of the habits of a run when it starts again."""
        return replace(self, last_at=None)

    def due_in(self, at: float) -> float | None:
        """Seconds until the next save is over, at this second of the attempt; None where none is expected.

        A save that is a little late is due now; one that is far too late has been given up.
        """
        every = self.every_seconds
        if every is None or self.last_at is None:
            return None
        left = self.last_at + every + self.takes_seconds - at
        return None if left < -OVERDUE_SHARE * every else max(0.0, left)


def _with(row: tuple[FigureT, ...], figure: FigureT | None) -> tuple[FigureT, ...]:
    return row if figure is None else (*row, figure)[-REMEMBERED:]
