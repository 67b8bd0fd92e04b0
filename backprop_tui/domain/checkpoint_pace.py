"""How often a run saves: how long a stop waits for the next checkpoint, and when the disk will be full."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

HISTORY_LENGTH = 3
OVERDUE_SHARE = 0.25  # a save that is late by up to this share of the interval is still expected
SAME_SAVE_SHARE = 0.2  # of the longest interval: files that follow so soon belong to one save, like "best" and "last"

NumberT = TypeVar("NumberT")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPace:
    """Measurements of the last saves, the newest last; seconds are running seconds, without pauses.

    `last_at` is the time of the attempt's last save, counted from its start; None if it has not saved yet.
    `growth_bytes` is what each save added to the disk, less what was replaced or deleted since the save before: about
    0 for a run that keeps only its last three checkpoints.
    """

    last_at: float | None = None
    intervals: tuple[float, ...] = ()
    durations: tuple[float, ...] = ()
    growth_bytes: tuple[int, ...] = ()

    @property
    def every_seconds(self) -> float | None:
        """The usual time from save to save; None until there have been two saves."""
        return sorted(self.intervals)[len(self.intervals) // 2] if self.intervals else None

    @property
    def takes_seconds(self) -> float:
        """The longest duration of the last saves; 0 if each was complete when it was noticed.

        Limited to the interval between saves, because a file that is overwritten all the time never looks complete.
        """
        longest, every = max(self.durations, default=0.0), self.every_seconds
        return longest if every is None else min(longest, every)

    @property
    def bytes_per_save(self) -> float | None:
        """What one save adds to the disk; never negative, None until one has been measured."""
        return max(0.0, sum(self.growth_bytes) / len(self.growth_bytes)) if self.growth_bytes else None

    def saved(self, at: float) -> CheckpointPace:
        """Adds a save that was noticed at this second of the attempt."""
        interval = None if self.last_at is None else at - self.last_at
        if interval is not None and interval <= 0:
            return self
        if interval is not None and interval < SAME_SAVE_SHARE * max(self.intervals, default=0.0):
            return replace(self, last_at=at)
        return replace(self, last_at=at, intervals=_appended(self.intervals, interval))

    def measured(self, *, growth_bytes: int, duration: float | None) -> CheckpointPace:
        return replace(
            self, growth_bytes=_appended(self.growth_bytes, growth_bytes), durations=_appended(self.durations, duration)
        )

    def next_attempt(self) -> CheckpointPace:
        return replace(self, last_at=None)

    def due_in(self, at: float) -> float | None:
        """Seconds until the next save is complete, at this second of the attempt; None if none is expected.

        A save that is a little late is due now; one that is far too late is no longer expected.
        """
        every = self.every_seconds
        if every is None or self.last_at is None:
            return None
        remaining = self.last_at + every + self.takes_seconds - at
        return None if remaining < -OVERDUE_SHARE * every else max(0.0, remaining)


def _appended(history: tuple[NumberT, ...], value: NumberT | None) -> tuple[NumberT, ...]:
    return history if value is None else (*history, value)[-HISTORY_LENGTH:]


DETECTION_SECONDS = 4.0  # from the last byte of a save until it is recognized as complete
JITTER_SHARE = 0.25  # of the interval, because saves are irregular
REQUESTED_WAIT_SECONDS = 1800.0  # for a requested wait if the interval between saves is unknown


def checkpoint_wait_seconds(
    pace: CheckpointPace, at: float, *, grace_seconds: float, is_saving: bool = False, asked: bool = False
) -> float:
    """Returns the longest time, in seconds, that a stop at second `at` of the attempt waits for a checkpoint; or 0.

    `is_saving`: a checkpoint is being written right now. `asked`: the user asked to stop after the next checkpoint,
    whenever that comes; otherwise `grace_seconds` limits the wait.
    """
    due, every = pace.due_in(at), pace.every_seconds
    two_saves = None if every is None else 2 * (every + pace.takes_seconds) + DETECTION_SECONDS
    if asked:
        return REQUESTED_WAIT_SECONDS if two_saves is None else two_saves
    if is_saving:
        # A single file that is overwritten every second never becomes stable, so waiting longer gains nothing.
        return grace_seconds if two_saves is None else min(grace_seconds, two_saves)
    if due is None or every is None or due > grace_seconds:
        return 0.0
    return min(grace_seconds, due + JITTER_SHARE * every + DETECTION_SECONDS)


TIME_MARGIN = 1.1  # factor on the time left, for pauses and for saves that come sooner than usual
MAX_SAVES_AHEAD = 300  # a burst of small saves at the start says nothing about the hours to come
UNLIMITED_LOOKAHEAD_SECONDS = 12 * 3600.0  # for a run without a timebox


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """The file system of a run's checkpoints; `save_bytes` is the size of the newest checkpoint."""

    mount: str
    free_bytes: int
    save_bytes: int


def needed_bytes(pace: CheckpointPace, save_bytes: int, seconds_left: float | None) -> int:
    """Bytes that a run may still write within its time: the growth of its saves, but at least one save.

    A run that keeps its last three checkpoints does not grow, but writes the fourth before it deletes the first.
    `seconds_left` is None for a run without a timebox.
    """
    every, growth = pace.every_seconds, pace.bytes_per_save
    if every is None or growth is None:
        return save_bytes
    ahead = UNLIMITED_LOOKAHEAD_SECONDS if seconds_left is None else seconds_left * TIME_MARGIN
    saves = min(math.floor(max(0.0, ahead) / every), MAX_SAVES_AHEAD)
    return max(save_bytes, round(growth * saves))


def seconds_until_full(pace: CheckpointPace, free_bytes: int, reserve_bytes: int) -> float | None:
    """Seconds until only `reserve_bytes` are free; None if the run does not grow or its growth is unknown."""
    every, growth = pace.every_seconds, pace.bytes_per_save
    if every is None or not growth:
        return None
    return max(0.0, free_bytes - reserve_bytes) / growth * every
