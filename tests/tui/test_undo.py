"""What `U` takes back, on a real store: removals, edits, limits, pins, moves and holds, newest first."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.client import queueing
from backprop_tui.client.queueing import is_queue_held, waiting_runs
from backprop_tui.client.remove import leftovers, removable_runs, remove, restore, set_aside
from backprop_tui.domain.errors import StorageFailed, UsageError
from backprop_tui.domain.requests import TimeboxRequest
from backprop_tui.domain.run_changes import with_timebox
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.status import Status
from backprop_tui.domain.thresholds import Thresholds
from backprop_tui.main import _CommandLine
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.store import index
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.tui import commands
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.store_reader import StoreReader
from backprop_tui.tui.undo import MAX_STEPS, UndoStack, UndoStep, _former_options, edit_back
from tests.support.runs import Runs
from tests.support.store_fixtures import runs, session, workplace
from tests.support.waiting import wait_until
from tests.tui.test_commands import play

__all__ = ["runs", "session", "workplace"]


@pytest.fixture
def runner(session: Session) -> CommandRunner:
    return CommandRunner(session.home, session.config_path, _CommandLine())


def undo(runner: CommandRunner) -> str:
    return play(runner.undo()).message


def aside(session: Session) -> list[str]:
    return os.listdir(session.home.removed)


def test_undo_reports_that_there_is_nothing_to_undo(runner: CommandRunner) -> None:
    result = play(runner.undo())
    assert (result.done, result.message) == (False, commands.NOTHING_TO_UNDO)


def test_a_removed_run_is_back_with_its_files_and_in_the_index(
    runner: CommandRunner, session: Session, runs: Runs
) -> None:
    directory = runs.ended("abc", name="train")
    with open(directory.log, "ab") as log:
        log.write(b"epoch 1\n")
    runner.find = lambda run_id: KnownRun(record={"id": run_id, "name": "train"}, differing=(("lr", "1e-3"),))
    assert play(runner.remove(["abc"])).message == "train lr=1e-3: removed. U brings it back"
    assert not os.path.exists(directory.path)
    assert "abc" not in index.read_all(session.home)
    assert undo(runner) == "Undone. train lr=1e-3 restored"
    assert directory.read().name == "train"
    with open(directory.log, "rb") as log:
        assert log.read() == b"epoch 1\n"
    assert "abc" in index.read_all(session.home)
    assert aside(session) == []
    assert undo(runner) == commands.NOTHING_TO_UNDO


def test_what_is_set_aside_is_not_counted(runner: CommandRunner, session: Session, runs: Runs) -> None:
    runs.ended("a")
    runs.ended("b")
    reader = StoreReader(session.home, session.config_path)
    assert reader.read(None).total == 2
    play(runner.remove(["a"]))
    assert reader.read(None).total == 1
    undo(runner)
    assert reader.read(None).total == 2


def test_several_removed_runs_come_back_together(runner: CommandRunner, session: Session, runs: Runs) -> None:
    runs.ended("a")
    runs.ended("b")
    play(runner.remove(["a", "b"]))
    assert len(aside(session)) == 2
    assert undo(runner) == "Undone. 2 runs restored"
    assert {"a", "b"} <= set(os.listdir(session.home.runs))


def test_leaving_deletes_what_was_removed(runner: CommandRunner, session: Session, runs: Runs) -> None:
    runs.ended("abc")
    play(runner.remove(["abc"]))
    runner.forget_changes(10.0)
    assert aside(session) == []
    assert undo(runner) == commands.NOTHING_TO_UNDO


def test_a_removed_run_is_deleted_after_a_while(
    runner: CommandRunner, session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "UNDO_SECONDS", 0.0)
    runs.ended("abc")
    play(runner.remove(["abc"]))
    wait_until(lambda: not aside(session), "the end of the directory")
    assert undo(runner) == commands.NOTHING_TO_UNDO


def test_what_a_killed_dashboard_set_aside_is_deleted_by_a_later_removal_after_a_day(
    runner: CommandRunner, session: Session, runs: Runs
) -> None:
    old = runs.ended("old")
    os.utime(old.path, (0, 0))  # it ended long ago, but was removed just now
    runs.ended("new")
    set_aside(session, removable_runs(session, ["old"]))
    assert leftovers(session.home, time.time()) == []
    (path,) = [os.path.join(session.home.removed, name) for name in aside(session)]
    os.utime(path, (0, 0))
    play(runner.remove(["new"]))
    assert not os.path.exists(path)


def test_a_run_with_the_same_id_is_not_overwritten(session: Session, runs: Runs) -> None:
    runs.ended("abc", name="first")
    (removed,) = set_aside(session, removable_runs(session, ["abc"]))
    again = runs.ended("abc", name="second")
    with pytest.raises(UsageError, match="exists again"):
        restore(session, removed)
    assert again.read().name == "second"
    assert os.path.isdir(str(removed.path))


def test_killed_while_it_puts_a_run_back_the_run_is_either_removed_or_listed(
    session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = runs.ended("abc")
    (removed,) = set_aside(session, removable_runs(session, ["abc"]))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            restore(session, removed)
    assert not os.path.exists(directory.path)  # a marker without a run, which is ignored
    with monkeypatch.context() as patch:
        patch.setattr(index, "update", killed)
        with pytest.raises(KeyboardInterrupt):
            restore(session, removed)
    assert directory.read().status is Status.COMPLETED
    assert os.path.exists(session.home.marker("abc"))  # so that it is listed, and a supervisor indexes it


def test_if_a_run_cannot_be_removed_those_before_it_come_back(
    session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = runs.ended("a")
    removable = removable_runs(session, ["a"])
    with monkeypatch.context() as patch:
        update = index.update
        failures = iter([StorageFailed("disk full")])

        def full_once(*arguments: object, **named: object) -> None:
            for failure in failures:
                raise failure
            update(*arguments, **named)  # type: ignore[arg-type]

        patch.setattr(index, "update", full_once)
        with pytest.raises(StorageFailed, match="disk full"):
            set_aside(session, removable)
    assert os.path.exists(directory.path)
    assert aside(session) == []


def test_a_run_of_which_only_the_index_knows_comes_back_into_the_index(session: Session, runs: Runs) -> None:
    directory = runs.ended("abc")
    index.update(session.home, {"abc": directory.shown()})
    remove(session, removable_runs(session, ["abc"]))
    index.update(session.home, {"abc": {"id": "abc", "name": "train", "status": "completed", "ended_at": None}})
    (removed,) = set_aside(session, removable_runs(session, ["abc"]))
    assert removed.path is None
    assert "abc" not in index.read_all(session.home)
    restore(session, removed)
    assert index.read_all(session.home)["abc"]["name"] == "train"


def test_an_edit_gives_back_what_it_changed_and_nothing_else(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.ended("abc", name="old", tags=("a",), note=None)
    play(runner.edit(["abc"], name="new", note="why"))
    play(runner.edit(["abc"], tags=("b",)))
    assert undo(runner) == "Undone. abc: tags a"
    assert directory.read().name == "new"
    assert undo(runner) == "Undone. new: renamed to old, no note"
    run = directory.read()
    assert (run.name, run.tags, run.note) == ("old", ("a",), None)


def test_a_timebox_is_taken_back(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.queued("abc", spec={"max_run_seconds": 60.0})
    play(runner.edit(["abc"], max_run_seconds=600.0))
    play(runner.edit(["abc"], max_run_seconds=float("inf")))
    assert undo(runner) == "Undone. abc: a limit of 10m"
    assert undo(runner) == "Undone. abc: a limit of 1m"
    assert directory.read().spec.max_run_seconds == 60.0


def test_a_timebox_that_is_over_is_not_taken_back(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc", spec={"max_run_seconds": 60.0})
    before = guardian.run
    request = TimeboxRequest(max_run_seconds=600.0)
    guardian.edits(with_timebox(before, request))
    guardian.says(clock=replace(guardian.live.clock, running_seconds=61.0))
    with pytest.raises(UsageError, match="abc has run for longer than 1m by now; t changes its limit"):
        edit_back(session, [before], None, request, "abc")
    assert guardian.asked() == []


def test_a_threshold_is_taken_back(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.queued("abc")
    limits = directory.read().spec.limits
    play(runner.edit(["abc"], thresholds=Thresholds(max_load_per_core=7.0, max_parallel=3)))
    assert directory.read().spec.limits.max_parallel == 3
    undo(runner)
    assert directory.read().spec.limits == limits


def test_a_pinned_baseline_is_taken_back(runner: CommandRunner, runs: Runs) -> None:
    first, second = runs.ended("a", group="g"), runs.ended("b", group="g")
    play(runner.pin_baseline("a", "g", pinned=True, name="lr=1"))
    result = play(runner.pin_baseline("b", "g", pinned=True, name="lr=2"))
    assert result.message == "g: lr=2 is now the baseline"
    assert undo(runner) == "Undone. g: the baseline is as before"
    assert (first.read().baseline, second.read().baseline) == (True, False)
    assert undo(runner) == "Undone. g: the baseline is as before"
    assert not first.read().baseline


def test_moves_are_taken_back_one_by_one(runner: CommandRunner, session: Session, runs: Runs) -> None:
    for run_id in ("a", "b", "c"):
        runs.queued(run_id)
    play(runner.move(["c"], -1))
    play(runner.move(["c"], -1))
    play(runner.move(["c"], -1))  # it was there, so there is nothing to take back
    assert undo(runner) == "Undone. c: number 2 of 3"
    assert undo(runner).startswith("Undone. c: number 3 of 3")
    assert [run.id for run in waiting_runs(session)] == ["a", "b", "c"]
    assert undo(runner) == commands.NOTHING_TO_UNDO


def test_runs_are_moved_together_and_back(runner: CommandRunner, session: Session, runs: Runs) -> None:
    for run_id in "abcde":
        runs.queued(run_id)

    def order() -> str:
        return "".join(run.id for run in waiting_runs(session))

    assert play(runner.move(["d", "b"], -1)).message == "2 runs: moved to 1-3 of 5"
    assert order() == "badce"
    play(runner.move(["d", "b"], -9))
    assert order() == "bdace"
    refused = play(runner.move(["d", "b"], -1))
    assert (refused.done, refused.message) == (False, "2 runs: first in the queue already")
    play(runner.move(["d", "b"], 9))
    assert order() == "acebd"
    assert play(runner.move(["d"], 1)).message == "d: last in the queue already"
    for expected in ("bdace", "badce", "abcde"):
        assert undo(runner).startswith("Undone. 2 runs: back in their places")
        assert order() == expected


def test_a_hold_is_taken_back(runner: CommandRunner, session: Session, runs: Runs) -> None:
    runs.queued("a")
    play(runner.set_queue(held=True))
    play(runner.set_queue(held=True))
    assert undo(runner) == "Undone. Queue released. 1 run waiting"
    assert not is_queue_held(session.home)
    assert undo(runner) == commands.NOTHING_TO_UNDO


def test_a_setting_is_taken_back_with_the_text_of_its_file(runner: CommandRunner, session: Session) -> None:
    before = "# mine\nmax_parallel = 2  # so\n"
    Path(session.config_path).parent.mkdir(parents=True, exist_ok=True)
    Path(session.config_path).write_text(before)
    play(runner.set_config("max_parallel", "3"))
    play(runner.set_config("gpu.max_temp_c", "70"))
    assert undo(runner) == "Undone. gpu.max_temp_c = 85"
    assert undo(runner) == "Undone. max_parallel = 2"
    assert Path(session.config_path).read_text() == before
    play(runner.set_config("max_parallel", "3"))
    Path(session.config_path).write_text("max_parallel = 4\n")
    assert "was changed since" in undo(runner)
    assert Path(session.config_path).read_text() == "max_parallel = 4\n"


def test_a_change_of_a_waiting_run_in_the_form_is_taken_back(runner: CommandRunner, runs: Runs, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("")
    directory = runs.queued(
        "abc", name="train", spec={"command": ("python3", str(script), "--lr", "1"), "cwd": str(tmp_path)}
    )
    before = directory.read()
    words = ("--name", "other", "--cwd", str(tmp_path), "--", "python3", str(script), "--lr", "2")
    assert play(runner.change_queued("abc", words)).done
    assert directory.read().spec.command[-1] == "2"
    assert undo(runner) == "Undone. abc: as before the edit"
    assert (directory.read().name, directory.read().spec.command) == (before.name, before.spec.command)


def test_the_options_of_a_job_are_taken_back_unless_the_site_decided_them(session: Session, runs: Runs) -> None:
    run = runs.queued("abc", spec={"launcher": "slurm", "slurm": SlurmOptions(partition="long")}).read()
    assert _former_options(run, SlurmOptions(partition="short")) == SlurmOptions(partition="long")
    with pytest.raises(UsageError, match="had no qos of its own"):
        _former_options(run, SlurmOptions(partition="short", qos="high"))


def test_an_undo_that_fails_says_why(runner: CommandRunner, session: Session, runs: Runs) -> None:
    directory = runs.ended("abc", name="old")
    play(runner.edit(["abc"], name="new"))
    remove(session, removable_runs(session, ["abc"]))
    assert not os.path.exists(directory.path)
    result = play(runner.undo())
    assert not result.done
    assert "abc" in result.message


def test_the_oldest_of_too_many_steps_is_forgotten() -> None:
    forgotten: list[int] = []
    stack = UndoStack()
    for number in range(MAX_STEPS + 2):
        stack.push(UndoStep(undo=str, forget=lambda number=number: forgotten.append(number)))  # type: ignore[misc]
    assert forgotten == [0, 1]


def test_a_completed_run_is_queued_again_as_a_new_run(runner: CommandRunner, session: Session, runs: Runs) -> None:
    directory = runs.ended("abc", name="train", spec={"command": ("true", "--lr", "1"), "max_run_seconds": 60.0})
    result = play(runner.run_again(["abc"]))
    assert (result.done, result.message) == (True, "abc: queued again as 1 new run")
    (new_id,) = result.run_ids
    new = RunDirectory(session.home.run_folder(new_id)).read()
    assert (new.name, new.spec.command, new.spec.max_run_seconds) == ("train", ("true", "--lr", "1"), 60.0)
    assert directory.read().status is Status.COMPLETED


def test_a_change_in_progress_is_undone_when_it_is_made(
    runner: CommandRunner, session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in ("a", "b", "c"):
        runs.queued(run_id)
    move, started = queueing.move, threading.Event()

    def slow(*arguments: Any) -> Any:
        started.wait(10.0)
        return move(*arguments)

    async def at_once() -> list[str]:
        with monkeypatch.context() as patch:
            patch.setattr(queueing, "move", slow)
            moves = [asyncio.create_task(runner.move(["c"], -2))]
            await asyncio.sleep(0)
            undone = asyncio.create_task(runner.undo())
            await asyncio.sleep(0.05)
            assert not undone.done()
            started.set()
            return [(await task).message for task in (*moves, undone)]

    messages = asyncio.run(at_once())
    assert messages[0].startswith("c: number 1 of 3")
    assert messages[1].startswith("Undone. c: number 3 of 3")
