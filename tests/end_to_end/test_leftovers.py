"""Leftover processes belong to the run, which lasts while they work."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.live import Leftover
from backprop_tui.domain.requests import PauseRequest, StopRequest
from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from backprop_tui.store.run_directory import read_lines
from tests.end_to_end.crashing import Crashing
from tests.support import processes
from tests.support.crashes import GUARDIAN, after, before
from tests.support.sandbox import Sandbox, Submitted, script, shell

TRAIN = " ".join(script("trains.py", 25, 0.1, 7))
LONG = " ".join(script("trains.py", 1000, 0.1, 7))


def end_of(run: Submitted) -> Ended:
    state = run.wait_for_end(seconds=40).state
    assert isinstance(state, Ended)
    return state


def messages(run: Submitted, kind: str = "leftovers") -> list[str]:
    events = read_lines(run.directory.file("events.jsonl"))
    return [str(event["message"]) for event in events if event["event"] == kind]


def named(run: Submitted) -> tuple[Leftover, ...]:
    """What its record says is still running."""
    live = run.live()
    return () if live is None or live.script_end is None else live.script_end.leftovers


def wait_until_left(run: Submitted) -> None:
    run.wait(lambda: named(run), "its leftovers named")


@pytest.mark.parametrize("redirection", ["> train.log 2>&1", "", ">> train.log", "2>&1 | tee train.log"])
def test_a_run_lasts_while_a_training_in_the_background_works(sandbox: Sandbox, redirection: str) -> None:
    run = sandbox.submit(*shell(f"nohup {TRAIN} {redirection} & echo started"))
    wait_until_left(run)
    assert run.status() is Status.RUNNING
    end = end_of(run)
    assert (end.status, end.exit_code, end.reason) == (Status.COMPLETED, 0, None)
    assert run.reports() == ["begin 7", "end 7"]
    assert run.run().step == 25
    assert [line["step"] for line in run.metrics()] == list(range(1, 26))
    assert len(messages(run)) == 1
    assert "still running" in messages(run)[0]


def test_a_training_that_the_script_daemonized_saves_at_the_timebox(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell(f"setsid {LONG} > train.log 2>&1 < /dev/null &"), max_run_seconds=3)
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.TIMEBOXED, 0)
    assert run.reports() == ["begin 7", "saved 7"]
    assert [os.path.basename(saved.path) for saved in run.run().checkpoints] == ["seed-7.pt"]


def test_a_shell_that_dies_of_the_stop_signal_leaves_its_training_time_to_save(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell(f"{' '.join(script('trains.py', 1000, 0.8, 7))} & wait"))
    run.wait_until_it_reports("begin 7")
    run.ask(StopRequest(by="person", reason="stopped by you"))
    assert end_of(run).status is Status.STOPPED
    assert run.reports() == ["begin 7", "saved 7"]


def test_an_idle_server_is_ended_and_named(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell("sleep 1000 & echo started"))
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.COMPLETED, 0)
    assert end.reason is not None
    assert end.reason.startswith("sleep 1000 (pid ")
    assert "10s without work" in end.reason
    assert messages(run)[-1] == end.reason


def test_leftovers_of_a_failed_script_are_ended_at_once_and_named(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell(f"{LONG} & sleep 0.5; exit 3"))
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.FAILED, 3)
    assert "trains.py" in messages(run)[-1]
    assert "because the script failed" in (end.reason or "")
    assert run.reports() == ["begin 7"]


def test_with_kill_they_are_ended_at_once_and_named(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell(f"{LONG} & sleep 0.5"), leftovers="kill")
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.COMPLETED, 0)
    assert "--leftovers kill" in (end.reason or "")
    assert run.reports() == ["begin 7"]


def test_with_wait_the_run_lasts_for_idle_processes_and_failed_scripts_too(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell("sleep 13 & exit 3"), leftovers="wait")
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.FAILED, 3)
    assert run.run().attempt.running_seconds >= 13


def test_the_exit_code_of_a_training_that_fails_in_the_background_is_reported(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell("(sleep 2.5; echo working; exit 5) & echo started"))
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.COMPLETED, 0)
    assert "ended with exit code 5" in (end.reason or "")


def test_a_pause_does_not_make_a_training_idle(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell(f"{LONG} > train.log &"), max_run_seconds=12)
    wait_until_left(run)
    run.ask(PauseRequest(by="person", reason="paused by you"))
    paused = run.wait_for(Status.PAUSED)
    assert paused.status is Status.RUNNING
    run.wait(lambda: (live := run.live()) is not None and live.pause is not None, "paused")
    run.ask(StopRequest(by="person", reason="stopped by you"))
    assert end_of(run).status is Status.STOPPED
    assert run.reports() == ["begin 7", "saved 7"]


CRASHES = [
    (after("runner.leftovers:Leftovers.begin", GUARDIAN),),
    (before("runner.leftovers:Leftovers.record_ending", GUARDIAN),),
    (after("runner.leftovers:Leftovers._name", GUARDIAN), after("runner.guarding:apply_recorded_state", GUARDIAN)),
]


@pytest.mark.parametrize("crashes", CRASHES, ids=["once recorded", "at their end", "once named, and its successor"])
def test_another_guardian_continues_to_wait_and_knows_the_exit_code(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crashes: tuple[object, ...]
) -> None:
    crashing = Crashing(sandbox, monkeypatch, *crashes)  # type: ignore[arg-type]
    run = sandbox.submit(*shell(f"{TRAIN} > train.log &"))
    crashing.wait_until_all_happened()
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.COMPLETED, 0)
    assert run.reports() == ["begin 7", "end 7"]
    assert [line["step"] for line in run.metrics()] == list(range(1, 26))
    sandbox.wait_until_nothing_runs()


def test_a_stop_reaches_the_leftovers_that_another_guardian_took_over(sandbox: Sandbox) -> None:
    run = sandbox.submit(*shell(f"{LONG} &"))
    wait_until_left(run)
    guardian = run.guardian()
    assert guardian is not None
    assert processes.kill(guardian)
    run.wait(lambda: "adopted" in run.events(), "adopted")
    run.ask(StopRequest(by="person", reason="stopped by you"))
    end = end_of(run)
    assert (end.status, end.exit_code) == (Status.STOPPED, 0)
    assert run.reports() == ["begin 7", "saved 7"]
