"""The commands say when a timebox ends and how to change it, and at its end how to go on."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.cli.following import Following
from backprop_tui.cli.presenters import presenter_for
from backprop_tui.cli.session import Interrupts, Session
from backprop_tui.client.runs import FileSizes
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.lifecycle import Outcome, finish_attempt
from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.status import Status
from backprop_tui.presentation import durations
from tests.support.commands import Commands
from tests.support.runs import Guardian, Runs

Capture = pytest.CaptureFixture[str]
HINT = "change: backprop-tui edit {} -m 60; for the next run: -m 60, -m none"


@pytest.mark.usefixtures("workplace")
def test_a_detached_run_names_the_default_timebox_once_on_stderr(obey: Commands) -> None:
    single = obey("run", "-d", "--run-id", "abc", "--", "true")
    assert (single.out, single.err) == ("abc\n", f"timebox: 10m from the start ({HINT.format('abc')})\n")
    sweep = obey("run", "-d", "--sweep", "x=1..3", "--group", "grid", "--", "true")
    assert len(sweep.out.splitlines()) == 3
    explained = [line for line in sweep.err.splitlines() if "timebox" in line]
    assert explained == [f"timebox: 10m from the start ({HINT.format('grid')})"]


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("words", [("-m", "5"), ("-m", "none"), ("--json",), ("-m", "10")])
def test_a_timebox_that_was_chosen_is_not_explained(obey: Commands, words: tuple[str, ...]) -> None:
    assert obey("run", "-d", *words, "--", "true").err == ""


@pytest.mark.usefixtures("workplace")
def test_a_timebox_from_the_configuration_is_not_explained(obey: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROP_MAX_RUN_MINUTES", "30")
    assert obey("run", "-d", "--", "true").err == ""


def followed(session: Session, *run_ids: str, hint: str | None = None) -> None:
    presenter = presenter_for(session, run_ids, hint=hint)
    Following(session, dict.fromkeys(run_ids, FileSizes()), presenter, Interrupts()).to_the_end()


def started(guardian: Guardian, seconds: float, attempt: int = 1, slice_: dict[str, Any] | None = None) -> str:
    """Appends the event of a start as a guardian does; returns the clock at its end."""
    end = time.time() + seconds
    guardian.tells("started", f"attempt {attempt}", attempt=attempt, ends_at=iso(end), slice=slice_)
    return durations.clock_of_day(end, time.time())


def test_the_start_says_when_it_ends_and_how_to_change_that_once(session: Session, runs: Runs, capfd: Capture) -> None:
    guardians = [runs.guarded(name) for name in ("a", "b")]
    clocks = [started(guardian, 600) for guardian in guardians]
    for guardian in guardians:
        guardian.tells("extended", "timebox is now 1h", ends_at=iso(time.time() + 3000))
        guardian.ends()
    followed(session, "a", "b", hint="change: x")
    lines = capfd.readouterr().err.splitlines()
    shown = [line for line in lines if "ends in 10m" in line]
    ends = [f"started: attempt 1, ends in 10m at {clock}" for clock in clocks]
    assert [line.removesuffix(" (change: x)").split(": ", 1)[1] for line in shown] == ends
    assert sum("(change: x)" in line for line in lines) == 1
    assert any("timebox is now 1h, ends in 50m at " in line for line in lines)


def test_between_slices_the_next_one_is_announced(session: Session, runs: Runs, capfd: Capture) -> None:
    saved = Checkpoint(path="/c/5.pt", step=5, saved_at=time.time() - 30, sound=True)
    guardian = runs.guarded("abc", spec={"max_run_seconds": 600.0, "total_seconds": 3600.0})
    started(guardian, 600, slice_={"number": 1, "of": 6})
    run = replace(guardian.run, checkpoints=(saved,))
    run = run.with_attempt(replace(run.attempt, running_seconds=600.0))
    outcome = Outcome(status=Status.TIMEBOXED, reason="reached its limit of 10m")
    guardian.edits(finish_attempt(run, outcome, now=time.time(), resume_from="/c/5.pt"))
    guardian.tells("attempt_ended", "reached its limit of 10m", status="timeboxed")

    def second() -> None:
        time.sleep(0.3)
        guardian.dies()
        after = Guardian(guardian.directory)
        started(after, 600, attempt=2, slice_={"number": 2, "of": 6})
        after.ends()

    thread = threading.Thread(target=second)
    thread.start()
    followed(session, "abc")
    thread.join()
    shown = capfd.readouterr().err
    assert "started: attempt 1, slice 1 of 6, " in shown
    assert (
        "slice ended: reached its limit of 10m; checkpoint at step 5, saved 30s before the end; "
        "next: slice 2 of 6, 50m of 1h left, starts next" in shown
    )
    assert "started: attempt 2, slice 2 of 6, 50m of 1h left, ends in 10m at " in shown


def test_the_end_of_a_later_attempt_says_its_time_and_that_of_all(session: Session, runs: Runs, capfd: Capture) -> None:
    guardian = runs.guarded("abc", spec={"max_run_seconds": 3.0})
    guardian.edits(guardian.run.with_attempt(replace(guardian.run.attempt, running_seconds=8.0)))
    guardian.ends(Status.TIMEBOXED, exit_code=None, reason="reached its limit of 3s")
    run = guardian.directory.read()
    attempts = (*run.attempts, replace(run.attempt, number=2, running_seconds=3.0))
    guardian.directory.write(replace(run, attempts=attempts), durable=False)
    followed(session, "abc")
    assert "not completed, after 3s (11s in total); reached its limit of 3s" in capfd.readouterr().err


def test_wait_and_logs_say_how_to_go_on(session: Session, runs: Runs, capfd: Capture) -> None:
    obey = Commands(capfd)

    def end(guardian: Guardian) -> None:
        guardian.ends(Status.TIMEBOXED, exit_code=None, reason="reached its limit of 10m")

    for words in (("wait",), ("logs", "-f")):
        name = words[0]
        guardian = runs.guarded(name)
        guardian.prints(b"last line\n")
        threading.Timer(0.3, end, [guardian]).start()
        result = obey(*words, name)
        assert result.code == 0
        assert f"{name} ({name}): timeboxed, not completed, after 0s; reached its limit of 10m; " in result.err
        assert f"so a resume begins again\n  to go on: backprop-tui resume {name} -m none\n" in result.err
    assert obey("logs", "-f", "logs").err == ""  # it had ended before


def test_the_details_of_a_timeboxed_run_say_how_to_go_on(runs: Runs, obey: Commands) -> None:
    runs.ended("abc", Status.TIMEBOXED, exit_code=None)
    assert "to go on: backprop-tui resume abc -m none" in obey("status", "abc").out


def test_the_last_json_event_has_the_command_to_go_on(session: Session, runs: Runs, capfd: Capture) -> None:
    for name, status in (("boxed", Status.TIMEBOXED), ("done", Status.COMPLETED)):
        guardian = runs.guarded(name)
        started(guardian, 600)
        guardian.ends(status)
        followed(replace(session, json=True), name)
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [event.get("resume_command") for event in events if event["event"] == "ended"] == [
        "backprop-tui resume boxed -m none",
        None,
    ]
    assert any(event["event"] == "started" and event.get("ends_at") for event in events)
