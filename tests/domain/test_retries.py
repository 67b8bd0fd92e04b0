"""When a failed attempt is retried."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.lifecycle import (
    LONGEST_BACKOFF_SECONDS,
    QUICK_SECONDS,
    NoRetry,
    Outcome,
    Retry,
    begin_attempt,
    decide_retry,
    finish_attempt,
    requeue_ended,
    requeue_unstarted,
)
from backprop_tui.domain.run import Attempt, Cause, Ended, Queued
from backprop_tui.domain.status import Status
from tests.domain.runs import BOOT, queued, running

HELPS = Cause(kind="killed_by_signal", retryable=True)
IN_VAIN = Cause(kind="import_error")
ENDS = st.sampled_from([Status.FAILED, Status.FAILED, Status.FAILED, Status.STOPPED, Status.TIMEBOXED, Status.LOST])


def attempt(number: int, status: Status = Status.FAILED, seconds: float = 60.0) -> Attempt:
    return Attempt(number=number, started_at=0.0, boot_id=BOOT, status=status, running_seconds=seconds)


def failed(*seconds: float) -> list[Attempt]:
    return [attempt(number, seconds=each) for number, each in enumerate(seconds, start=1)]


def test_a_cause_that_would_happen_again_is_not_retried() -> None:
    again = decide_retry(failed(60.0), IN_VAIN, retries=3)
    assert isinstance(again, NoRetry)
    assert "import error" in again.reason
    assert decide_retry(failed(60.0), HELPS, retries=3) == Retry(1, 5.0)


def test_an_unknown_cause_is_retried() -> None:
    assert isinstance(decide_retry(failed(60.0), None, retries=1), Retry)


def test_two_quick_failures_are_enough() -> None:
    assert isinstance(decide_retry(failed(1.0), HELPS, retries=9), Retry)
    again = decide_retry(failed(1.0, 2.0), HELPS, retries=9)
    assert isinstance(again, NoRetry)
    assert "failed within 10 s twice" in again.reason
    assert isinstance(decide_retry(failed(1.0, QUICK_SECONDS), HELPS, retries=9), Retry)
    assert isinstance(decide_retry(failed(1.0, 60.0, 1.0), HELPS, retries=9), Retry)


def test_a_resume_resets_the_retries() -> None:
    used_up = [*failed(1.0, 2.0), replace(attempt(3, seconds=1.0), by_request=True)]
    assert decide_retry(used_up, HELPS, retries=1) == Retry(1, 5.0)
    assert isinstance(decide_retry([*used_up, attempt(4, seconds=1.0)], HELPS, retries=9), NoRetry)
    ended = finish_attempt(running(), Outcome(status=Status.FAILED), now=200.0, resume_from=None)
    again = begin_attempt(requeue_ended(ended, now=300.0, resume_from=None), now=301.0, boot_id=BOOT)
    assert again.attempt.by_request
    assert requeue_unstarted(again, now=302.0, reason="why").state == Queued(since=302.0, reason="why", by_request=True)


def test_no_reason_is_given_if_retries_are_used_up_or_were_never_set() -> None:
    assert decide_retry(failed(60.0), IN_VAIN, retries=0) is None
    assert decide_retry(failed(60.0, 60.0), HELPS, retries=1) is None


def test_the_end_says_why_it_was_not_retried() -> None:
    run = running(queued(retries=2))
    outcome = Outcome(status=Status.FAILED, exit_code=1, reason="no module torch", cause=IN_VAIN)
    ended = finish_attempt(run, outcome, now=200.0, resume_from=None)
    assert isinstance(ended.state, Ended)
    assert ended.state.reason == "no module torch; not retried: import error would happen again"


@given(
    ends=st.lists(st.tuples(ENDS, st.floats(0.0, 1000.0)), max_size=12),
    retries=st.integers(0, 20),
    retryable=st.booleans(),
)
def test_retries_are_bounded_and_wait_longer_each_time(
    ends: list[tuple[Status, float]],
    retries: int,
    retryable: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    attempts = [attempt(number, status, seconds) for number, (status, seconds) in enumerate(ends, start=1)]
    attempts.append(attempt(len(attempts) + 1))
    again = decide_retry(attempts, Cause(kind="unknown", retryable=retryable), retries)
    if isinstance(again, Retry):
        assert retryable
        assert 1 <= again.number <= retries
        assert 0 < again.backoff_seconds <= LONGEST_BACKOFF_SECONDS
        later = decide_retry([*attempts, attempt(len(attempts) + 1)], None, retries + 1)
        assert isinstance(later, Retry)
        assert later.backoff_seconds >= again.backoff_seconds


@given(retries=st.integers(0, 8), seconds=st.lists(st.floats(0.0, 100.0), min_size=9, max_size=9))
def test_a_run_that_always_fails_starts_at_most_once_plus_once_per_retry(retries: int, seconds: list[float]) -> None:
    run = queued(retries=retries)
    starts = 0
    while isinstance(run.state, Queued):
        run = running(run)
        run = run.with_attempt(replace(run.attempt, running_seconds=seconds[starts]))
        run = finish_attempt(run, Outcome(status=Status.FAILED, exit_code=1), now=200.0, resume_from=None)
        starts += 1
    quick = [place for place in range(1, 9) if seconds[place - 1] < QUICK_SECONDS > seconds[place]]
    assert starts == min(retries + 1, *(place + 1 for place in quick), 99)
