"""Slices: when another one follows, and when the run ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.lifecycle import Outcome, begin_attempt, finish_attempt
from backprop_tui.domain.run import Checkpoint, Ended, Queued, Run, Running, Spec
from backprop_tui.domain.slices import slice_number
from backprop_tui.domain.status import Status
from tests.domain.runs import queued

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
        ("loss<0.1", {"train_loss": 2.0, "lr": 0.1}, "next slice; loss was not printed yet, but train_loss, lr"),
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
    assert ended(run).reason == "at its limit; its total of 2 minutes is used up"


def test_without_a_checkpoint_the_run_ends_with_a_reason() -> None:
    assert "no sound checkpoint" in (ended(after_slice(sliced(600.0), 1, None)).reason or "")


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
