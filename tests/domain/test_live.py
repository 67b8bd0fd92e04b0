"""The live record: its clock, what it says of leftovers, and whether the end that it announces is final."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.live import Clock, Leftover, Live, Pause, PostponedStop, ScriptEnd, Stopping, displayed_status
from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.status import Status
from tests.domain.runs import BOOT, queued, running

LIVE = Live(attempt=1, runner_pid=1, script_pid=2, clock=Clock(), time=0.0)
STOPPING = Stopping(status=Status.STOPPED, by="you", reason="r", since=1.0, stage=1, deadline=2.0)
POSTPONED = PostponedStop(status=Status.STOPPED, by="you", reason="r", since=1.0, deadline=2.0)
PAUSE = Pause(since=1.0, by="you", reason="r")


def test_time_counts_as_running_or_as_paused() -> None:
    clock = Clock(running_seconds=10.0, paused_seconds=20.0, mark=100.0, boot_id=BOOT)
    ran, waited = clock.at(103.0, paused=False), clock.at(103.0, paused=True)
    assert ran == Clock(running_seconds=13.0, paused_seconds=20.0, mark=103.0, boot_id=BOOT)
    assert waited == Clock(running_seconds=10.0, paused_seconds=23.0, mark=103.0, boot_id=BOOT)
    assert clock.at(90.0, paused=False) == replace(clock, mark=90.0), "no clock runs backwards"


def leftovers(count: int) -> tuple[Leftover, ...]:
    return tuple(Leftover(pid=number, command=f"w{number}") for number in range(1, count + 1))


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (ScriptEnd(exit_code=0, signal=None, after_seconds=60.0), None),
        (
            ScriptEnd(exit_code=3, signal=None, after_seconds=60.0, leftovers=leftovers(1)),
            "the script ended with exit code 3 after 1m; still running: w1 (pid 1)",
        ),
        (
            ScriptEnd(exit_code=None, signal=9, after_seconds=60.0, leftovers=leftovers(3)),
            "the script ended with signal 9 after 1m; still running: w1 (pid 1), w2 (pid 2), w3 (pid 3)",
        ),
        (
            ScriptEnd(exit_code=0, signal=None, after_seconds=1.0, leftovers=leftovers(5)),
            "the script ended with exit code 0 after 1s; still running: w1 (pid 1), w2 (pid 2), w3 (pid 3) and 2 more",
        ),
    ],
)
def test_what_a_script_left_is_named_up_to_three_processes(end: ScriptEnd, message: str | None) -> None:
    assert end.message == message


@pytest.mark.parametrize(
    ("live", "is_final"),
    [
        (LIVE, False),
        (replace(LIVE, reached="loss<1"), True),
        (replace(LIVE, stopping=STOPPING), False),
        (replace(LIVE, stopping=replace(STOPPING, is_final=True)), True),
        (replace(LIVE, postponed=POSTPONED), True),
        (replace(LIVE, postponed=replace(POSTPONED, status=Status.TIMEBOXED)), False),
    ],
)
def test_an_end_is_final_if_a_goal_was_reached_or_a_person_wanted_it(live: Live, is_final: bool) -> None:  # noqa: FBT001
    assert live.is_final is is_final


@pytest.mark.parametrize(
    ("live", "status"),
    [
        (None, Status.RUNNING),
        (LIVE, Status.RUNNING),
        (replace(LIVE, pause=PAUSE), Status.PAUSED),
        (replace(LIVE, stopping=STOPPING, pause=PAUSE), Status.STOPPING),
        (replace(LIVE, postponed=POSTPONED), Status.STOPPING),
        (replace(LIVE, attempt=2, pause=PAUSE), Status.RUNNING),
    ],
)
def test_the_status_of_a_running_run_is_refined_by_its_attempt(live: Live | None, status: Status) -> None:
    assert displayed_status(running(), live) is status


def test_what_a_live_record_says_of_a_run_that_waits_is_old() -> None:
    again = replace(running(), state=queued().state)
    assert displayed_status(again, replace(LIVE, pause=PAUSE)) is Status.QUEUED


def test_a_torn_checkpoint_is_not_usable() -> None:
    whole, torn = (Checkpoint(path=path, step=1, saved_at=1.0) for path in ("/a", "/b"))
    live = replace(LIVE, checkpoints=(whole, replace(torn, sound=False)))
    assert live.usable_checkpoints == (whole,)
