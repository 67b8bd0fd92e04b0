"""What front ends change of a run whose job is in Slurm's queue, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.client.control import edit_requests, wait_for_all
from backprop_tui.client.queueing import move, queue_positions, still_starts, waiting_here
from backprop_tui.client.rerun import change_queued
from backprop_tui.client.run_request import RunRequest
from backprop_tui.client.runs import split
from backprop_tui.client.session import ClientSession
from backprop_tui.client.slurm_jobs import release_job
from backprop_tui.client.submit import plan, queue_runs
from backprop_tui.domain.errors import SlurmRefused, UsageError
from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.run import SLURM
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs
from tests.support.slurm import FakeSlurm, job


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


def test_a_held_job_is_released(session: ClientSession, runs: Runs, slurm: FakeSlurm) -> None:
    submitted(session, runs)
    assert release_job(split(session.home)[0][0].run, RunDirectory(session.home.run_folder("a"))) == "12"
    assert slurm.calls == ["scontrol release 12"]
