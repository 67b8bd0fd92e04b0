"""`status` tells all about the machine, or all about a run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict
from backprop_tui.domain.run import Attempt, Cause, Checkpoint, Git
from backprop_tui.domain.status import Status
from backprop_tui.processes.linux import boot_id
from tests.support.commands import Commands
from tests.support.indexed import index_all
from tests.support.runs import Runs

HOST_KEYS = {"cpu_percent", "load_1m", "cores", "ram_total_bytes", "ram_available_bytes", "disk_free_bytes"}
GPU_KEYS = {
    *("index", "uuid", "name", "health", "temperature_celsius", "utilization_percent", "memory_total_bytes"),
    *("memory_used_bytes", "power_watts", "power_limit_watts", "fan_percent", "processes"),
}


@contextmanager
def supervised(session: Session, governor: dict[str, object]) -> Iterator[None]:
    """This test signs the lease that it holds, and says what a governor would."""
    with open(session.home.supervisor_lock, "w", encoding="ascii") as file:
        file.write(f"{os.getpid()} {boot_id()}\n")
    with open(session.home.host_file("governor.json"), "w", encoding="ascii") as file:
        json.dump({"pid": os.getpid(), "time": "2026-01-31T09:05:07.250Z", **governor}, file)
    yield


def no_gpus(session: Session) -> None:
    os.makedirs(os.path.dirname(session.config_path), exist_ok=True)
    with open(session.config_path, "w", encoding="ascii") as file:
        file.write('max_parallel = 2\n[gpu]\nprobe = "none"\n')


def test_the_json_has_the_shape_of_the_interface(obey: Commands, session: Session, runs: Runs) -> None:
    no_gpus(session)
    guardian = runs.guarded("busy")
    runs.queued("waits")
    shown = obey.json("status")
    assert list(shown) == ["host", "gpus", "nodes", "governor", "supervisor", "active", "queued"]
    assert set(shown["host"]) == HOST_KEYS
    assert shown["host"]["cpu_percent"] is not None
    assert shown["gpus"] == []
    assert shown["governor"] == {"state": "open", "reasons": [], "start_tokens": 4.0, "max_parallel": 2}
    assert shown["supervisor"] == {"alive": False, "pid": None}
    assert [run["id"] for run in shown["active"]] == ["busy"]
    assert [run["id"] for run in shown["queued"]] == ["waits"]
    guardian.ends()


def test_gpus_are_those_of_fresh_readings(obey: Commands, session: Session, runs: Runs) -> None:
    gpu = {
        "index": 0,
        "uuid": "GPU-1",
        "name": "H100",
        "health": "stale",
        "temperature_celsius": 71.0,
        "memory_total_bytes": 80 * 2**30,
        "memory_used_bytes": 61 * 2**30,
        "age_seconds": 12.0,
        "problem": "no answer to the temperature",
        "processes": [{"pid": 7, "memory_bytes": 5, "owner": "me", "run": "busy"}, {"pid": 8, "memory_bytes": 6}],
    }
    readings = {
        "schema_version": 1,
        "time": time.time(),
        "boot_id": boot_id(),
        "pid": 1,
        "probe": "nvml",
        "probe_problem": None,
        "passed_over": {"amd": "no card"},
        "gpus_known": True,
        "host": {},
        "gpus": [gpu],
    }
    with open(session.home.host_file("readings.json"), "w", encoding="ascii") as file:
        json.dump(readings, file)
    guardian = runs.guarded("busy", name="lm")
    [shown] = obey.json("status")["gpus"]
    assert set(shown) >= GPU_KEYS
    assert shown["processes"] == [
        {"pid": 7, "memory_bytes": 5, "run": "busy"},
        {"pid": 8, "memory_bytes": 6, "run": None},
    ]
    assert (shown["health"], shown["power_watts"]) == ("stale", None)
    assert 12.0 <= shown["age_seconds"] < 17, "its own and that of the readings"
    text = obey("status", "--verbose").out
    assert re.search("stale for 1[2-7]s", text)
    assert "no answer to the temperature" in text
    assert "61.0/80 GB" in text
    assert "lm, pid 8 (not ours)" in text
    assert "not amd: no card" in text
    guardian.ends()


def test_the_state_of_the_governor_is_shown_with_every_reason(obey: Commands, session: Session, runs: Runs) -> None:
    no_gpus(session)
    reasons = [{"check": "ram", "figure": 1, "limit": 4, "message": "RAM 1 GB free, keeps 4", "gpu": None}]
    reasons[0] |= {"setting": "min_free_ram_gb", "permanent": False}
    result = {"state": "holding", "reasons": reasons, "start_tokens": 2.5, "start_burst": 4, "max_parallel": 3}
    runs.queued("waits")
    with supervised(session, {**result, "held": {"waits": reasons}}):
        shown = obey.json("status")
        limits = {"start_tokens": 2.5, "max_parallel": 3}
        assert shown["governor"] == {"state": "holding", "reasons": reasons, **limits}
        assert shown["supervisor"] == {"alive": True, "pid": os.getpid()}
        text = obey("status").out
    assert "waiting: 0 of 3 slots used, 2 starts left" in text
    assert "RAM 1 GB free, keeps 4" in text
    assert f"alive, pid {os.getpid()}" in text


def test_the_state_written_by_a_dead_supervisor_is_ignored(obey: Commands, session: Session) -> None:
    no_gpus(session)
    with supervised(session, {"state": "conservative", "reasons": [], "start_tokens": 1}):
        pass
    with open(session.home.supervisor_lock, "w", encoding="ascii") as file:
        file.write(f"{os.getpid()} another-boot\n")
    assert obey.json("status")["governor"]["state"] == "open"


def test_a_held_queue_is_shown_at_once_and_without_a_supervisor(obey: Commands, session: Session) -> None:
    no_gpus(session)
    obey("queue", "hold")
    governor = obey.json("status")["governor"]
    assert (governor["state"], [reason["check"] for reason in governor["reasons"]]) == ("holding", ["queue_held"])
    obey("queue", "release")
    assert obey.json("status")["governor"] == {"state": "open", "reasons": [], "start_tokens": 4.0, "max_parallel": 2}


def test_a_wrong_configuration_is_reported_and_hides_nothing(obey: Commands, session: Session) -> None:
    no_gpus(session)
    with open(session.config_path, "a", encoding="ascii") as file:
        file.write("max_temp = 3\n")
    result = obey("status")
    assert result.code == 0
    assert "unknown key 'gpu.max_temp'" in result.err
    assert "governor" in result.out


def test_one_run_is_the_public_json_and_a_group_an_array(obey: Commands, runs: Runs) -> None:
    runs.ended("a", group="sweep")
    runs.ended("b", group="sweep")
    assert obey.json("status", "a")["id"] == "a"
    assert [run["id"] for run in obey.json("status", "sweep")] == ["a", "b"]
    assert obey("status", "sweep").out.count("\n  status ") == 2


def test_everything_about_a_run_is_readable(obey: Commands, runs: Runs) -> None:
    directory = runs.ended(
        "full",
        Status.FAILED,
        exit_code=3,
        name="lm",
        note="try this",
        tags=("a", "b"),
        group="sweep",
        git=Git(commit="0123456789abcdef", dirty=True),
        checkpoints=(Checkpoint(path="/ckpt/1.pt", step=5, saved_at=time.time(), sound=False),),
        spec={"command": ("python", "train.py", "--text", "two words"), "cwd": "/data"},
    )
    run = directory.read()
    earlier = Attempt(number=1, started_at=1.0, boot_id="x", ended_at=2.0, status=Status.FAILED, exit_code=1)
    changed = type(run)(**{name: getattr(run, name) for name in run.__slots__} | {"attempts": (earlier, run.attempt)})
    directory.write(changed, durable=False)
    text = obey("status", "full").out
    for text_part in (
        *(
            "name        lm",
            "failed (exit code 3)",
            "python train.py --text 'two words'",
            "/data",
            "#a #b",
            "try this",
            "sweep",
        ),
        *("0123456789ab with changes", "step 5", "/ckpt/1.pt  damaged", "failed (exit code 1)", "output.log"),
    ):
        assert text_part in text


def test_the_cause_and_the_check_of_a_resume_are_shown(obey: Commands, runs: Runs) -> None:
    cause = Cause(kind="cuda_oom", evidence="torch.OutOfMemoryError", advice="halve it", summary="asked 2", line=8214)
    guardian = runs.guarded("oom", spec={"found_resume_arg": "--resume {path}"})
    guardian.ends(Status.FAILED, exit_code=1, cause=cause)
    directory = guardian.directory
    check = ResumeCheck(
        verdict=ResumeVerdict.JUMPED, attempt=2, message="the loss jumped at the resume: loss 3, before 1"
    )
    directory.write(replace(directory.read(), resume_check=check), durable=False)
    text = obey("status", "oom").out
    for text_part in (
        "cuda oom: asked 2",
        "line 8,214: torch.OutOfMemoryError",
        "halve it",
        "--resume {path}, found in its source",
        "! attempt 2 the loss jumped at the resume: loss 3, before 1",
    ):
        assert text_part in text
    record = obey.json("status", "oom")
    assert record["cause"] == {
        "kind": "cuda_oom",
        "evidence": "torch.OutOfMemoryError",
        "advice": "halve it",
        "summary": "asked 2",
        "line": 8214,
        "retryable": False,
        "advised": None,
    }
    assert record["resume_check"]["verdict"] == "jumped"


def test_a_resume_that_is_not_confirmed_and_a_slice_that_restarted_say_so(obey: Commands, runs: Runs) -> None:
    directory = runs.guarded("sliced", spec={"total_seconds": 600.0, "max_run_seconds": 60.0}).directory
    check = ResumeCheck(verdict=ResumeVerdict.RESTARTED, attempt=1, message="restarted at epoch 1 after 30")
    directory.write(replace(directory.read(), resume_check=check), durable=False)
    assert "! attempt 1 restarted at epoch 1 after 30; no further slice follows" in obey("status", "sliced").out
    reason = "no step, epoch or loss was read from its output"
    for message in (reason, f"resume not confirmed: {reason}"):  # as earlier versions wrote it
        unknown = replace(check, verdict=ResumeVerdict.UNKNOWN, message=message)
        directory.write(replace(directory.read(), resume_check=unknown), durable=False)
        text = obey("status", "sliced").out
        assert f"not confirmed: attempt 1: {reason}" in text
        assert "no further slice" not in text


def test_a_refused_option_is_shown_with_how_the_script_gets_its_checkpoint(obey: Commands, runs: Runs) -> None:
    runs.guarded("strict", spec={"found_resume_arg": "--ckpt_path {path}", "refused_options": ("--ckpt_path",)})
    text = obey("status", "strict").out
    assert "BACKPROP_RESUME_FROM only: the script refused --ckpt_path" in text


def test_a_stopped_guardian_is_reported_with_the_command_that_wakes_it(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("busy")
    code = "import os, signal, sys; os.open(sys.argv[1], os.O_RDWR); os.kill(os.getpid(), signal.SIGSTOP)"
    lock = guardian.directory.lock_path
    sleeper = subprocess.Popen([sys.executable, "-S", "-c", code, lock], stdin=subprocess.DEVNULL)
    try:
        os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
        guardian.says(runner_pid=sleeper.pid)
        assert "guardian stopped" in obey("status", "busy").out
        assert "backprop-tui continue busy" in obey.json("list")[0]["reason"]
    finally:
        sleeper.send_signal(signal.SIGKILL)
        sleeper.wait()
    assert obey.json("list")[0]["reason"] is None
    guardian.ends()


def test_runs_of_the_original_are_shown_too(obey: Commands, session: Session) -> None:
    record = {
        "id": "run-1",
        "scriptPath": "t.py",
        "status": "timeboxed",
        "lastCheckpoint": "/c.pt",
        "startTime": 1.7e12,
    }
    with open(session.home.index, "w", encoding="ascii") as file:
        json.dump({"run-1": record}, file)
    assert "/c.pt" in obey("status", "run-1").out
    assert obey.json("status", "run-1")["status"] == "timeboxed"


def test_an_unknown_run_is_refused_with_the_nearest_name(obey: Commands, runs: Runs, session: Session) -> None:
    runs.ended("abcdefgh", name="baseline")
    index_all(session.home)
    result = obey("status", "baselin")
    assert (result.code, result.out) == (2, "")
    assert "did you mean baseline?" in result.err


def test_a_goal_in_a_metric_that_is_not_printed_is_a_warning(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("busy", spec={"until": (parse_goal("loss<0.1"),)})
    assert "warning" not in obey("status", "busy").out
    guardian.says(step=5, metrics={"train_loss": 2.0, "lr": 0.1})
    assert "warning     loss was not printed yet, only train_loss, lr" in obey("status", "busy").out
    guardian.ends()


def test_watch_shows_the_status_again_until_ctrl_c(obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.queued("waits")
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("backprop_tui.cli.output.time.sleep", sleep)
    result = obey("status", "waits", "--watch")
    assert result.code == 0
    assert sleeps == [2.0, 2.0]
    assert [line.split() for line in result.lines].count(["id", "waits"]) == 2
