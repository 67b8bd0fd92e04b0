"""A run as a request: its words make the same request again, and `--like` changes what is given."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from backprop_tui.cli.commands.run import parse_request
from backprop_tui.client.request_words import recent_commands, request_words
from backprop_tui.client.rerun import advised_change, change_queued, request_of
from backprop_tui.client.run_request import RunRequest
from backprop_tui.client.session import ClientSession
from backprop_tui.client.submit import plan, submit
from backprop_tui.domain.errors import UnknownRun, UsageError
from backprop_tui.domain.run import Cause, Ended, Run, without_secrets
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.status import Status
from backprop_tui.store.creation import create
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs

EVERYTHING = (
    "--name nano --tag a --tag 'b c' --note hm --priority 3 --group g --objective val_acc:max -m 1h "
    "--total-minutes 12h --until step=10000 --until 'loss<0.1' --gpus 0 --gpu-memory-limit 80% "
    "--gpu-min-vram 1000 --gpu-max-temp 70 --max-parallel 3 --max-load 0 --min-free-ram 1 --min-free-disk 0 "
    "--gpu-probe none --retries 2 --resume-arg --load={path} --checkpoint-every-minutes 5 --checkpoint-glob '*.pt' "
    "--env A=1 --framework pytorch --stop-signal USR1 --grace-seconds 5 --warn-signal USR2@60 --leftovers kill"
)


@pytest.fixture
def script(workplace: Path) -> Path:
    path = workplace / "train.py"
    path.write_text("parser.add_argument('--fast', action='store_true')\n")
    return path


def _add(session: ClientSession, run: Run) -> Run:
    create(session.home, run, {"PATH": os.defpath}, time=run.created_at)
    return run


def _planned(session: ClientSession, line: str) -> Run:
    return plan(session, parse_request(["--python", sys.executable, *shlex.split(line)])).runs[0]


def _like(session: ClientSession, line: str) -> Run:
    (run,) = plan(session, parse_request(shlex.split(line))).runs
    return run


@pytest.mark.parametrize(
    "line", ["train.py", f"{EVERYTHING} train.py -- --lr 1 -b8 -- x", "train.py -- -- x", "-m none train.py -- ~ ''"]
)
def test_the_words_of_a_run_make_the_same_run_again(session: ClientSession, script: Path, line: str) -> None:
    run = _planned(session, line)
    request = request_of(run, session.settings())
    parsed = parse_request(request_words(request))
    assert {field.name: getattr(parsed, field.name) for field in fields(RunRequest)} == {
        field.name: getattr(request, field.name) for field in fields(RunRequest)
    }
    again = plan(session, parsed).runs[0]
    assert replace(again.spec, python_origin=None) == replace(run.spec, python_origin=None)
    assert (again.name, again.tags, again.note, again.priority, again.group) == (
        *(run.name, run.tags, run.note, run.priority, run.group),
    )


@pytest.mark.parametrize("line", ["python3 train.py --lr 1", "bash -c 'echo $X; true'", "env A=1 python3 -m train x"])
def test_the_words_of_a_command_line_make_the_same_one(session: ClientSession, script: Path, line: str) -> None:
    (run,) = plan(session, parse_request(["--", *shlex.split(line)])).runs
    again = plan(session, parse_request(request_words(request_of(run, session.settings())))).runs[0]
    assert again.spec == run.spec


def test_only_what_differs_from_the_settings_is_an_option(session: ClientSession, script: Path) -> None:
    """So that the command which a form shows says what is special about the run."""
    usual, special = _planned(session, "train.py"), _planned(session, "-m none --retries 2 train.py")
    assert not {"-m", "--retries", "--max-load"} & {*request_words(request_of(usual, session.settings()))}
    assert {"-m", "--retries"} <= {*request_words(request_of(special, session.settings()))}


def test_a_new_run_is_like_another_but_for_what_belongs_to_that_alone(
    session: ClientSession, runs: Runs, script: Path
) -> None:
    run = _add(session, replace(_planned(session, f"{EVERYTHING} train.py -- --lr 1"), id="old1"))
    like = _like(session, "--like old1")
    assert like.spec == replace(run.spec, python_origin=like.spec.python_origin)
    assert (like.name, like.tags) == ("nano", ("a", "b c"))
    assert (like.note, like.priority, like.group) == (None, 0, None)


def test_a_local_run_like_a_slurm_run_asks_for_nothing_of_a_job(
    session: ClientSession, runs: Runs, script: Path
) -> None:
    words = "--launcher slurm --slurm-partition gpu --slurm-extra=--exclude=n3 train.py"
    _add(session, replace(_planned(session, words), id="old1"))
    assert _like(session, "--like old1").spec.slurm.partition == "gpu"
    assert _like(session, "--like old1 --launcher local").spec.slurm == SlurmOptions()


def test_what_is_given_replaces_that_of_the_other_run(session: ClientSession, runs: Runs, script: Path) -> None:
    _add(session, replace(_planned(session, "--tag a --env A=1 --env B=2 -m 5 train.py -- --fast d --lr=1"), id="old1"))
    like = _like(session, "--like old1 --tag b --env A=3 -m none -n new -- --lr 2 --wd 0.1")
    assert like.spec.command[2:] == ("--fast", "d", "--lr=2", "--wd", "0.1")
    assert (like.name, like.tags, like.spec.max_run_seconds) == ("new", ("b",), None)
    assert dict(like.spec.env) == {"A": "3", "B": "2"}


def test_a_sweep_of_a_run_takes_the_place_of_the_value(session: ClientSession, runs: Runs, script: Path) -> None:
    _add(session, replace(_planned(session, "train.py -- --lr=1 --seed 2"), id="old1"))
    planned = plan(session, parse_request(shlex.split("--like old1 --sweep lr=3,4")))
    assert [run.spec.command[2:] for run in planned.runs] == [("--lr=3", "--seed", "2"), ("--lr=4", "--seed", "2")]
    member = _add(session, replace(planned.runs[0], id="member"))
    assert member.name == "train:lr=3"
    assert _like(session, "--like member -- --lr 9").name == "train"


def test_the_arguments_of_a_launched_script_are_changed(session: ClientSession, runs: Runs, script: Path) -> None:
    runs.ended("old1", spec={"command": ("env", "X=1", "python3", "train.py", "--lr", "1"), "cwd": str(script.parent)})
    assert _like(session, "--like old1 -- --lr 2").spec.command == ("env", "X=1", "python3", "train.py", "--lr", "2")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--like old1 -- --lr 2", "the arguments of run old1 are inside of its shell command"),
        ("--like old1 train.py", "--like names already what to run"),
        ("--like old1 --lr 2", "with --like, the arguments of the command come after --"),
    ],
)
def test_what_cannot_be_changed_is_refused(
    session: ClientSession, runs: Runs, script: Path, line: str, problem: str
) -> None:
    runs.ended("old1", spec={"command": ("bash", "-c", "python3 train.py --lr 1"), "cwd": str(script.parent)})
    with pytest.raises(UsageError, match=problem):
        _like(session, line)


def test_an_unknown_run_is_the_usual_error(session: ClientSession) -> None:
    with pytest.raises(UnknownRun, match="no run 'nix'"):
        _like(session, "--like nix")


@pytest.mark.usefixtures("script")
def test_a_variable_whose_value_is_not_kept_is_named(
    session: ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _planned(session, "train.py")
    env = without_secrets([("W_TOKEN", "x"), ("A", "1")])
    _add(session, replace(run, id="old1", spec=replace(run.spec, env=env)))
    assert dict(_like(session, "--like old1").spec.env) == {"A": "1"}
    assert "--env W_TOKEN was given before" in capsys.readouterr().err


def test_recent_commands_are_kept_without_values_of_variables(session: ClientSession, script: Path) -> None:
    for line in ("train.py -- --lr 1", "--env SECRET=x -m 5 train.py -- --lr 2", "train.py -- --lr 1"):
        submit(session, parse_request(shlex.split(line)))
    commands = recent_commands(session.home)
    assert [words[-1] for words in commands] == ["1", "2"]
    assert commands[1][:2] == ("-m", "5")
    assert "SECRET" not in Path(session.home.commands).read_text()
    assert os.stat(session.home.commands).st_mode & 0o777 == 0o600
    Path(session.home.commands).write_text("{damaged")
    assert recent_commands(session.home) == []


def _changed(session: ClientSession, run: Run, line: str) -> Run:
    change_queued(session, run.id, parse_request(["--python", sys.executable, *shlex.split(line)]))
    return RunDirectory(session.home.run_folder(run.id)).read()


def test_a_waiting_run_gets_another_command_and_keeps_its_place(session: ClientSession, script: Path) -> None:
    words = ["--python", sys.executable, "--env", "A=1", "--env", "B=1", "--key", "k", "train.py", "--", "--lr", "1"]
    (run_id,) = submit(session, parse_request(words))
    directory = RunDirectory(session.home.run_folder(run_id))
    before = directory.read()
    after = _changed(session, before, "--env A=2 --tag new -m 3 train.py -- --lr 2")
    assert after.spec.command[2:] == ("--lr", "2")
    assert (after.tags, after.spec.max_run_seconds, after.spec.key) == (("new",), 180.0, "k")
    assert (after.position, after.created_at, after.id) == (before.position, before.created_at, before.id)
    environment = directory.read_environment()
    assert environment["A"] == "2"
    assert "B" not in environment


def test_a_run_that_has_started_keeps_its_command(session: ClientSession, runs: Runs, script: Path) -> None:
    for directory in (runs.ended("old1", Status.FAILED), runs.guarded("now1").directory):
        with pytest.raises(UsageError, match="has started"):
            _changed(session, directory.read(), "train.py")


def test_a_waiting_run_of_another_machine_is_not_changed(session: ClientSession, runs: Runs, script: Path) -> None:
    directory = runs.queued("far1", host="elsewhere")
    with pytest.raises(UsageError, match="run far1 waits on elsewhere"):
        _changed(session, directory.read(), "train.py")


def test_a_waiting_run_cannot_become_a_sweep(session: ClientSession, script: Path) -> None:
    (run_id,) = submit(session, parse_request(["train.py"]))
    with pytest.raises(UsageError, match="cannot become a sweep"):
        _changed(session, RunDirectory(session.home.run_folder(run_id)).read(), "--sweep lr=1,2 train.py")


@pytest.mark.parametrize(
    ("definition", "arguments", "expected"),
    [
        ("'-b', '--batch_size', type=int, default=64", "", (("--batch_size", "64", "32"), None)),
        ("'--batch-size', type=int, required=True", "", (None, ": add --batch-size N")),
        ("'--batch-size', default=2 * N", "", (None, ": add --batch-size N")),
        ("'--batch-size', default=64)\np.set_defaults(batch_size=8", "", (None, ": add --batch-size N")),
        ("'--lr'", "", (None, "")),
        ("'-b', '--batch_size', default=64", "-- --batch_size 64", (None, None)),
    ],
)
def test_after_a_lack_of_memory_the_default_batch_size_is_halved_or_the_option_is_named(
    session: ClientSession, script: Path, definition: str, arguments: str, expected: tuple[object, str | None]
) -> None:
    script.write_text(f"parser.add_argument({definition})\n")
    run = _planned(session, f"train.py {arguments}")
    assert advised_change(run) == (None, None)
    failed = replace(run, state=Ended(status=Status.FAILED, at=1.0, cause=Cause(kind="cuda_oom", advice="less")))
    change, end = expected
    advice = None if end is None else f"advice: use a smaller batch; this command gives none{end}"
    assert advised_change(failed) == (change, advice)


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        ("-- --lr 2", "--out ck/1-a has the old --lr in it: ck/2-a has the new"),
        (
            "-- --fast",
            "--out ck/1-a is also that of run old1, whose files may be overwritten; for another: -- --out NEW",
        ),
        ("-- --lr 2 --out ck/2-a", None),
    ],
)
def test_an_output_that_is_taken_over_from_the_other_run_is_pointed_out(
    session: ClientSession, runs: Runs, script: Path, given: str, warning: str | None
) -> None:
    _add(session, replace(_planned(session, "train.py -- --lr 1 --out ck/1-a --log-dir tb"), id="old1"))
    _like(session, f"--like old1 {given}")
    assert session.warnings == ({warning} if warning else set())


def test_advice_in_a_form_names_the_field_for_other_options(session: ClientSession, runs: Runs, script: Path) -> None:
    request = parse_request(["--total-minutes", "60", "--python", sys.executable, "train.py"])
    planned = plan(session, request)
    option = "--resume-arg '--your-flag {path}'"
    assert f"give {option}, or" in str(planned.advice())
    assert f"give {option} in the field Options, or" in str(planned.advice(in_form=True))
    without = replace(planned, program=replace(planned.program, advice="make it again, or use --python"))
    assert "use --python in the field Options" in str(without.advice(in_form=True))
