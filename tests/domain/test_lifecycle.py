"""The lifecycle of a run from attempt to attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.errors import IllegalTransition
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.invocation import added_options, script_command_line, script_environment
from backprop_tui.domain.lifecycle import (
    MAX_BACKOFF_SECONDS,
    QUICK_SECONDS,
    NoRetry,
    Outcome,
    Retry,
    begin_attempt,
    decide_retry,
    finish_attempt,
    merge_live,
    requeue_ended,
    requeue_unstarted,
    slice_number,
    timebox_seconds,
)
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict
from backprop_tui.domain.run import Attempt, Cause, Checkpoint, Ended, Queued, Run, Running, SharedDirectory, Spec
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


def interrupted(status: Status, kind: str) -> Outcome:
    return Outcome(status=status, cause=Cause(kind=kind, retryable=True))


INTERRUPTED = [interrupted(Status.LOST, "machine_restarted"), interrupted(Status.STOPPED, "session_ended")]


@pytest.mark.parametrize("outcome", INTERRUPTED)
def test_an_interruption_is_retried_from_the_checkpoint_as_often_as_a_failure(outcome: Outcome) -> None:
    run = queued(retries=2)
    for _ in range(2):
        run = finish_attempt(running(run), outcome, now=200.0, resume_from="/c.pt")  # at once: it is not the script's
        assert isinstance(run.state, Queued)
        assert run.state.resume_from == "/c.pt"
    assert finish_attempt(running(run), outcome, now=300.0, resume_from="/c.pt").status is outcome.status
    assert finish_attempt(running(), outcome, now=300.0, resume_from="/c.pt").status is outcome.status


@pytest.mark.parametrize("outcome", INTERRUPTED)
def test_a_run_in_slices_continues_after_an_interruption_while_it_saves(outcome: Outcome) -> None:
    run = running(queued(max_run_seconds=600.0, total_seconds=6000.0))
    again = finish_attempt(run, outcome, now=500.0, resume_from="/c.pt")
    assert (again.status, again.position) == (Status.QUEUED, 500.0)
    twice = finish_attempt(running(again), outcome, now=600.0, resume_from="/c.pt")
    assert twice.status is outcome.status
    assert isinstance(twice.state, Ended)
    assert "saved nothing new" in (twice.state.reason or "")
    assert finish_attempt(run, replace(outcome, is_final=True), now=500.0, resume_from="/c.pt").status is outcome.status


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


@pytest.mark.parametrize("end", sorted(ENDED))
def test_an_attempt_ends_once(end: Status) -> None:
    """Otherwise a second end would have it tried again."""
    ended = running(queued(retries=3)).to(Ended(at=1.0, status=end))
    with pytest.raises(IllegalTransition):
        finish_attempt(ended, FAILED, now=2.0, resume_from=None)


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
    assert "failed within 10s twice" in again.reason
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
        assert 0 < again.backoff_seconds <= MAX_BACKOFF_SECONDS
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


TIMEBOX = 60.0


def sliced(total: float | None = None, *until: str) -> Run:
    spec = Spec(
        command=("true",),
        script=None,
        cwd="/",
        max_run_seconds=TIMEBOX,
        total_seconds=total,
        until=tuple(map(parse_goal, until)),
    )
    return replace(queued(), spec=spec)


def after_slice(run: Run, number: int, saved_step: int | None, outcome: Outcome | None = None) -> Run:
    """A slice that started at `number` hundred seconds; it saved at that step, or nothing."""
    started = number * 100.0
    run = begin_attempt(run, now=started, boot_id="b").to(Running(since=started))
    run = run.with_attempt(replace(run.attempt, running_seconds=TIMEBOX))
    if saved_step is not None:
        saved = Checkpoint(path=f"/{saved_step}", step=saved_step, saved_at=started + 50, sound=True)
        run = replace(run, checkpoints=(*run.checkpoints, saved))
    newest = run.checkpoints[-1].path if run.checkpoints else None
    outcome = outcome or Outcome(status=Status.TIMEBOXED, reason="at its limit")
    return finish_attempt(run, outcome, now=started + TIMEBOX, resume_from=newest)


def ended(run: Run) -> Ended:
    assert isinstance(run.state, Ended)
    return run.state


def test_a_slice_is_queued_last_with_its_checkpoint() -> None:
    run = after_slice(sliced(600.0), 1, 10)
    assert isinstance(run.state, Queued)
    assert (run.state.resume_from, run.position) == ("/10", 160.0)


@pytest.mark.parametrize(
    ("goal", "printed", "reason"),
    [
        ("loss<0.1", {"train_loss": 2.0, "lr": 0.1}, "next slice; loss was not printed yet, only train_loss, lr"),
        ("loss<0.1", {"loss": 2.0}, "next slice"),
        ("loss<0.1", {}, "next slice"),
        ("step=90", {"train_loss": 2.0}, "next slice"),
    ],
)
def test_a_goal_on_a_metric_that_is_not_printed_gives_a_hint(goal: str, printed: dict[str, float], reason: str) -> None:
    run = after_slice(replace(sliced(None, goal), metrics=printed), 1, 10)
    assert isinstance(run.state, Queued)
    assert run.state.reason == reason


def test_the_total_ends_it_and_says_so() -> None:
    run = after_slice(after_slice(sliced(120.0), 1, 10), 2, 20)
    assert ended(run).status is Status.TIMEBOXED
    assert ended(run).reason == "at its limit; its total of 2m is used up"


def test_without_a_checkpoint_the_run_ends_with_a_reason() -> None:
    assert "no intact checkpoint" in (ended(after_slice(sliced(600.0), 1, None)).reason or "")


def test_goals_alone_continue_without_a_total() -> None:
    run = sliced(None, "step=1000")
    for number in range(1, 30):
        run = after_slice(run, number, number * 10)
        assert isinstance(run.state, Queued)


def test_a_run_that_reached_its_goal_has_no_further_slice() -> None:
    outcome = Outcome(status=Status.TIMEBOXED, reason="step 10 reached", is_final=True)
    run = after_slice(sliced(600.0, "step=10"), 1, 10, outcome)
    assert (ended(run).status, ended(run).reason) == (Status.TIMEBOXED, "step 10 reached")


@pytest.mark.parametrize("again", [None, 10])
def test_two_slices_without_a_new_checkpoint_end_the_run(again: int | None) -> None:
    """Nothing at all, or the same steps again because the script does not resume."""
    run = after_slice(sliced(None, "step=1000"), 1, 10)
    run = after_slice(run, 2, again)
    assert isinstance(run.state, Queued)
    run = after_slice(run, 3, again)
    assert "2 slices in a row saved nothing new" in (ended(run).reason or "")


@pytest.mark.parametrize("sound", [True, False])
def test_what_was_saved_before_or_is_damaged_is_nothing_new(sound: bool) -> None:  # noqa: FBT001
    run = after_slice(sliced(None, "step=1000"), 1, 10)
    earlier = Checkpoint(path="/20", step=20, saved_at=300.0 if not sound else 150.0, sound=sound)
    run = after_slice(replace(run, checkpoints=(*run.checkpoints, earlier)), 2, None)
    assert run.attempt.saved_new is False


def test_a_slice_that_saves_again_resets_the_count() -> None:
    run = after_slice(sliced(None, "step=1000"), 1, 10)
    for number, step in enumerate([None, 20, None, 30, None], start=2):
        run = after_slice(run, number, step)
        assert isinstance(run.state, Queued)


@given(st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=30))
def test_it_never_continues_forever_without_a_new_checkpoint(saved: list[int | None]) -> None:
    run = sliced(None, "step=1000")
    idle = 0
    best: int | None = None
    for number, step in enumerate(saved, start=1):
        run = after_slice(run, number, step)
        idle = 0 if step is not None and (best is None or step > best) else idle + 1
        best = best if step is None else step
        if not isinstance(run.state, Queued):
            return
        assert idle < 2


@pytest.mark.parametrize(("done", "shown"), [(0, "1/3"), (1, "2/3"), (2, "3/3")])
def test_the_slice_number_follows_from_the_used_time(done: int, shown: str) -> None:
    run = sliced(150.0)
    for number in range(1, done + 1):
        run = after_slice(run, number, number)
    assert str(slice_number(run)) == shown


def test_without_a_total_the_number_of_slices_is_unknown() -> None:
    run = after_slice(after_slice(sliced(None, "loss<0.1"), 1, 1), 2, 2)
    assert str(slice_number(run)) == "3"


def test_a_run_in_one_piece_has_no_slices() -> None:
    assert slice_number(queued()) is None


@pytest.mark.parametrize(
    ("verdict", "attempt_number", "goes_on"),
    [
        (ResumeVerdict.RESTARTED, 2, False),
        (ResumeVerdict.JUMPED, 2, False),
        (ResumeVerdict.UNKNOWN, 2, True),
        (ResumeVerdict.RECOUNTED, 2, True),
        (ResumeVerdict.CONTINUED, 2, True),
        (ResumeVerdict.RESTARTED, 1, True),  # of an earlier slice
    ],
)
def test_slices_end_with_the_first_that_began_again(
    verdict: ResumeVerdict,
    attempt_number: int,
    goes_on: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    run = finish_attempt(
        used(running(queued(max_run_seconds=60.0, total_seconds=600.0)), 60.0),
        TIMEBOXED,
        now=200.0,
        resume_from="/c.pt",
    )
    check = ResumeCheck(verdict=verdict, attempt=attempt_number, message="restarted at step 1 after 40; --resume-arg")
    saved = (Checkpoint(path="/c.pt", step=None, saved_at=250.0),)
    second = replace(used(running(run), 60.0), resume_check=check, checkpoints=saved)
    ended = finish_attempt(second, TIMEBOXED, now=300.0, resume_from="/c.pt")
    assert (ended.status is Status.QUEUED) == goes_on
    if not goes_on:
        assert isinstance(ended.state, Ended)
        assert ended.state.reason == "at its limit; slice 2 restarted at step 1 after 40; --resume-arg"


def test_an_option_of_ours_that_is_refused_is_left_out_once_without_using_a_retry() -> None:
    state = Queued(since=1.0, resume_from="/c.pt")
    run = running(queued(found_resume_arg="--ckpt_path {path}", understood_flags=("--run-id",), state=state))
    assert added_options(run) == ("--run-id", "--ckpt_path")
    refused = replace(FAILED, refused_option="--ckpt_path")
    again = finish_attempt(run, refused, now=200.0, resume_from="/newer.pt")
    assert isinstance(again.state, Queued)
    assert again.state.resume_from == "/c.pt"
    assert again.state.reason == "again without --ckpt_path, which the script does not accept"
    second = running(again)
    assert script_command_line(second)[2:] == ("--run-id", run.id)
    assert script_environment(second, "/r", {})["BACKPROP_RESUME_FROM"] == "/c.pt"
    assert added_options(second) == ("--run-id",)
    assert finish_attempt(second, FAILED, now=300.0, resume_from=None).status is Status.FAILED
    with_retry = replace(second, spec=replace(second.spec, retries=1))
    retried = finish_attempt(used(with_retry, 60.0), FAILED, now=300.0, resume_from="/c.pt")
    assert isinstance(retried.state, Queued)
    assert retried.state.reason == "retry 1 of 1"


def test_the_options_added_to_a_command_line_are_known_by_their_names() -> None:
    state = Queued(since=1.0, resume_from="/w/epoch=3-step=40.ckpt")
    hydra = running(queued(found_resume_arg="+ckpt_path='{path}' --again", state=state))
    assert added_options(hydra) == ("+ckpt_path", "--again")
    assert added_options(running(queued(found_resume_arg="--ckpt {path}", state=state))) == ("--ckpt",)
    assert added_options(running(queued(resume_arg="--ckpt {path}", state=state))) == ()
    assert added_options(running(queued(found_resume_arg="--ckpt {path}"))) == ()


def test_a_refused_option_of_a_run_that_was_to_end_is_left_out_next_time() -> None:
    run = running(queued(understood_flags=("--run-id",)))
    outcome = replace(FAILED, refused_option="--run-id", is_final=True, reason="why")
    ended = finish_attempt(run, outcome, now=200.0, resume_from=None)
    assert isinstance(ended.state, Ended)
    assert script_command_line(running(requeue_ended(ended, now=300.0, resume_from=None))) == ("python3", "train.py")


def test_an_option_that_is_refused_although_it_was_left_out_ends_the_run() -> None:
    run = running(queued(understood_flags=("--run-id",), retries=3))
    refused = replace(FAILED, refused_option="--run-id")
    again = running(finish_attempt(run, refused, now=200.0, resume_from=None))
    assert finish_attempt(again, refused, now=300.0, resume_from=None).status is Status.FAILED


def test_a_template_with_several_options_is_left_out_as_a_whole() -> None:
    state = Queued(since=1.0, resume_from="/c.pt")
    run = running(queued(found_resume_arg="--init resume --ckpt={path}", state=state))
    again = finish_attempt(run, replace(FAILED, refused_option="--ckpt"), now=200.0, resume_from=None)
    assert script_command_line(running(again)) == ("python3", "train.py")


def test_the_offset_of_an_attempt_in_the_log_is_kept() -> None:
    live = Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(), time=1.0, attempt_log_offset=812)
    assert running().attempt.log_offset is None
    assert merge_live(running(), live).attempt.log_offset == 812


def test_checkpoints_without_an_owner_are_remembered_until_there_are_others() -> None:
    shared = SharedDirectory(folder="/w/ckpt", runs=("other",), files=("/w/ckpt/1.pt",))
    live = Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(), time=1.0, shared_directory=shared)
    run = merge_live(running(), live)
    assert run.shared_directory == shared
    live = replace(live, shared_directory=None)
    assert merge_live(run, live).shared_directory == shared
    saved = Checkpoint(path="/w/own/1.pt", step=1, saved_at=2.0)
    assert merge_live(run, replace(live, checkpoints=(saved,))).shared_directory is None
