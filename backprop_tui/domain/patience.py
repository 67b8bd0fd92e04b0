"""How long a stop waits for the next checkpoint, so that the work since the last one is not lost."""

from __future__ import annotations

from backprop_tui.domain.save_pace import SavePace

DETECTION_SECONDS = 4.0  # from the last byte of a save until it is recognised as complete
JITTER_SHARE = 0.25  # of the interval, because saves are irregular
REQUESTED_WAIT_SECONDS = 1800.0  # for a requested wait if the interval between saves is unknown


def patience_seconds(
    pace: SavePace, at: float, *, grace_seconds: float, is_saving: bool = False, asked: bool = False
) -> float:
    """Returns the longest time, in seconds, that a stop waits for a checkpoint; 0 means that it does not wait.

    Args:
        pace: How often the run saves.
        at: The current second of the attempt.
        grace_seconds: Limit of the wait unless `asked` is set.
        is_saving: A checkpoint is being written right now.
        asked: The user asked to stop after the next checkpoint, whenever that comes.
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
