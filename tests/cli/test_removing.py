"""`remove` and `clean` take away what has ended, all of it, and nothing else."""

from __future__ import annotations

import json
import os
import pty
import time
from dataclasses import replace

import pytest

from backprop_tui.cli import diagnostics
from backprop_tui.cli.commands.clean import _age
from backprop_tui.cli.session import Session
from backprop_tui.client.remove import lost_runs, remove
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.run import Dependency, Ended
from backprop_tui.store import index
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.support.commands import Commands
from tests.support.indexed import index_all
from tests.support.runs import Runs

DAY = 86400.0


@pytest.fixture
def old(runs: Runs, session: Session) -> RunDirectory:
    """A run that ended 40 days ago and is indexed, with a log."""
    directory = runs.ended("old")
    run = directory.read()
    assert isinstance(run.state, Ended)
    directory.write(replace(run, state=replace(run.state, at=time.time() - 40 * DAY)), durable=False)
    with open(directory.log, "wb") as file:
        file.write(b"x" * 100_000)
    index_all(session.home)
    return directory


def left(session: Session) -> list[str]:
    """What lies in the state directory of runs."""
    return sorted(os.listdir(session.home.runs))


def test_a_host_that_is_seen_before_the_answer_keeps_its_run(session: Session, runs: Runs) -> None:
    runs.queued("far", host="gone", created_at=time.time() - DAY)
    lost = lost_runs(session, [])
    assert [run.run_id for run in lost] == ["far"]
    host = Home(session.home.root, "gone")
    os.makedirs(host.host_folder)
    with open(host.governor, "wb"):
        pass
    with pytest.raises(UsageError, match="gone was seen"):
        remove(session, lost)
    assert left(session) == ["far"]


def test_a_removed_run_is_gone_from_disk_and_index(obey: Commands, old: RunDirectory, session: Session) -> None:
    result = obey("remove", "old", "--yes")
    assert (result.code, result.lines[0]) == (0, "old old: removed")
    assert "1 run removed, " in result.lines[1]
    assert left(session) == []
    assert (index.read_newest(session.home), index.read_recent(session.home)) == ({}, {})
    assert obey("remove", "old", "--yes").code == 2


def test_without_a_terminal_it_does_not_ask_and_removes_nothing(obey: Commands, old: RunDirectory) -> None:
    result = obey("remove", "old")
    assert result.code == 2
    assert "--yes" in result.err
    assert os.path.isdir(old.path)


@pytest.mark.parametrize(("answer", "removed"), [("y", True), ("YES", True), ("n", False), ("", False)])
def test_at_a_terminal_only_a_yes_removes(
    obey: Commands,
    old: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    removed: bool,  # noqa: FBT001 - a parameter
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r", encoding="ascii") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr(diagnostics, "is_terminal", lambda: True)
        os.write(ours, answer.encode() + b"\n")
        result = obey("remove", "old")
    os.close(ours)
    assert "Remove 1 run, 1" in result.err
    assert os.path.isdir(old.path) is not removed


def test_a_dry_run_says_what_would_be_removed(obey: Commands, old: RunDirectory) -> None:
    for words in (("remove", "old"), ("clean", "--older-than", "30d")):
        result = obey(*words, "--dry-run")
        assert (result.code, result.lines[0]) == (0, "old old: would be removed")
        assert "kB to free" in result.lines[1]
    assert os.path.isdir(old.path)


def test_an_unfinished_run_is_kept_and_so_are_all_others_named_with_it(
    obey: Commands, old: RunDirectory, runs: Runs, session: Session
) -> None:
    guardian = runs.guarded("busy")
    runs.queued("waits")
    for run_id in ("busy", "waits"):
        result = obey("remove", "old", run_id, "--yes")
        assert result.code == 2
        assert f"backprop-tui stop {run_id}" in result.err
    assert left(session) == ["busy", "old", "waits"]
    guardian.ends()


def test_a_run_that_a_queued_run_waits_for_is_kept(obey: Commands, old: RunDirectory, runs: Runs) -> None:
    runs.queued("next", spec={"after": (Dependency(run="old"),)})
    result = obey("remove", "old", "--yes")
    message = "run old cannot be removed: run next waits for it; first: backprop-tui stop next"
    assert (result.code, result.err) == (2, f"backprop-tui: {message}\n")
    assert obey("clean", "--older-than", "1d", "--yes").out.startswith("0 runs removed")
    assert os.path.isdir(old.path)


@pytest.mark.parametrize("words", [("remove", "old"), ("clean", "--older-than", "30d")], ids=lambda words: words[0])
def test_a_run_whose_record_is_broken_can_be_removed(
    obey: Commands, old: RunDirectory, session: Session, words: tuple[str, ...]
) -> None:
    with open(old.file("run.json"), "w", encoding="ascii") as file:
        file.write("{")
    assert obey(*words, "--yes").code == 0
    assert left(session) == []


def test_clean_removes_only_runs_that_ended_longer_ago(
    obey: Commands, old: RunDirectory, runs: Runs, session: Session
) -> None:
    runs.ended("young")
    index_all(session.home)
    assert obey.json("clean", "--older-than", "41d", "--yes")["removed"] == []
    printed = obey.json("clean", "--older-than", "39d", "--yes")
    assert (printed["removed"], printed["bytes"] >= 100_000, printed["dry_run"]) == (["old"], True, False)
    assert left(session) == ["young"]
    assert list(index.read_newest(session.home)) == ["young"]


def test_clean_removes_runs_of_the_original_from_the_index(obey: Commands, session: Session) -> None:
    record = {"id": "run-1", "scriptPath": "t.py", "status": "completed", "startTime": 1.6e12, "endTime": 1.6e12}
    with open(session.home.index, "w", encoding="ascii") as file:
        json.dump({"run-1": record}, file)
    assert obey.json("clean", "--older-than", "30d", "--yes")["removed"] == ["run-1"]
    assert index.read_newest(session.home) == {}
    with open(os.path.join(session.home.root, "experiments.original.json"), encoding="ascii") as file:
        assert json.load(file) == {"run-1": record}


def test_clean_deletes_leftovers_of_killed_commands_after_a_day(obey: Commands, session: Session) -> None:
    for name, age in ((".removed-a-1", 2 * DAY), (".tmp-b-2", 2 * DAY), (".tmp-c-3", 60.0)):
        path = os.path.join(session.home.runs, name)
        os.mkdir(path)
        os.utime(path, (time.time() - age,) * 2)
    assert obey("clean", "--older-than", "30d", "--yes").code == 0
    assert left(session) == [".tmp-c-3"]


def test_a_removal_that_was_killed_half_way_can_be_finished(
    obey: Commands, old: RunDirectory, session: Session
) -> None:
    os.rename(old.path, os.path.join(session.home.runs, ".removed-old-1"))
    assert obey("remove", "old", "--yes").code == 0
    assert index.read_newest(session.home) == {}


@pytest.mark.parametrize(("text", "seconds"), [("30d", 30 * DAY), ("12h", DAY / 2), ("2 w", 14 * DAY), ("1.5m", 90.0)])
def test_ages(text: str, seconds: float) -> None:
    assert _age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "3 years", "1e3d"])
def test_a_wrong_age_is_refused(obey: Commands, text: str) -> None:
    result = obey("clean", f"--older-than={text}")
    assert result.code == 2
    assert "--older-than" in result.err


def test_without_a_run_it_says_what_to_type(obey: Commands) -> None:
    result = obey("remove")
    assert result.code == 2
    assert "RUN is missing; type: backprop-tui remove RUN" in result.err
