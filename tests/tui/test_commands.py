"""The dashboard's commands: what they do to the store, and the line that they return."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.client.queueing import is_queue_held
from backprop_tui.domain.command_lines import find_target
from backprop_tui.domain.errors import NotFound, UsageError
from backprop_tui.domain.status import Status
from backprop_tui.domain.thresholds import Thresholds
from backprop_tui.main import _CommandLine
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.tui import Mode
from backprop_tui.tui.background_calls import READ_ONLY
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.screens.draft import words_of
from backprop_tui.tui.screens.edited_command import EditedCommand
from tests.support.runs import Runs
from tests.support.store_fixtures import runs, session, workplace
from tests.support.waiting import wait_until

__all__ = ["runs", "session", "workplace"]

ResultT = TypeVar("ResultT")


@pytest.fixture
def runner(session: Session) -> CommandRunner:
    return CommandRunner(session.home, session.config_path, _CommandLine())


def play(work: Awaitable[ResultT]) -> ResultT:
    async def wait() -> ResultT:
        return await work

    return asyncio.run(wait())


def test_a_queued_run_is_stopped(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.queued("abc", name="train")
    result = play(runner.stop(["abc"]))
    assert (result.done, result.message) == (True, "abc: stopped")
    assert directory.read().status is Status.STOPPED


def test_a_read_only_runner_changes_nothing(session: Session, runs: Runs) -> None:
    directory = runs.queued("abc", name="train")
    runner = CommandRunner(session.home, session.config_path, _CommandLine(), Mode.READ_ONLY)
    changes = [
        runner.stop(["abc"]),
        runner.edit(["abc"], name="other"),
        runner.submit(["train.py"]),
        runner.move(["abc"], 1),
        runner.set_queue(held=True),
        runner.set_config("max_parallel", "1"),
    ]
    assert [play(change).message for change in changes] == [READ_ONLY] * len(changes)
    assert directory.read().status is Status.QUEUED
    assert not is_queue_held(session.home)
    assert play(runner.settings())["max_parallel"] == "auto"


def test_an_ended_run_had_ended_already(runner: CommandRunner, runs: Runs) -> None:
    runs.ended("abc", name="train")
    assert play(runner.stop(["abc"])).message == "abc: had ended already: completed"


def test_several_runs_are_counted(runner: CommandRunner, runs: Runs) -> None:
    runs.queued("a")
    runs.queued("b")
    assert play(runner.stop(["a", "b"])).message == "2 runs: stopped"


def test_a_refusal_is_returned_and_not_raised(runner: CommandRunner, runs: Runs) -> None:
    runs.queued("abc")
    result = play(runner.pause(["abc"]))
    assert not result.done
    assert "run abc is waiting" in result.message


def test_a_call_that_waits_does_not_keep_the_others_waiting(runner: CommandRunner, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    runs.queued("other")

    async def both() -> None:
        stop = asyncio.create_task(runner.stop(["abc"]))
        assert (await runner.edit(["other"], note="n")).done
        assert not stop.done()
        await asyncio.to_thread(wait_until, guardian.asked, "a request")
        guardian.ends(Status.STOPPED)
        assert (await stop).message == "abc: stopped"

    asyncio.run(both())


def test_a_request_is_on_disk_before_the_dashboard_is_left(runner: CommandRunner, runs: Runs) -> None:
    guardian = runs.guarded("abc")

    async def leave_at_once() -> None:
        task = asyncio.create_task(runner.stop(["abc"]))
        await asyncio.sleep(0)
        runner.wait_until_recorded(5.0)
        task.cancel()

    asyncio.run(leave_at_once())
    assert len(guardian.asked()) == 1
    guardian.ends(Status.STOPPED)


def test_leaving_waits_no_longer_than_it_may(runner: CommandRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("backprop_tui.client.queueing.hold_queue", lambda _: released.wait(10.0))

    async def leave() -> None:
        task = asyncio.create_task(runner.set_queue(held=True))
        await asyncio.sleep(0.05)
        runner.wait_until_recorded(0.05)
        assert not released.is_set()
        released.set()
        await task

    asyncio.run(leave())


def test_an_edit_is_recorded_and_summarised(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.ended("abc", name="old")
    result = play(runner.edit(["abc"], name="new", tags=("a", "a", ""), priority=3))
    assert (result.done, result.message) == (True, "abc changed: renamed to new, tags a, priority 3")
    assert (directory.read().name, directory.read().tags) == ("new", ("a",))


def test_a_timebox_may_be_taken_away(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.queued("abc")
    assert play(runner.edit(["abc"], max_run_seconds=float("inf"))).message == "abc changed: no time limit"
    assert directory.read().spec.max_run_seconds is None


def test_a_threshold_of_a_waiting_run_is_changed(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.queued("abc")
    result = play(runner.edit(["abc"], thresholds=Thresholds(min_free_ram_bytes=0)))
    assert (result.done, result.message) == (True, "abc changed: min_free_ram_gb 0")
    assert directory.read().spec.limits.min_free_ram_bytes == 0


def test_ended_runs_are_queued_again(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.ended("abc", Status.FAILED, exit_code=1)
    result = play(runner.resume(["abc"]))
    assert (result.done, result.run_ids) == (True, ("abc",))
    assert result.message == "abc: queued again from the beginning, limit 10m"
    assert directory.read().status is Status.QUEUED
    assert not play(runner.resume(["abc"])).done


def test_a_run_is_moved_in_the_queue(runner: CommandRunner, runs: Runs) -> None:
    for run_id in ("a", "b", "c"):
        runs.queued(run_id)
    assert play(runner.move(["c"], -2)).message == "c: number 1 of 3"


def test_the_queue_is_held_and_released(runner: CommandRunner, session: Session, runs: Runs) -> None:
    runs.queued("a")
    assert play(runner.set_queue(held=True)).message == "Queue held. 1 run waiting"
    assert is_queue_held(session.home)
    assert play(runner.set_queue(held=False)).message == "Queue released. 1 run waiting"
    assert not is_queue_held(session.home)


def test_ended_runs_are_removed_and_others_are_kept(runner: CommandRunner, runs: Runs) -> None:
    directory = runs.ended("abc")
    runs.queued("waits")
    assert "stop it first" in play(runner.remove(["waits"])).message
    assert play(runner.remove(["abc"])).done
    assert not Path(directory.path).exists()


def test_a_command_line_is_queued(runner: CommandRunner, session: Session, workplace: Path) -> None:
    result = play(runner.submit(["--name", "mine", "--", "true"]))
    (run_id,) = result.run_ids
    run = RunDirectory(session.home.run_folder(run_id)).read()
    assert (run.name, run.spec.command) == ("mine", ("true",))
    environment = RunDirectory(session.home.run_folder(run_id)).read_environment()
    assert environment["BACKPROP_HOME"] == session.home.root


def test_a_dry_run_says_what_the_governor_would_decide(
    runner: CommandRunner, session: Session, workplace: Path, runs: Runs
) -> None:
    (workplace / "train.py").write_text("")
    words = ["--python", sys.executable, "--gpu-probe", "none", "--min-free-ram", "0", "train.py"]
    verdict = play(runner.dry_run(words))
    assert verdict.runs == 1
    assert (verdict.message == "starts now") == (verdict.starts == 1)  # this machine may be busy
    assert verdict.python is not None
    runs.queued("other")
    assert play(runner.dry_run(["-p", "1", "--sweep", "x=1..3", *words])).runs == 3
    assert [run.name for run in Path(session.home.runs).iterdir()] == ["other"]


def test_a_dry_run_of_several_commands_takes_those_before_to_have_started(
    runner: CommandRunner, session: Session, workplace: Path
) -> None:
    limits = "[governor]\nmax_load_per_core = 0\nstarts_per_minute = 0\n"
    Path(session.config_path).parent.mkdir(parents=True)
    Path(session.config_path).write_text(f"max_parallel = 1\nmin_free_ram_gb = 0\n{limits}")
    lines = [["--gpu-probe", "none", "--", "sleep", seconds] for seconds in ("1", "2", "3", "4")]
    verdict = play(runner.dry_run(*lines))
    assert (verdict.starts, verdict.runs, verdict.text[:24]) == (1, 4, "4 runs, 1 start now; the")


@pytest.mark.parametrize(
    ("line", "sweep", "advised"),
    [
        ("train.py --lr 1,2 --seed 0,1 --epochs 8", "", "--out ckpt/{lr}-{seed}"),
        ("train.py --seed 0,1 --out=m.pt", "lr=1,2", "--out m-{lr}-{seed}.pt --lr {lr}"),
        ("python -u train.py --lr 1,2", "seed=0..1", "--out ckpt/{seed}-{lr} --seed {seed}"),
    ],
)
def test_what_a_form_advises_for_a_sweep_into_one_directory_can_be_typed_at_the_end_of_its_command(
    runner: CommandRunner, session: Session, workplace: Path, line: str, sweep: str, advised: str
) -> None:
    (workplace / "train.py").write_text("parser.add_argument('--out', default='ckpt')")
    command = EditedCommand.of({"command": line}).all_switched()
    warning = play(runner.dry_run(words_of(command.placed({"sweep": sweep})))).warning or ""
    assert warning.endswith(f"to give each run its own, set in the command: {advised}")
    words = words_of(command.with_text(f"{line} {advised}").placed({"sweep": sweep}))
    assert play(runner.dry_run(words)).warning is None
    runs = [RunDirectory(session.home.run_folder(run_id)).read() for run_id in play(runner.submit(words)).run_ids]
    targets = [find_target(run.spec.command).arguments for run in runs]
    for options in (("--out",), ("--lr", "--seed")):
        assert len({tuple(words[words.index(option) + 1] for option in options) for words in targets}) == 4
    assert not any("{" in word or word == "--" for words in targets for word in words)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nix.py"], NotFound),
        (["--nmae", "x", "train.py"], UsageError),
        (["--help"], UsageError),
        (["--dry-run", "train.py"], UsageError),
        (["--no-wait", "train.py"], UsageError),
    ],
)
def test_a_command_line_that_is_refused_raises_its_error(
    runner: CommandRunner, workplace: Path, words: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        play(runner.dry_run(words))
    assert not play(runner.submit(words)).done


def test_what_is_wrong_with_the_keys_is_among_the_problems_of_the_settings(
    runner: CommandRunner, session: Session, workplace: Path
) -> None:
    Path(session.config_path).parent.mkdir(parents=True)
    Path(session.config_path).write_text('max_paralel = 1\n[keys]\nf6 = "nope"\nf7 = "no"\n')
    lines = [problem.where.rpartition(":")[2] for problem in play(runner.settings()).problems]
    assert lines == ["1", "3", "4"]


def test_a_setting_is_written_and_read(runner: CommandRunner) -> None:
    assert play(runner.set_config("max_parallel", "3")).message == "written: max_parallel = 3"
    assert play(runner.settings())["max_parallel"] == 3
    written = play(runner.set_config("gpu.max_temp_c", "80"))
    assert written.message == "written for later runs: gpu.max_temp_c = 80"
    assert not play(runner.set_config("max_parallel", "many")).done


def test_a_setting_that_does_not_apply_is_not_called_written_alone(
    runner: CommandRunner, session: Session, workplace: Path
) -> None:
    project = workplace / "backprop.toml"
    project.write_text("max_run_minutes = 240\n")
    applies = f"but 240 of {project}:1 applies"
    written = play(runner.set_config("max_run_minutes", "90"))
    assert written.message == f"max_run_minutes = 90: written to {session.config_path}, {applies}"
    undone = play(runner.undo()).message
    assert undone == f"Undone. max_run_minutes: {session.config_path} is as before, {applies}"


def test_no_run_is_queued_while_a_setting_of_runs_is_wrong(runner: CommandRunner, session: Session) -> None:
    path = Path(session.config_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("max_run_minutes = 'two hours'\n")
    result = play(runner.submit(["--", "true"]))
    assert not result.done
    assert "max_run_minutes = 'two hours'" in result.message
    assert "`backprop-tui config set max_run_minutes VALUE`" in result.message


@pytest.mark.parametrize(
    ("error", "message"), [(OSError(28, "No space left", "/x"), "/x: No space left"), (KeyError("k"), "internal error")]
)
def test_any_error_becomes_a_message(
    runner: CommandRunner, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(_: object) -> Callable[[], None]:
        raise error

    monkeypatch.setattr("backprop_tui.client.queueing.hold_queue", fail)
    assert message in play(runner.set_queue(held=True)).message


def test_status_and_doctor_come_from_the_command_line(runner: CommandRunner) -> None:
    assert "supervisor" in play(runner.status())
    assert play(runner.doctor())[-1] == "no problems found" or "warning" in play(runner.doctor())[-1]


def test_what_needs_the_command_line_is_refused_without_it(session: Session) -> None:
    with pytest.raises(UsageError):
        play(CommandRunner(session.home, session.config_path).status())
