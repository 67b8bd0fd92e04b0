"""Estimates how much a run will still write to its disk, and when that disk will be full."""

from __future__ import annotations

import math

from backprop_tui.domain.checkpoint_pace import CheckpointPace
from backprop_tui.domain.lazy_dataclass import lazy_dataclass

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
