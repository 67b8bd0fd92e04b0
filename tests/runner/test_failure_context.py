"""The context of a failure."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.lifecycle import finish_attempt
from backprop_tui.domain.live import Clock, Live, PostponedStop, Stopping
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, HostReading, Readings
from backprop_tui.probes.readings import Sample, encode_sample
from backprop_tui.processes.linux import boot_id
from backprop_tui.runner import failure_context, finalize
from backprop_tui.runner.failure_context import FailureContext, file_system
from backprop_tui.runner.finalize import outcome_of
from backprop_tui.runner.script import Exit
from backprop_tui.store.run_directory import RunDirectory
from tests.domain.causes.failures import raised
from tests.domain.runs import queued, running

MINE = queued().id


def context(folder: Path, log: str, **live: Any) -> FailureContext:
    (folder / "output.log").write_text(log)
    run = running(queued(cwd=str(folder), command=("python3", "train.py"), script=str(folder / "a/train.py")))
    return FailureContext(
        directory=RunDirectory(str(folder)),
        run=run,
        live=Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(), time=0.0, **live),
        readings_path=str(folder / "none"),
    )


def test_only_the_log_of_this_attempt_counts(tmp_path: Path) -> None:
    first = raised("KeyError: 1")
    later = context(tmp_path, first + "step 1\n", attempt_log_offset=len(first))
    assert outcome_of(Exit(code=1), None, later).cause is not None
    assert [line.text for line in later.clues(exit_code=1, signal=None).lines] == ["step 1"]
    assert later.clues(exit_code=1, signal=None).lines[0].number == 5


def test_a_run_without_an_exit_status_is_lost_with_the_cause_from_its_log(tmp_path: Path) -> None:
    outcome = outcome_of(Exit(), None, context(tmp_path, "step 1\n" + raised("KeyError: 1")))
    assert outcome.status is Status.LOST
    assert outcome.cause is not None
    assert (outcome.cause.kind, outcome.cause.line) == ("python_error", 5)
    silent = outcome_of(Exit(), None, context(tmp_path, "step 1\nstep 2\n"))
    assert silent.cause is not None
    assert (silent.cause.kind, silent.cause.evidence, silent.cause.line) == ("unknown", "step 2", 2)


def test_after_our_own_signal_the_log_is_not_searched(tmp_path: Path) -> None:
    stopping = Stopping(status=Status.TIMEBOXED, by="timebox", reason="at its limit", since=0, stage=1, deadline=1)
    failure = context(tmp_path, raised("KeyboardInterrupt"))
    assert outcome_of(Exit(code=1), stopping, failure).cause is None
    stopped = outcome_of(Exit(code=1), replace(stopping, status=Status.STOPPED, by="session"), failure)
    assert stopped.cause is not None
    assert stopped.cause.kind == "session_ended"


def test_a_goal_that_was_reached_while_the_timebox_stopped_the_script_is_the_reason(tmp_path: Path) -> None:
    failure = context(tmp_path, "step 30\n")
    stopping = Stopping(
        status=Status.TIMEBOXED, by="timebox", reason="reached its limit of 1s", since=0, stage=1, deadline=1
    )
    assert outcome_of(Exit(code=0), stopping, failure).reason == "reached its limit of 1s"
    reached = replace(failure, live=replace(failure.live, reached="step 30 reached"))
    assert outcome_of(Exit(code=0), stopping, reached).reason == "step 30 reached"
    by_person = replace(stopping, status=Status.STOPPED, reason="stopped by you")
    assert outcome_of(Exit(code=0), by_person, reached).reason == "stopped by you"


def test_a_last_loss_that_is_not_finite_is_a_fact(tmp_path: Path) -> None:
    failure = context(tmp_path, "bye\n", metrics={"lr": math.nan, "train_loss": math.inf}, step=9)
    assert failure.clues(exit_code=1, signal=None).facts.nan_loss == "train_loss is inf at step 9"


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ((2.0, math.nan, 1.0, math.nan, math.inf), "loss is nan since step 3"),
        ((1.0, 1.0, 1.0, 1.0, math.nan), "loss is nan at step 4"),
        ((math.nan,) * 5, "loss is nan since step 0"),
    ],
)
def test_the_step_since_when_the_loss_is_not_finite_is_reported(
    tmp_path: Path, losses: tuple[float, ...], message: str
) -> None:
    failure = context(tmp_path, "bye\n", metrics={"loss": math.nan}, step=4)
    lines = [
        {"step": step, "metrics": {"loss": loss if math.isfinite(loss) else str(loss)}}
        for step, loss in enumerate(losses)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"step": 9, "me')
    assert failure.clues(exit_code=1, signal=None).facts.nan_loss == message


def test_a_module_near_the_script_is_found_where_python_does_not_search(tmp_path: Path) -> None:
    failure = context(tmp_path, "")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/near.py").touch()
    (tmp_path / "src/far").mkdir(parents=True)
    (tmp_path / "src/far/__init__.py").touch()
    find = failure.clues(exit_code=1, signal=None).facts.local_module
    assert find("near") is None
    assert find("far") == str(tmp_path / "src")
    assert find("nowhere") is None


def test_a_missing_path_is_on_the_file_system_of_its_parent(tmp_path: Path) -> None:
    failure = file_system(str(tmp_path / "not/yet/made"))
    assert failure is not None
    assert os.path.ismount(failure.mount)
    assert failure.free_bytes > 0


def test_a_lost_gpu_and_other_processes_on_a_gpu_are_facts(tmp_path: Path) -> None:
    lost = GpuReading(index=2, uuid="GPU-2", name="H100", health=GpuHealth.LOST, problem="Xid 79: fallen off the bus")
    shared = GpuReading(
        index=3,
        uuid="GPU-3",
        name="H100",
        processes=(
            GpuProcess(pid=1, run=MINE, memory_bytes=5),
            GpuProcess(pid=2, run="other", memory_bytes=5),
            GpuProcess(pid=40412, owner="mika", memory_bytes=31_300_000_000),
            GpuProcess(pid=3, run="gone", memory_bytes=7),
        ),
    )
    other = GpuReading(index=4, uuid="GPU-4", name="H100", health=GpuHealth.LOST)
    readings = Readings(time=time.time(), host=HostReading(), gpus=(lost, shared, other), probe="nvml")
    path = tmp_path / "readings.json"
    path.write_bytes(encode_sample(Sample(readings=readings, pid=1, boot_id=boot_id())))
    for run_id in (MINE, "other"):
        (tmp_path / run_id).mkdir()
    failure = context(tmp_path / MINE, "step 1\n")
    RunDirectory(str(tmp_path / "other")).write(replace(failure.run, id="other", name="vit"), durable=False)
    gpus = (Gpu(index=2, uuid="GPU-2"), Gpu(index=3, uuid="GPU-3"))
    run = failure.run.with_attempt(replace(failure.run.attempt, gpus=gpus))
    failure = replace(failure, run=run, readings_path=str(path))
    facts = failure.clues(exit_code=1, signal=None).facts
    assert facts.gpu_trouble == "GPU 2 lost: Xid 79: fallen off the bus"
    assert facts.gpu_indices == (2, 3)
    assert [(holder.gpu_index, holder.who, holder.memory_bytes) for holder in facts.gpu_holders] == [
        (3, "run vit", 5),
        (3, "pid 40412 (mika)", 31_300_000_000),
        (3, "run gone", 7),
    ]
    outcome = outcome_of(Exit(signal=6), None, failure)
    assert outcome.cause is not None
    assert outcome.cause.kind == "gpu_lost"


def test_how_many_gpus_the_machine_has_is_known_only_from_a_probe_that_works(tmp_path: Path) -> None:
    path = tmp_path / "readings.json"
    failure = replace(context(tmp_path, ""), readings_path=str(path))
    for problem, age, count in ((None, 0, 0), ("driver hangs", 0, None), (None, 3600, None)):
        readings = Readings(time=time.time() - age, host=HostReading(), probe="none", probe_problem=problem)
        path.write_bytes(encode_sample(Sample(readings=readings, pid=1, boot_id=boot_id())))
        assert failure.clues(exit_code=1, signal=None).facts.machine_gpus == count
    unasked = replace(failure, run=replace(failure.run, spec=replace(failure.run.spec, gpu_probe="none", gpus=0)))
    facts = unasked.clues(exit_code=1, signal=None).facts
    assert (facts.machine_gpus, facts.hidden_gpus) == (None, "--gpus 0 hides them")


def test_who_listens_on_a_port_is_a_fact(tmp_path: Path) -> None:
    find = context(tmp_path, "").clues(exit_code=1, signal=None).facts.port_holder
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((address, 0), family=family) as server:
            port = server.getsockname()[1]
            assert find(port) == f"pid {os.getpid()}"
        assert find(port) is None


def test_the_first_line_of_a_file_is_read_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_bytes(b"#!/bin/bash\r\nx\n")
    os.mkfifo(tmp_path / "pipe")
    read = context(tmp_path, "").clues(exit_code=1, signal=None).facts.first_line
    assert read("./run.sh") == b"#!/bin/bash\r"
    assert [read(name) for name in ("gone", "pipe", ".")] == [None, None, None]


def test_a_script_that_fails_during_a_deferred_stop_by_a_person_is_not_retried(tmp_path: Path) -> None:
    wish = PostponedStop(status=Status.STOPPED, by="person", reason="stopped by you", since=0.0, deadline=1.0)
    limit = replace(wish, status=Status.TIMEBOXED, by="timebox")
    run = running(queued(retries=3))
    for postponed, status in ((limit, Status.QUEUED), (wish, Status.FAILED)):
        outcome = outcome_of(Exit(signal=11), None, context(tmp_path, "step 1\n", postponed=postponed))
        assert finish_attempt(run, outcome, now=200.0, resume_from=None).status is status


def test_the_end_is_not_lost_when_the_search_for_the_cause_hangs_or_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    failure = context(tmp_path, raised("OSError: [Errno 28] No space left on device: '/gone/model.pt'"))

    def hangs(_path: str) -> None:
        release.wait(60)

    def fails(_path: str) -> None:
        raise RecursionError

    monkeypatch.setattr(finalize, "CAUSE_SECONDS", 0.1)
    try:
        for broken in (hangs, fails):
            monkeypatch.setattr(failure_context, "file_system", broken)
            outcome = outcome_of(Exit(code=1), None, failure)
            assert (outcome.status, outcome.exit_code, outcome.reason) == (Status.FAILED, 1, "exit code 1")
            assert outcome.cause is not None
            assert outcome.cause.kind == "unknown"
    finally:
        release.set()


def test_a_file_in_a_package_is_run_as_a_module_from_above_the_package(tmp_path: Path) -> None:
    package = tmp_path / "src/pkg"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "sub/__init__.py").touch()
    script = package / "sub/train.py"
    failure = context(tmp_path, "")
    run = replace(failure.run, spec=replace(failure.run.spec, command=("/v/bin/python", str(script), "--lr", "3")))
    as_module = replace(failure, run=run).clues(exit_code=1, signal=None).facts.as_module
    line = f"backprop-tui run --cwd {tmp_path}/src -- /v/bin/python -m pkg.sub.train --lr 3"
    assert as_module(str(script), 1) == line
    assert as_module("src/pkg/sub/train.py", 2) == line
    assert as_module(str(package / "other.py"), 1) is None
    inside = replace(run, spec=replace(run.spec, cwd=str(package), command=("python3", "-m", "sub.train", "--lr", "3")))
    as_module_again = replace(failure, run=inside).clues(exit_code=1, signal=None).facts.as_module
    line = f"backprop-tui run --cwd {tmp_path}/src -- python3 -m pkg.sub.train --lr 3"
    assert as_module_again(str(script), 2) == line
    # A directory is a package without an __init__.py too.
    (package / "__init__.py").unlink()
    (package / "sub/__init__.py").unlink()
    assert " -m sub.train " in (as_module(str(script), 1) or "")
    assert " -m pkg.sub.train " in (as_module(str(script), 2) or "")


def test_a_package_is_installed_for_the_python_that_the_run_found_on_its_path(tmp_path: Path) -> None:
    python = tmp_path / "v/bin/python3"
    python.parent.mkdir(parents=True)
    python.touch(0o755)
    (tmp_path / "v/pyvenv.cfg").write_text("uv = 0.9\n")
    failure = context(tmp_path, raised("ModuleNotFoundError: No module named 'sklearn'"))
    failure.directory.write_environment({"PATH": str(python.parent)})
    cause = outcome_of(Exit(code=1), None, failure).cause
    assert cause is not None
    assert (cause.advice or "").startswith(f"uv pip install --python {python} scikit-learn")
    assert cause.summary == f"no module sklearn in {python}"
