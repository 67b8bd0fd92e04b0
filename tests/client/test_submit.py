"""The arguments of `run` become runs in the queue; the same submission is not queued twice."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.cli.commands.run import parse_request
from backprop_tui.client.control import StopControl
from backprop_tui.client.handles import resolve
from backprop_tui.client.runs import current, ended_newest_first
from backprop_tui.client.session import ClientSession
from backprop_tui.client.submit import RUN_ID_LENGTH, SubmissionPlan, new_run_id, plan, run_id_of_key, submit
from backprop_tui.domain.errors import NotFound, UsageError
from backprop_tui.domain.limits import GIGABYTE, MEGABYTE, MemoryLimit
from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import Dependency, Queued, Run, StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.store import creation
from backprop_tui.store.home import RUN_ID
from backprop_tui.store.index import read_all
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs


@pytest.fixture
def script(workplace: Path) -> Path:
    path = workplace / "train.py"
    path.write_text("import argparse\n")
    return path


def _plan(session: ClientSession, *words: str) -> SubmissionPlan:
    return plan(session, parse_request(["--python", sys.executable, "train.py", *words]))


def _run(session: ClientSession, *words: str) -> Run:
    (run,) = _plan(session, *words).runs
    return run


def _submitted(session: ClientSession, *words: str) -> list[str]:
    return submit(session, parse_request(words))


def test_a_script_without_options_gets_the_documented_defaults(session: ClientSession, script: Path) -> None:
    run = _run(session)
    assert (run.name, run.priority, run.group, run.tags, run.note) == ("train", 0, None, (), None)
    assert run.spec.command == (sys.executable, str(script))
    assert run.spec.cwd == str(script.parent)
    assert run.spec.max_run_seconds == 600.0
    assert run.spec.stop == StopPlan()
    assert run.spec.limits.max_parallel is None
    assert run.spec.limits.min_free_ram_bytes == 4 * GIGABYTE
    assert run.spec.gpus is None
    assert run.state == Queued(since=run.created_at)


def test_an_argument_that_the_script_does_not_define_is_a_remark_and_no_error(
    session: ClientSession, script: Path
) -> None:
    script.write_text("parser.add_argument('--batch-size', type=int)\n")
    remark = "train.py defines no --bacth-size, but --batch-size"
    assert _plan(session, "--", "--bacth-size", "8").advice() == remark
    command = [sys.executable, "train.py", "--bacth-size", "8"]
    assert plan(session, parse_request(["--", *command])).advice() == remark
    assert plan(session, parse_request(["--sweep", "bacth-size=8,16", "train.py"])).advice() == remark
    assert _plan(session, "--", "--batch-size", "8").advice() is None


def test_every_option_reaches_the_run(session: ClientSession, script: Path, runs: Runs) -> None:
    runs.queued("other")
    checkpoint = script.parent / "c.pt"
    checkpoint.write_bytes(b"x")
    (script.parent / "elsewhere").mkdir()
    words = """-m 5 -f pytorch -c 2 -r c.pt -n mine -g 80% -p 3 --min-free-ram 2 --gpu-probe none --gpu-min-vram 100
        --gpu-max-temp 70 --gpus 1 --gpu-ids 0,2 --priority 4 --after other:any --retries 2 --total-minutes 60
        --group g --tag a --tag b --note words --cwd elsewhere --env A=1 --stop-signal TERM --grace-seconds 5
        --leftovers wait
        --warn-signal USR1@60 --resume-arg --resume={path} --checkpoint-glob *.pt --launcher local --run-id given"""
    plan = _plan(session, *words.split(), "--", "--lr", "3")
    (run,) = plan.runs
    spec, limits = run.spec, run.spec.limits
    assert (run.id, run.name, run.group, run.tags, run.note, run.priority) == (
        "given",
        "mine",
        "g",
        ("a", "b"),
        "words",
        4,
    )
    assert spec.command == (sys.executable, str(script), "--lr", "3")
    assert (spec.max_run_seconds, spec.total_seconds, spec.checkpoint_every_seconds) == (300.0, 3600.0, 120.0)
    assert (spec.framework, spec.launcher, spec.retries, spec.gpus, spec.gpu_ids) == (
        "pytorch",
        "local",
        2,
        1,
        ("0", "2"),
    )
    assert (spec.resume_arg, spec.checkpoint_globs, spec.gpu_probe) == ("--resume={path}", ("*.pt",), "none")
    assert spec.after == (Dependency(run="other", any_end=True),)
    assert spec.cwd == str(script.parent / "elsewhere")
    assert spec.leftovers == "wait"
    assert spec.stop == StopPlan(stop_signal="SIGTERM", grace_seconds=5.0, warn_signal="SIGUSR1", warn_seconds=60.0)
    assert limits.gpu_memory_limit == MemoryLimit(fraction=0.8)
    assert (limits.max_parallel, limits.min_free_ram_bytes) == (3, 2 * GIGABYTE)
    assert (limits.gpu_min_free_vram_bytes, limits.gpu_max_temp_celsius) == (100 * MEGABYTE, 70.0)
    assert isinstance(run.state, Queued)
    assert run.state.resume_from == str(checkpoint)
    assert (plan.environment["A"], plan.environment["PWD"]) == ("1", spec.cwd)


def test_settings_apply_if_no_option_is_given(session: ClientSession, script: Path) -> None:
    (script.parent / "backprop.toml").write_text(
        "max_run_minutes = 3\n[gpu]\nmax_temp_c = 70\n"
        '[run]\nstop_signal = "TERM"\nwarn_signal = "USR1@30"\nretries = 2\n'
    )
    run = _run(session, "--retries", "5")
    assert (run.spec.max_run_seconds, run.spec.retries, run.spec.limits.gpu_max_temp_celsius) == (180.0, 5, 70.0)
    assert run.spec.stop == StopPlan(stop_signal="SIGTERM", warn_signal="SIGUSR1", warn_seconds=30.0)


def test_none_removes_a_limit_of_the_settings(session: ClientSession, script: Path) -> None:
    (script.parent / "backprop.toml").write_text('[run]\nwarn_signal = "USR1@30"\n')
    run = _run(session, "-m", "none", "--warn-signal", "none")
    assert (run.spec.max_run_seconds, run.spec.stop.warn_signal) == (None, None)


def test_the_settings_may_name_an_interpreter(session: ClientSession, script: Path) -> None:
    (script.parent / "backprop.toml").write_text(f'[run]\npython = "{sys.executable}"\n')
    (run,) = plan(session, parse_request(["train.py"])).runs
    assert run.spec.command[0] == sys.executable
    assert "run.python" in str(run.spec.python_origin)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cwd", "nowhere"], "--cwd nowhere"),
        (["--cwd", "train.py"], "not a directory"),
        (["-r", "nothing"], r"--resume-from nothing: not found; the newest .*: backprop-tui resume RUN;"),
        (["-r", "tarin.py"], r"--resume-from tarin.py: not found; did you mean train.py\?"),
        (["--python", "/nothing/python"], "--python"),
        (["--after", "nobody"], "--after nobody"),
        (["--gpus", "3", "--gpu-ids", "0,1"], "--gpus 3"),
        (["--gpus", "0", "--gpu-ids", "0"], "--gpus 0"),
        (["--run-id", "a/b"], "--run-id 'a/b'"),
        (["--run-id", "a", "--sweep", "x=1,2"], "--run-id names one run"),
        (["--slurm-partition", "gpu"], "--slurm-partition gpu: needs the Slurm launcher"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    session: ClientSession, script: Path, words: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        _plan(session, *words)
    assert os.listdir(session.home.runs) == []


def test_neither_script_nor_command_is_a_usage_error(session: ClientSession, workplace: Path) -> None:
    with pytest.raises(UsageError, match="SCRIPT is missing"):
        plan(session, parse_request(["-m", "5"]))


def test_a_missing_script_is_not_found(session: ClientSession, script: Path) -> None:
    with pytest.raises(NotFound, match=r"did you mean train\.py"):
        plan(session, parse_request(["trian.py"]))


def test_a_sweep_takes_the_place_of_a_value_however_its_option_is_spelled(session: ClientSession, script: Path) -> None:
    runs = _plan(session, "--sweep", "batch_size=1,2", "--", "--batch-size", "64", "--lr", "1").runs
    assert [run.spec.command[2:] for run in runs] == [
        ("--batch-size", "1", "--lr", "1"),
        ("--batch-size", "2", "--lr", "1"),
    ]


def test_a_sweep_is_a_group_of_runs_in_order(session: ClientSession, script: Path) -> None:
    runs = _plan(session, "--sweep", "lr=1,2", "--sweep", "seed=1..2", "--", "{lr}").runs
    assert [run.name for run in runs] == [
        "train:lr=1,seed=1",
        "train:lr=1,seed=2",
        "train:lr=2,seed=1",
        "train:lr=2,seed=2",
    ]
    assert runs[2].spec.command[2:] == ("2", "--seed", "1")
    (group,) = {run.group for run in runs}
    assert group is not None
    assert group.startswith("train-")
    assert sorted(runs, key=lambda run: run.position) == list(runs)
    assert len({run.id for run in runs}) == 4


@pytest.mark.parametrize("axis", ["lr=1e-3,1e-4,0.1", "seed=9..12", "name=b,a"])
def test_a_sweep_stays_in_order_wherever_it_is_listed(session: ClientSession, script: Path, axis: str) -> None:
    run_ids = _submitted(session, "--python", sys.executable, "train.py", "--sweep", axis)
    records = [current(session, run_id) for run_id in run_ids]
    assert len({record["created_at"] for record in records}) == len(run_ids), "JSON tells them apart"
    assert resolve(session, "@last") == [run_ids[-1]]
    assert resolve(session, str(records[0]["group"])) == run_ids
    for run_id in run_ids:
        StopControl(session, run_id, StopRequest(by="person", reason="stopped")).poll()
    indexed = read_all(session.home) | {run_id: current(session, run_id) for run_id in run_ids}
    ended = ended_newest_first(indexed, [], [])
    assert [record["id"] for record in ended] == run_ids[::-1]


def test_a_submitted_run_is_queued_with_its_environment_and_a_marker(
    session: ClientSession, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "42")
    (run_id,) = _submitted(session, "--python", sys.executable, "train.py")
    directory = RunDirectory(session.home.run_folder(run_id))
    assert directory.read().status is Status.QUEUED
    assert directory.read_environment()["SECRET"] == "42"
    assert os.path.exists(session.home.marker(run_id))
    with open(directory.record_path) as file:
        assert "SECRET" not in file.read()


def test_an_id_that_is_taken_is_refused_with_the_advice_to_resume(session: ClientSession, script: Path) -> None:
    _submitted(session, "--run-id", "mine", "--", "true")
    with pytest.raises(UsageError, match="backprop-tui resume mine"):
        _submitted(session, "--run-id", "mine", "--", "true")


def test_a_generated_id_that_is_taken_is_generated_again(
    session: ClientSession, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(["same", "same", "other"])
    monkeypatch.setattr("backprop_tui.client.submit.new_run_id", lambda: next(ids))
    assert _submitted(session, "--", "true") == ["same"]
    assert _submitted(session, "--", "true") == ["other"]


def test_the_same_key_gives_the_same_run_again(session: ClientSession, workplace: Path) -> None:
    first = _submitted(session, "--key", "k", "--", "true")
    assert _submitted(session, "--key", "k", "--", "true") == first
    assert _submitted(session, "--key", "other", "--", "true") != first
    assert len(os.listdir(session.home.runs)) == 2


def test_a_key_of_a_sweep_gives_all_its_runs_again(session: ClientSession, script: Path) -> None:
    words = ("--python", sys.executable, "train.py", "--key", "k", "--sweep", "x=1..3")
    first = _submitted(session, *words)
    assert len(first) == 3
    assert _submitted(session, *words) == first


def test_a_submission_that_died_half_way_is_completed_without_duplicates(
    session: ClientSession, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = creation.create
    made: list[str] = []

    def dies_after_two(home: Any, run: Run, *rest: Any, **named: Any) -> Any:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(run.id)
        return real(home, run, *rest, **named)

    words = ("--key", "k", "--sweep", "x=1..4", "--", "true")
    with monkeypatch.context() as patched:
        patched.setattr("backprop_tui.client.submit.create", dies_after_two)
        with pytest.raises(KeyboardInterrupt):
            _submitted(session, *words)
    ids = _submitted(session, *words)
    assert ids[:2] == made
    assert sorted(os.listdir(session.home.runs)) == sorted(ids)


def test_ids_are_safe_short_and_begin_with_a_letter() -> None:
    ids = {new_run_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(RUN_ID.fullmatch(run_id) and run_id[0].isalpha() and len(run_id) == RUN_ID_LENGTH for run_id in ids)
    assert run_id_of_key("k", 0) == run_id_of_key("k", 0) != run_id_of_key("k", 1)


def test_each_goal_is_kept_once(session: ClientSession, script: Path) -> None:
    (run,) = _plan(session, "--until", "step=10000", "--until", "loss<0.1", "--until", "step=1e4").runs
    assert [str(until) for until in run.spec.until] == ["step=10000", "loss<0.1"]


def test_a_wrong_goal_is_refused_with_an_example(session: ClientSession, script: Path) -> None:
    with pytest.raises(UsageError, match=r"--until: 'loss<': write a name, one of .* step=10000"):
        _plan(session, "--until", "loss<")
