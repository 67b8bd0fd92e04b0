"""A stop near a checkpoint waits for it, even if a process dies meanwhile."""

from __future__ import annotations

import pytest

from backprop_tui.domain.requests import StopRequest, TimeboxRequest
from backprop_tui.domain.run import Ended, StopPlan
from backprop_tui.domain.status import Status
from tests.end_to_end.crashing import Crashing
from tests.support import processes
from tests.support.crashes import GUARDIAN, before
from tests.support.sandbox import Sandbox, Submitted, script
from tests.support.waiting import wait_until

AFTER_CHECKPOINT = StopRequest(by="person", reason="stopped by you", after_checkpoint=True)
STOP = StopRequest(by="person", reason="stopped by you")
KILL = StopRequest(by="person", reason="stopped by you", kill=True)
PATIENT = StopPlan(grace_seconds=15.0)
SAVES_OFTEN = ("saves.py", 100_000, 0.05, 60)
SAVES_ONCE = ("saves.py", 100_000, 0.05, 90_000)


def end_of(run: Submitted) -> Ended:
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    return state


def saved(run: Submitted) -> list[int]:
    return [int(line.split()[1]) for line in run.reports() if line.startswith("saved")]


def knows_its_pace(run: Submitted) -> None:
    run.wait(lambda: (live := run.live()) is not None and live.pace is not None and live.pace.intervals, "a known pace")


def test_a_stop_waits_for_the_checkpoint_that_is_due_and_keeps_all_of_it(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script(*SAVES_OFTEN), stop=PATIENT)
    knows_its_pace(run)
    steps = saved(run)[-1]
    run.wait_until_it_reports(f"step {steps + 50}")  # the save before it is seen by now
    run.ask(STOP)
    run.wait(lambda: run.status() is Status.STOPPING, "stopping")
    assert end_of(run).status is Status.STOPPED
    assert "postponed" in run.events()
    newest = run.run().checkpoints[-1]
    assert newest.sound
    assert newest.step is not None
    assert newest.step >= steps + 60


def test_the_timebox_waits_for_the_checkpoint_and_can_be_extended_meanwhile(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script(*SAVES_OFTEN), stop=PATIENT)
    knows_its_pace(run)
    run.ask(TimeboxRequest(max_run_seconds=0.06))
    run.wait(lambda: "postponed" in run.events() or run.status() is Status.TIMEBOXED, "postponed")
    run.ask(TimeboxRequest(max_run_seconds=600))
    run.wait_for(Status.RUNNING, Status.TIMEBOXED)
    run.ask(TimeboxRequest(max_run_seconds=0.06))
    assert end_of(run).status is Status.TIMEBOXED


def test_a_stop_after_the_checkpoint_waits_for_the_next_one(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 100_000, 0.05, 60), stop=StopPlan(grace_seconds=0.2))
    run.wait_until_it_reports("step 3")
    run.ask(AFTER_CHECKPOINT)
    assert end_of(run).status is Status.STOPPED
    assert saved(run)
    assert run.run().checkpoints[-1].sound


def test_a_new_guardian_keeps_waiting(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 100_000, 0.05, 60), stop=StopPlan(grace_seconds=0.2))
    run.wait_until_it_reports("step 3")
    run.ask(AFTER_CHECKPOINT)
    run.wait(lambda: "postponed" in run.events(), "postponed")
    guardian = wait_until(run.guardian, "its guardian")
    assert processes.kill(guardian)
    run.wait(lambda: "adopted" in run.events(), "adopted")
    assert end_of(run).status is Status.STOPPED
    assert saved(run)
    assert run.events().count("postponed") == 1


def test_a_run_ends_although_its_guardian_dies_between_record_and_signal(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = Crashing(sandbox, monkeypatch, before("runner.tree:Tree.signal_group", GUARDIAN))
    run = sandbox.submit(*script("saves.py", 100_000, 0.05, 60), stop=StopPlan(grace_seconds=0.2))
    run.wait_until_it_reports("step 3")
    run.ask(AFTER_CHECKPOINT)
    crashing.wait_until_all_happened()
    assert end_of(run).status is Status.STOPPED


def test_a_kill_does_not_wait(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script(*SAVES_ONCE))
    run.wait_until_it_reports("step 3")
    run.ask(AFTER_CHECKPOINT)
    run.wait(lambda: "postponed" in run.events(), "postponed")
    run.ask(KILL)
    end = end_of(run)
    assert (end.status, end.signal) == (Status.STOPPED, "SIGKILL")


def test_a_plain_stop_cuts_the_wait_to_the_grace(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script(*SAVES_ONCE), stop=StopPlan(grace_seconds=0.2))
    run.wait_until_it_reports("step 3")
    run.ask(AFTER_CHECKPOINT)
    run.wait(lambda: "postponed" in run.events(), "postponed")
    run.ask(STOP)
    assert end_of(run).status is Status.STOPPED


def test_a_script_that_ends_on_its_own_meanwhile_is_completed(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("saves.py", 40, 0.05, 1000))
    run.wait_until_it_reports("step 3")
    run.ask(AFTER_CHECKPOINT)
    run.wait(lambda: "postponed" in run.events(), "postponed")
    assert end_of(run).status is Status.COMPLETED
