"""`resume GROUP --failed` queues those of a group again that failed or were lost."""

from __future__ import annotations

from pathlib import Path

from backprop_tui.domain.status import Status
from tests.support.commands import Commands
from tests.support.runs import Runs


def _group(runs: Runs, home: Path) -> None:
    runs.ended("good", group="sweep")
    runs.ended("bad", Status.FAILED, exit_code=1, group="sweep")
    runs.ended("gone", Status.LOST, exit_code=None, group="sweep")
    runs.ended("halted", Status.STOPPED, exit_code=None, group="sweep")
    runs.ended("other", Status.FAILED, exit_code=1)
    runs.queued("later", group="sweep")


def test_only_failed_and_lost_runs_are_queued_again(obey: Commands, runs: Runs, home: Path) -> None:
    _group(runs, home)
    result = obey("resume", "sweep", "--failed", "-d", "--priority", "3")
    assert (result.code, result.lines) == (0, ["bad", "gone"])
    assert "2 runs of 5 queued again" in result.err
    known = {run["id"]: (run["status"], run["priority"]) for run in obey.json("list", "--all")}
    assert known == {
        "good": ("completed", 0),
        "bad": ("queued", 3),
        "gone": ("queued", 3),
        "halted": ("stopped", 0),
        "other": ("failed", 0),
        "later": ("queued", 0),
    }
    again = obey("resume", "sweep", "--failed")
    assert (again.code, again.out) == (0, "")
    assert "none of its 5 runs failed or was lost" in again.err
    assert obey.json("resume", "sweep", "--failed") == []


def test_a_dry_run_queues_nothing(obey: Commands, runs: Runs, home: Path) -> None:
    _group(runs, home)
    assert obey("resume", "sweep", "--failed", "--dry-run").lines == [
        "bad bad (failed): would be queued again",
        "gone gone (lost): would be queued again",
    ]
    assert obey.json("status", "bad")["status"] == "failed"


def test_options_for_one_run_are_refused_for_several(obey: Commands, runs: Runs, home: Path) -> None:
    _group(runs, home)
    for words in (("-n", "name"), ("-r", str(home)), ("--no-wait",)):
        result = obey("resume", "sweep", "--failed", *words)
        assert (result.code, "--failed is for several runs" in result.err) == (2, True)
    result = obey("resume", "sweep")
    assert (result.code, "means 5 runs" in result.err) == (2, True)
    assert "--failed" in result.err


def test_a_single_run_that_failed_is_retried_too(obey: Commands, runs: Runs, home: Path) -> None:
    _group(runs, home)
    assert obey("resume", "other", "--failed", "-d").lines == ["other"]
