"""`stop`, `pause`, `continue`, `edit` and `remove` on runs of a real supervisor."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.run import Dependency, Ended
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import send_signal, state_of
from tests.support.commands import Commands
from tests.support.sandbox import HOST, Sandbox, Submitted, script


@pytest.fixture
def sandbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    made = Sandbox(str(home))
    yield made
    made.close()


@pytest.fixture
def obey(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


def working(sandbox: Sandbox) -> Submitted:
    """A run whose script has begun, which may be before its record says so."""
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    run.wait_for(Status.RUNNING)
    return run


def process_state(run: Submitted) -> bytes | None:
    script_process = run.script()
    return None if script_process is None else state_of(script_process.pid)


def test_stop_returns_when_the_run_has_ended_and_reports_the_end(sandbox: Sandbox, obey: Commands) -> None:
    run = working(sandbox)
    result = obey("stop", run.id)
    assert (result.code, result.lines) == (0, [f"{run.id} {run.id}: stopped"])
    assert run.status() is Status.STOPPED
    assert run.reports() == ["begin", "SIGINT"]
    again = obey("stop", run.id)
    assert (again.code, again.lines) == (0, [f"{run.id} {run.id}: had ended already: stopped"])


def test_stop_now_kills(sandbox: Sandbox, obey: Commands) -> None:
    run = working(sandbox)
    assert obey.json("stop", "--now", run.id)[0]["status"] == "stopped"
    assert run.reports() == ["begin"]


def test_stop_after_checkpoint_keeps_what_was_computed(sandbox: Sandbox, obey: Commands) -> None:
    run = sandbox.submit(*script("saves.py", 100_000, 0.05, 40))
    run.wait_until_it_reports("step 2")
    assert obey.json("stop", "--after-checkpoint", run.id)[0]["status"] == "stopped"
    newest = run.run().checkpoints[-1]
    assert newest.sound
    assert "saved 40" in run.reports()
    assert obey("stop", "--after-checkpoint", "--now", run.id).code == 2


def test_status_shows_the_slice_and_the_goals(sandbox: Sandbox, obey: Commands) -> None:
    sandbox.allow(0)
    until = (parse_goal("step=10000"),)
    run = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=60.0, total_seconds=600.0, until=until)
    run.wait_for(Status.RUNNING)
    run.wait_until_it_reports("begin")
    (line,) = [line for line in obey("status", run.id).lines if line.startswith("  slice ")]
    assert line.split(maxsplit=1)[1] == "1 of 10, 10m total, until step=10000"
    shown = obey.json("status", run.id)
    assert (shown["slice"], shown["until"]) == ({"number": 1, "of": 10}, ["step=10000"])
    obey("stop", "--now", run.id)


def test_stop_all_stops_queued_runs_before_running_ones(sandbox: Sandbox, obey: Commands) -> None:
    sandbox.allow(1)
    first = working(sandbox)
    others = [sandbox.submit(*script("exits_on_signal.py")) for _ in range(3)]
    result = obey("stop", "--all")
    assert result.code == 0
    assert {run.status() for run in (first, *others)} == {Status.STOPPED}
    assert [sandbox.ledger.beginnings(run.id) for run in others] == [0, 0, 0]
    ends = [run.run().state for run in (first, *others)]
    assert {isinstance(end, Ended) and end.cause and end.cause.kind for end in ends} == {"stopped_by_person"}
    assert "nothing is unfinished" in obey("stop", "--all").err


def test_each_of_several_runs_is_stopped_or_refused(sandbox: Sandbox, obey: Commands) -> None:
    run = working(sandbox)
    result = obey("stop", run.id, "nosuch")
    assert (result.code, run.status()) == (2, Status.RUNNING)  # a mistyped name changes nothing
    assert obey("stop").code == 2
    assert obey("stop", "--all", run.id).code == 2
    assert obey("stop", run.id).code == 0


def test_pause_and_continue_return_when_it_is_done(sandbox: Sandbox, obey: Commands) -> None:
    run = working(sandbox)
    assert obey("pause", run.id).lines == [f"{run.id} {run.id}: paused"]
    assert process_state(run) == b"T"
    assert obey.json("status", run.id)["status"] == "paused"
    assert obey("pause", run.id).code == 0
    assert obey("continue", run.id).lines == [f"{run.id} {run.id}: continued"]
    run.wait(lambda: process_state(run) != b"T", "moving again")
    assert obey("continue", run.id).code == 0
    assert obey("stop", run.id).code == 0
    for command in ("pause", "continue"):
        result = obey(command, run.id)
        assert (result.code, result.out) == (2, "")
        assert "has ended (stopped)" in result.err


def test_a_paused_run_can_be_stopped(sandbox: Sandbox, obey: Commands) -> None:
    run = working(sandbox)
    obey("pause", run.id)
    assert obey("stop", run.id).code == 0
    assert run.reports() == ["begin", "SIGINT"]


def test_running_means_every_running_run_and_a_refusal_does_not_stop_the_others(
    sandbox: Sandbox, obey: Commands
) -> None:
    first, second = working(sandbox), working(sandbox)
    ended = sandbox.submit("/bin/true")
    ended.wait_for_end()
    result = obey("pause", ended.id, "@running")
    assert result.code == 2
    assert sorted(result.lines) == sorted(f"{run.id} {run.id}: paused" for run in (first, second))
    assert ended.id in result.err
    assert obey("stop", "@running").code == 0


def test_a_dry_run_changes_nothing(sandbox: Sandbox, obey: Commands) -> None:
    run = working(sandbox)
    for command, done in (("stop", "stopped"), ("pause", "paused"), ("continue", "continued")):
        result = obey(command, run.id, "--dry-run")
        assert (result.code, result.lines) == (0, [f"{run.id} {run.id} (running): would be {done}"])
    waiting = sandbox.submit("/bin/true", after=(Dependency(run=run.id),))
    would = f"{waiting.id} {waiting.id} (queued): would be stopped too, waits for {run.id}"
    assert obey("stop", run.id, "--dry-run").lines[1:] == [would]
    assert run.status() is Status.RUNNING
    obey("stop", run.id)


@pytest.mark.parametrize("command", ["continue", "stop"])
def test_a_stopped_guardian_is_woken(sandbox: Sandbox, obey: Commands, command: str) -> None:
    run = working(sandbox)
    guardian = run.guardian()
    assert guardian is not None
    run.wait(lambda: run.live() is not None and run.status() is Status.RUNNING, "its guardian has said who it is")
    assert send_signal(guardian, signal.SIGSTOP)
    run.wait(lambda: state_of(guardian.pid) == b"T", "its guardian stands still")
    assert "guardian stopped" in obey("status", run.id).out
    assert obey(command, run.id).code == 0
    assert state_of(guardian.pid) != b"T"
    obey("stop", run.id)


def test_the_timebox_of_a_running_run_can_be_shortened_and_it_ends(sandbox: Sandbox, obey: Commands) -> None:
    run = working(sandbox)
    result = obey("edit", run.id, "--max-minutes", "0.001", "--tag", "short")
    assert result.code == 0
    assert run.wait_for_end().tags == ("short",)
    assert run.status() is Status.TIMEBOXED


def test_a_run_that_has_just_ended_can_be_removed_and_does_not_come_back(sandbox: Sandbox, obey: Commands) -> None:
    run = working(sandbox)
    obey("stop", run.id)
    assert obey("remove", run.id, "--yes").code == 0
    other = sandbox.submit("/bin/true")
    other.wait_for_end()
    sandbox.wait_until_all_is_indexed()
    assert list(sandbox.index()) == [other.id]
    assert os.listdir(sandbox.home.runs) == [other.id]


def test_a_held_queue_starts_nothing_until_it_is_released(sandbox: Sandbox, obey: Commands) -> None:
    obey("queue", "hold")
    run = sandbox.submit("/bin/true")
    run.wait(lambda: obey.json("status", run.id)["hold_reasons"], "told why it waits")
    assert obey.json("status", run.id)["hold_reasons"][0]["check"] == "queue_held"
    assert obey("queue", "release").code == 0
    run.wait_for_end()


def test_a_moved_run_goes_first(sandbox: Sandbox, obey: Commands) -> None:
    sandbox.allow(1)
    obey("queue", "hold")
    runs = [sandbox.submit(*script("worker.py", 1, 0, 0)) for _ in range(3)]
    assert obey("queue", "move", runs[2].id, "--to", "1").code == 0
    obey("queue", "release")
    for run in runs:
        run.wait_for_end()
    order = list(dict.fromkeys(entry.run for entry in sandbox.ledger.entries()))
    assert order == [runs[2].id, runs[0].id, runs[1].id]


def test_list_starts_the_supervisor_that_is_missing(sandbox: Sandbox, obey: Commands) -> None:
    run = sandbox.queue("/bin/true")
    assert sandbox.supervisor() is None
    assert obey("list").code == 0
    run.wait_for_end()
