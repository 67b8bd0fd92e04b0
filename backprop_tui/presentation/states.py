"""What the public status of a run means for its display: whether it is a problem, whether it is held back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backprop_tui.domain.causes.stops import REQUESTED_ENDS
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.status import Status

if TYPE_CHECKING:
    from backprop_tui.presentation.known_run import KnownRun

PROBLEM_STATUSES = frozenset({Status.FAILED, Status.LOST})


def is_problem(run: KnownRun) -> bool:
    """Whether the run ended in a way that needs attention: failed, lost, or stopped by a guard."""
    if run.status is not Status.STOPPED:
        return run.status in PROBLEM_STATUSES
    cause = run.record.get("cause") or {}
    return bool(cause) and cause.get("kind") not in REQUESTED_ENDS


def is_held_back(run: KnownRun) -> bool:
    """Whether the run is queued and more than the end of other runs is missing before it can start."""
    return run.status is Status.QUEUED and any(
        reason.get("check") != Check.DEPENDENCY for reason in run.record["hold_reasons"]
    )
