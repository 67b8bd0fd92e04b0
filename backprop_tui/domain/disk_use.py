"""What a run writes to its disk, as its guardian measures it, and whether that disk will be full before it is done."""

from __future__ import annotations

import math

from backprop_tui.domain.save_pace import SavePace
from backprop_tui.domain.values import dataclass

MARGIN = 1.1  # of the time left: pauses, and saves that come sooner than usual
MOST_SAVES_AHEAD = 300  # are foretold from the last three: a burst of small saves at the start says nothing of hours
UNLIMITED_SECONDS = 12 * 3600.0  # so far is looked ahead for a run without a timebox


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """The file system that the checkpoints go to, by its mount point; `save_bytes` is the size of the newest one."""

    mount: str
    free_bytes: int
    save_bytes: int


def needed_bytes(pace: SavePace, save_bytes: int, seconds_left: float | None) -> int:
    """What a run may still write within its time: what its saves add, but room for one save at least.

    A run that keeps its last three adds nothing in the long run, and still writes the fourth before it deletes one.
    `seconds_left` None: it has no limit.
    """
    every, growth = pace.every_seconds, pace.bytes_per_save
    if every is None or growth is None:
        return save_bytes
    ahead = UNLIMITED_SECONDS if seconds_left is None else seconds_left * MARGIN
    saves = min(math.floor(max(0.0, ahead) / every), MOST_SAVES_AHEAD)
    return max(save_bytes, round(growth * saves))


def seconds_until_full(pace: SavePace, free_bytes: int, keeps_bytes: int) -> float | None:
    """When what is kept free is reached; None where that is never, or nobody knows."""
    every, growth = pace.every_seconds, pace.bytes_per_save
    if every is None or not growth:
        return None
    return max(0.0, free_bytes - keeps_bytes) / growth * every
