"""The lifecycle of a run from attempt to attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.errors import IllegalTransition
from backprop_tui.domain.lifecycle import (
    Outcome,
    begin_attempt,
    finish_attempt,
    requeue_ended,
    requeue_unstarted,
    timebox_seconds,
)
from backprop_tui.domain.run import Ended, Queued, Run, Running
from backprop_tui.domain.status import ENDED, Status
from tests.domain.runs import BOOT, queued, running

FAILED = Outcome(status=Status.FAILED, exit_code=1)
TIMEBOXED = Outcome(status=Status.TIMEBOXED, reason="at its limit")


def used(run: Run, seconds: float) -> Run:
    return run.with_attempt(replace(run.attempt, running_seconds=seconds))


def test_a_start_is_an_attempt_from_the_queued_checkpoint() -> None:
    run = begin_attempt(queued(state=Queued(since=1.0, resume_from="/c.pt")), now=5.0, boot_id=BOOT)
    assert (run.status, run.attempt.number, run.attempt.resumed_from) == (Status.STARTING, 1, "/c.pt")


def test_a_run_whose_script_never_started_is_queued_as_before() -> None:
    before = queued(state=Queued(since=1.0, resume_from="/c.pt"))
    back = requeue_unstarted(begin_attempt(before, now=5.0, boot_id=BOOT), now=6.0, reason="why")
    assert back.attempts == ()
    assert isinstance(back.state, Queued)
    assert back.state.resume_from == "/c.pt"


def test_a_failure_without_retries_is_the_end() -> None:
    run = finish_attempt(running(), FAILED, now=200.0, resume_from=None)
    assert isinstance(run.state, Ended)
    assert (run.status, run.state.exit_code, run.attempt.ended_at) == (Status.FAILED, 1, 200.0)


def test_a_retry_waits_longer_each_time_and_resumes_from_the_checkpoint() -> None:
    run = queued(retries=2)
    waits = []
    for _ in range(2):
        run = finish_attempt(used(running(run), 60.0), FAILED, now=200.0, resume_from="/c.pt")
        assert isinstance(run.state, Queued)
        assert run.state.resume_from == "/c.pt"
        assert run.state.not_before is not None
        waits.append(run.state.not_before - 200.0)
    assert waits == sorted(waits)
    assert waits[0] < waits[1]
    assert finish_attempt(running(run), FAILED, now=300.0, resume_from="/c.pt").status is Status.FAILED


def test_a_stop_is_never_retried() -> None:
    stopped = finish_attempt(running(queued(retries=5)), Outcome(status=Status.STOPPED), now=200.0, resume_from="/c.pt")
    assert stopped.status is Status.STOPPED


def test_a_slice_is_queued_behind_the_others_until_the_total_is_used() -> None:
    run = queued(max_run_seconds=60.0, total_seconds=100.0)
    first = finish_attempt(used(running(run), 60.0), TIMEBOXED, now=500.0, resume_from="/c.pt")
    assert (first.status, first.position) == (Status.QUEUED, 500.0)
    assert timebox_seconds(running(first)) == pytest.approx(40.0)
    second = finish_attempt(used(running(first), 40.0), TIMEBOXED, now=900.0, resume_from="/c.pt")
    assert second.status is Status.TIMEBOXED


def test_without_a_checkpoint_there_is_no_next_slice() -> None:
    run = used(running(queued(max_run_seconds=60.0, total_seconds=600.0)), 60.0)
    assert finish_attempt(run, TIMEBOXED, now=500.0, resume_from=None).status is Status.TIMEBOXED


def test_resume_goes_behind_the_others() -> None:
    ended = finish_attempt(running(), FAILED, now=200.0, resume_from=None)
    again = requeue_ended(ended, now=300.0, resume_from="/c.pt")
    assert (again.status, again.position, len(again.attempts)) == (Status.QUEUED, 300.0, 1)
    assert running(again).attempt.number == 2


@pytest.mark.parametrize("end", sorted(ENDED))
def test_only_resume_leaves_an_end_status(end: Status) -> None:
    ended = running().to(Ended(at=1.0, status=end))
    with pytest.raises(IllegalTransition):
        ended.to(Running(since=2.0))
