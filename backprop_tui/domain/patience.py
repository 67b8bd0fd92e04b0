"""How long the end of a run waits for the checkpoint that is due, so that what was computed since the last is kept."""

from __future__ import annotations

from backprop_tui.domain.save_pace import SavePace

NOTICED_SECONDS = 4.0  # from a save's last byte until it was seen to be whole and still
SPREAD_SHARE = 0.25  # of the interval: so irregular are saves
ASKED_SECONDS = 1800.0  # for the next checkpoint, where nobody knows when it comes


def patience_seconds(
    pace: SavePace, at: float, *, grace_seconds: float, is_saving: bool = False, asked: bool = False
) -> float:
    """Seconds that an end waits at most, at this second of the attempt; 0: it does not wait.

    `is_saving`: a checkpoint was seen being written. `asked`: somebody wants the next checkpoint whenever it comes;
    without that the wait is never longer than the grace.
    """
    due, every = pace.due_in(at), pace.every_seconds
    two_saves = None if every is None else 2 * (every + pace.takes_seconds) + NOTICED_SECONDS
    if asked:
        return ASKED_SECONDS if two_saves is None else two_saves
    if is_saving:
        # One file that is written over each second never stands still: waiting on would gain nothing.
        return grace_seconds if two_saves is None else min(grace_seconds, two_saves)
    if due is None or every is None or due > grace_seconds:
        return 0.0
    return min(grace_seconds, due + SPREAD_SHARE * every + NOTICED_SECONDS)
