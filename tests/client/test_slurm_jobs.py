"""What front ends change of a run whose job is in Slurm's queue, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backprop_tui.client import control
from backprop_tui.client.control import (
    ControlOutcome,
    Refusal,
    edit_requests,
    pause_requests,
    stop_requests,
    wait_for_all,
)
from backprop_tui.client.queueing import move, queue_positions, still_starts, waiting_here
from backprop_tui.client.rerun import change_queued
from backprop_tui.client.run_request import RunRequest
from backprop_tui.client.runs import split
from backprop_tui.client.session import ClientSession
from backprop_tui.client.slurm_jobs import release_job
from backprop_tui.client.submit import plan, queue_runs
from backprop_tui.domain.errors import SlurmRefused, UsageError
from backprop_tui.domain.requests import EditRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import SLURM
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.status import Status
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs
from tests.support.slurm import FakeSlurm, job, shown_job


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: ClientSession) -> FakeSlurm:
    slurm = FakeSlurm(tmp_path / "slurm")
    path = f"{slurm.directory}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", path)
    session.environment["PATH"] = path  # type: ignore[index]
    return slurm


def submitted(session: ClientSession, runs: Runs, run_id: str = "a", **fields: object) -> None:
    """A run whose job waits; its environment has the way to the cluster."""
    directory = runs.queued(run_id, spec={"launcher": SLURM}, job=job(host=session.home.host), **fields)
    directory.write_environment(session.environment)


def change(session: ClientSession, minutes: float | None) -> object:
    """The outcome of another timebox."""
    request = TimeboxRequest(max_run_seconds=None if minutes is None else minutes * 60)
    return wait_for_all(edit_requests(session, ["a"], None, request))[0]


def test_the_job_gets_the_time_limit_of_the_new_timebox(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    change(session, 60)
    assert slurm.calls == ["scontrol update JobId=12 TimeLimit=66"]
    assert split(session.home)[0][0].run.spec.max_run_seconds == 3600
    change(session, None)
    assert slurm.calls[1:] == ["scontrol update JobId=12 TimeLimit=UNLIMITED"]


def test_a_longer_limit_that_slurm_refuses_changes_nothing(
    session: ClientSession, runs: Runs, slurm: FakeSlurm
) -> None:
    submitted(session, runs)
    slurm.answers("scontrol", "", code=1, err="Access/permission denied for job 12\n")
    refusal = change(session, 60)
    text = str(getattr(refusal, "error", ""))
    assert "Access/permission denied for job 12" in text
    assert "backprop-tui resume a -m 60" in text
    assert split(session.home)[0][0].run.spec.max_run_seconds == 600


def test_a_shorter_timebox_needs_no_shorter_job(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    slurm.answers("scontrol", "", code=1, err="Access/permission denied for job 12\n")
    change(session, 5)
    assert split(session.home)[0][0].run.spec.max_run_seconds == 300


def test_the_order_in_slurms_queue_is_slurms(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    runs.queued("local")
    with pytest.raises(UsageError, match="Slurm decides the order") as refused:
        move(session, "a", 1)
    assert "scontrol hold 12" in str(refused.value.hint)
    (outcome,) = wait_for_all(edit_requests(session, ["a"], EditRequest(priority=5), None))
    assert "Nice=100" in str(getattr(outcome, "error", ""))
    assert queue_positions(split(session.home)[0]) == {"local": 1}


def test_a_held_queue_keeps_no_submitted_job_back(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    runs.queued("local")
    assert still_starts(waiting_here(session)) == ""
    submitted(session, runs)
    expected = "1 job in Slurm's queue already still may start: scontrol hold 12"
    assert still_starts(waiting_here(session)) == expected


def test_a_submitted_run_gets_no_other_command(
    session: ClientSession, runs: Runs, slurm: FakeSlurm, workplace: Path
) -> None:
    submitted(session, runs)
    with pytest.raises(UsageError, match="is submitted"):
        change_queued(session, "a", RunRequest(command=("true",)))


def test_slurm_is_asked_when_a_run_is_queued_and_not_while_it_is_planned(
    session: ClientSession, slurm: FakeSlurm, workplace: Path
) -> None:
    slurm.answers("sbatch", "", code=1, err="sbatch: error: invalid partition specified: gpu\n")
    planned = plan(session, RunRequest(command=("true",), launcher=SLURM, slurm_partition="gpu"))
    assert slurm.calls == []
    with pytest.raises(SlurmRefused, match="invalid partition specified: gpu"):
        queue_runs(session, planned, None)
    assert split(session.home) == ([], [])
    assert slurm.calls == ["sbatch --test-only --partition=gpu --time=16"]


def test_what_keeps_a_job_from_starting_is_said_where_it_cannot_be_paused(session: ClientSession, runs: Runs) -> None:
    submitted(session, runs)
    (refusal,) = wait_for_all(pause_requests(session, ["a"]))
    assert isinstance(refusal, Refusal)
    assert "scontrol hold 12" in str(refusal.error)


def test_a_held_job_is_released(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    assert release_job(split(session.home)[0][0].run, RunDirectory(session.home.run_folder("a"))) == "12"
    assert slurm.calls == ["scontrol release 12"]


def test_a_stop_cancels_a_job_that_waits(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    slurm.answers("scontrol", shown_job(12, "a-1", "PENDING"))
    (outcome,) = wait_for_all(stop_requests(session, ["a"]))
    assert isinstance(outcome, ControlOutcome)
    assert outcome.run.status is Status.STOPPED
    assert slurm.calls == ["scontrol show job -o 12", "scancel 12"]
    assert (RunDirectory(session.home.run_folder("a")).claimed(1) or {})["by"] == "client"


def test_a_stop_leaves_the_end_to_a_job_that_has_begun(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    directory = RunDirectory(session.home.run_folder("a"))
    directory.claim(1, {"by": "job", "job": "12", "node": "n1"})
    (stop,) = stop_requests(session, ["a"])
    assert stop.poll() is None
    assert directory.read().status is Status.QUEUED
    assert [type(request) for request in directory.requests_after(0)[0]] == [StopRequest]
    assert slurm.calls == []


def give(session: ClientSession, **options: Any) -> object:
    """The outcome of other options for the job."""
    edit = EditRequest(slurm=SlurmOptions(**options))
    return wait_for_all(edit_requests(session, ["a"], edit, None))[0]


def options_now(session: ClientSession) -> SlurmOptions:
    return split(session.home)[0][0].run.spec.slurm


def test_a_run_that_is_not_submitted_gets_any_options(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    directory = runs.queued("a", spec={"launcher": SLURM, "slurm": SlurmOptions(partition="main", qos="high")})
    directory.write_environment(session.environment)
    give(session, partition="short", cpus=2, extra=("--exclude=n3",))
    assert slurm.calls[0].startswith("sbatch --test-only --partition=short --qos=high --cpus-per-task=2")
    assert options_now(session) == SlurmOptions(partition="short", qos="high", cpus=2, extra=("--exclude=n3",))


def test_a_job_that_waits_gets_other_options(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    give(session, partition="short", cpus=2, memory_gb=1.5)
    expected = "scontrol update JobId=12 Partition=short NumCPUs=2 CPUsPerTask=2 MinCPUsNode=2 MinMemoryNode=1536"
    assert slurm.calls[1:] == ["scontrol show job -o 12", expected]
    assert options_now(session) == SlurmOptions(partition="short", cpus=2, memory_gb=1.5)


@pytest.mark.parametrize(("program", "words"), [("sbatch", "invalid partition"), ("scontrol", "Access denied")])
def test_options_that_slurm_refuses_change_nothing(
    session: ClientSession, runs: Runs, slurm: FakeSlurm, program: str, words: str
) -> None:
    submitted(session, runs)
    slurm.answers(program, "", code=1, err=f"{words}\n")
    refusal = str(getattr(give(session, partition="nope"), "error", ""))
    assert refusal.startswith(f"--slurm-partition nope: {program}: {words}")
    assert "backprop-tui resume a --slurm-partition nope" in refusal
    assert options_now(session) == SlurmOptions()


def test_of_options_that_slurm_refuses_the_record_has_those_that_the_job_got(
    session: ClientSession, runs: Runs, slurm: FakeSlurm
) -> None:
    submitted(session, runs)
    shown = "JobId=12 Partition={} NumCPUs=1 MinCPUsNode=1 Account=(null)"
    slurm.does(
        "scontrol",
        f'[ $1 = update ] && touch changed && echo "Invalid account" >&2 && exit 1\n'
        f'[ -e changed ] && echo "{shown.format("short")}" || echo "{shown.format("main")}"',
    )
    refusal = str(getattr(give(session, partition="short", account="nope", cpus=1), "error", ""))
    assert "Invalid account. Slurm job 12 has --slurm-partition short all the same" in refusal
    assert options_now(session) == SlurmOptions(partition="short")


def test_a_submitted_job_gets_no_other_options_of_sbatch(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    refusal = str(getattr(give(session, partition="short", extra=("--exclude=n3",)), "error", ""))
    assert "--slurm-extra: run a is submitted as Slurm job 12" in refusal
    assert slurm.calls == []


def test_a_run_whose_job_has_begun_or_that_is_local_gets_no_options(
    session: ClientSession, runs: Runs, slurm: FakeSlurm
) -> None:
    guardian = runs.guarded("a", spec={"launcher": SLURM}, job=job(host=session.home.host))
    refusal = str(getattr(give(session, qos="high"), "error", ""))
    assert "--slurm-qos high: run a is running" in refusal
    assert "backprop-tui stop a, then backprop-tui resume a --slurm-qos high" in refusal
    guardian.ends()
    assert "run a is completed" in str(getattr(give(session, qos="high"), "error", ""))
    runs.queued("b")
    (outcome,) = wait_for_all(edit_requests(session, ["b"], EditRequest(slurm=SlurmOptions(qos="high")), None))
    assert "run b is not for Slurm" in str(getattr(outcome, "error", ""))
    assert slurm.calls == []


@pytest.mark.parametrize(
    ("state", "reason"), [("SUSPENDED", ": Slurm has suspended job 12; scontrol resume 12 ends that"), ("RUNNING", "")]
)
def test_a_request_that_waits_says_whether_slurm_has_suspended_the_job(
    session: ClientSession,
    runs: Runs,
    slurm: FakeSlurm,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: str,
    reason: str,
) -> None:
    guardian = runs.guarded("a", spec={"launcher": SLURM}, job=job(host=session.home.host))
    guardian.directory.write_environment(session.environment)
    slurm.answers("scontrol", shown_job(12, "a-1", state))
    monkeypatch.setattr(control, "SLOW_SECONDS", 0.0)
    (pause,) = pause_requests(session, ["a"])
    assert pause.poll() is None
    assert capsys.readouterr().err == f"backprop-tui: still waiting for run a{reason}\n"
    guardian.ends()
