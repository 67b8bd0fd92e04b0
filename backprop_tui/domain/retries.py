"""Whether a failed attempt is tried again by itself: only where another start can go better, and later each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from backprop_tui.domain.run import Attempt, Cause
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass

BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 300.0
QUICK_SECONDS = 10.0  # of running time: a script that dies so soon has done nothing
QUICK_DEATHS = 2


@dataclass(frozen=True, slots=True)
class Again:
    """Tried again after so many seconds; `number` counts the retries from 1."""

    number: int
    backoff_seconds: float


@dataclass(frozen=True, slots=True)
class NotAgain:
    """Not tried again although retries are left, and why."""

    reason: str


def decide_retry(attempts: Sequence[Attempt], cause: Cause | None, retries: int) -> Again | NotAgain | None:
    """What follows a failure; None where no retry is left, or none was asked for.

    Args:
        attempts: All of the run, the failed one the last.
        cause: Why it failed; None where nobody knows, which may go better another time.
        retries: How many the run was given.
    """
    failures = failures_in_a_row(attempts)
    if failures > retries:
        return None
    if cause is not None and not cause.retryable:
        return NotAgain(f"not tried again: {cause.kind.replace('_', ' ')} would come back")
    if quick_deaths_in_a_row(attempts) >= QUICK_DEATHS:
        return NotAgain(f"not tried again: it died within {QUICK_SECONDS:.0f} s twice")
    return Again(failures, min(BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16), LONGEST_BACKOFF_SECONDS))


def failures_in_a_row(attempts: Sequence[Attempt]) -> int:
    """How many of the newest attempts failed one after the other, since somebody last asked for one."""
    return sum(1 for _ in _newest_while(attempts, lambda _: True))


def quick_deaths_in_a_row(attempts: Sequence[Attempt]) -> int:
    """As `failures_in_a_row`, of those that failed within seconds."""
    return sum(1 for _ in _newest_while(attempts, lambda attempt: attempt.running_seconds < QUICK_SECONDS))


def _newest_while(attempts: Sequence[Attempt], counts: Callable[[Attempt], bool]) -> Iterator[Attempt]:
    for attempt in reversed(attempts):
        if attempt.status is not Status.FAILED or not counts(attempt):
            return
        yield attempt
        if attempt.by_request:
            return
