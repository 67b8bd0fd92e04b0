"""The statuses of a run and which may follow which."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.errors import IllegalTransition


class Status(StrEnum):
    """What a run is doing, in the words of the public interface."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    COMPLETED = "completed"  # ended by itself with exit code 0
    TIMEBOXED = "timeboxed"  # we ended it at its limit
    STOPPED = "stopped"  # a person or a rule of ours ended it
    FAILED = "failed"  # ended by itself, not with 0, or could not start
    LOST = "lost"  # runner and script are gone and nobody saw an exit status


ACTIVE = frozenset({Status.STARTING, Status.RUNNING, Status.PAUSED, Status.STOPPING})
ENDED = frozenset({Status.COMPLETED, Status.TIMEBOXED, Status.STOPPED, Status.FAILED, Status.LOST})
UNFINISHED = ACTIVE | {Status.QUEUED}

_FOLLOWERS: dict[Status, frozenset[Status]] = {
    # A queued run ends without having started when a person stops it or what it waits for failed.
    Status.QUEUED: frozenset({Status.STARTING, Status.STOPPED, Status.FAILED}),
    # Back to the queue: the runner never came to life, so nothing was executed.
    Status.STARTING: frozenset({Status.QUEUED, Status.RUNNING}) | ENDED,
    # Back to the queue: a retry or the next slice.
    Status.RUNNING: frozenset({Status.PAUSED, Status.STOPPING, Status.QUEUED}) | ENDED,
    Status.PAUSED: frozenset({Status.RUNNING, Status.STOPPING, Status.QUEUED}) | ENDED,
    Status.STOPPING: frozenset({Status.QUEUED}) | ENDED,
    # Only `resume` leaves an end.
    **dict.fromkeys(ENDED, frozenset({Status.QUEUED})),
}


def check_transition(old: Status, new: Status) -> None:
    """Says nothing where `new` may follow `old`.

    Raises:
        IllegalTransition: `new` may not follow `old`.
    """
    if new not in _FOLLOWERS[old]:
        raise IllegalTransition(old, new)
