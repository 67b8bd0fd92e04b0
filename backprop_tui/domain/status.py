"""The statuses of a run and the allowed transitions between them."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.errors import IllegalTransition


class Status(StrEnum):
    """The status of a run, with the values of the public interface."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    COMPLETED = "completed"  # ended by itself with exit code 0
    TIMEBOXED = "timeboxed"  # stopped at the end of its timebox
    STOPPED = "stopped"  # stopped by a person or a guard
    FAILED = "failed"  # ended by itself with another exit code, or could not start
    LOST = "lost"  # ended, or was given up, and no process saw its exit status


ACTIVE = frozenset({Status.STARTING, Status.RUNNING, Status.PAUSED, Status.STOPPING})
ENDED = frozenset({Status.COMPLETED, Status.TIMEBOXED, Status.STOPPED, Status.FAILED, Status.LOST})
UNFINISHED = ACTIVE | {Status.QUEUED}

# Of the record. A pause or a stop in progress is in the live record only, so it is no transition.
_FOLLOWERS: dict[Status, frozenset[Status]] = {
    # A queued run ends without a start if a person stops it or its dependency failed.
    Status.QUEUED: frozenset({Status.STARTING, Status.STOPPED, Status.FAILED}),
    # Back to the queue: the guardian could not be started, so nothing was executed.
    Status.STARTING: frozenset({Status.QUEUED, Status.RUNNING}) | ENDED,
    # Back to the queue: a retry or the next slice.
    Status.RUNNING: frozenset({Status.QUEUED}) | ENDED,
    # Only `resume` does this.
    **dict.fromkeys(ENDED, frozenset({Status.QUEUED})),
}


def check_transition(old: Status, new: Status) -> None:
    """Raises IllegalTransition unless a record may change from `old` to `new`."""
    if new not in _FOLLOWERS.get(old, frozenset()):
        raise IllegalTransition(old, new)
