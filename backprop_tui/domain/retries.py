"""Decides whether a failed attempt is retried automatically: only if a retry can help, with increasing delays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backprop_tui.domain.run import Attempt, Cause
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass

BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 300.0
QUICK_SECONDS = 10.0  # of running time: a script that fails so soon has done no work
MAX_QUICK_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Again:
    """Retry after a delay; `number` counts the retries from 1."""

    number: int
    backoff_seconds: float


@dataclass(frozen=True, slots=True)
class NotAgain:
    """No retry although retries are left, and why."""

    reason: str


def decide_retry(attempts: Sequence[Attempt], cause: Cause | None, retries: int) -> Again | NotAgain | None:
    """Decides what follows a failure; returns None if no retry is left or none was requested.

    Args:
        attempts: All attempts of the run, the failed one last.
        cause: Why it failed; None if unknown, in which case a retry may help.
        retries: How many retries the run has.
    """
    failures = _count_newest_failures(attempts, lambda _: True)
    if failures > retries:
        return None
    if cause is not None and not cause.retryable:
        return NotAgain(f"not retried: {cause.kind.replace('_', ' ')} would happen again")
    if _count_newest_failures(attempts, lambda attempt: attempt.running_seconds < QUICK_SECONDS) >= MAX_QUICK_FAILURES:
        return NotAgain(f"not retried: it failed within {QUICK_SECONDS:.0f} s twice")
    return Again(failures, min(BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16), LONGEST_BACKOFF_SECONDS))


def _count_newest_failures(attempts: Sequence[Attempt], matches: Callable[[Attempt], bool]) -> int:
    """Counts matching failures in a row, newest first, back to the last attempt that the user requested."""
    count = 0
    for attempt in reversed(attempts):
        if attempt.status is not Status.FAILED or not matches(attempt):
            break
        count += 1
        if attempt.by_request:
            break
    return count
