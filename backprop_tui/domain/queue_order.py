"""The order of the queue: by priority, then first come, first served."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from backprop_tui.domain.run import Run


def sort_queue(queued: Iterable[Run]) -> list[Run]:
    """Sorts by priority, highest first, then by position, which is the time of queueing unless the run was moved."""
    return sorted(queued, key=lambda run: (-run.priority, run.position, run.id))


def move_in_queue(run: Run, queue: Sequence[Run], place: int) -> Run:
    """Returns the run moved to a place in the queue; it takes the priority of the run that it comes before.

    Args:
        run: A queued run.
        queue: The whole queue in order.
        place: The new place, counted from 1; a place past the end means the end.
    """
    others = [other for other in queue if other.id != run.id]
    index = max(0, min(place - 1, len(others)))
    before = others[index - 1] if index > 0 else None
    after = others[index] if index < len(others) else None
    if before is not None and (after is None or before.priority == run.priority != after.priority):
        return replace(run, priority=before.priority, position=before.position + 1)
    if after is None:
        return run
    if before is None or before.priority != after.priority:
        return replace(run, priority=after.priority, position=after.position - 1)
    return replace(run, priority=after.priority, position=(before.position + after.position) / 2)
