"""A command submits the Slurm run that it queues, unless a supervisor has to decide about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.client.resume import queue_again
from backprop_tui.client.run_request import RunOptions, RunRequest
from backprop_tui.client.session import ClientSession
from backprop_tui.client.slurm_jobs import submit_now
from backprop_tui.client.submit import submit
from backprop_tui.domain.errors import SlurmRefused
from backprop_tui.domain.run import Dependency
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes import spawned
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs
from tests.support.slurm import FakeSlurm, job


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "slurm")
    fake.answers("sbatch", "12\n")
    monkeypatch.setenv("PATH", f"{fake.directory}:{os.environ['PATH']}")
    return fake


@pytest.fixture
def session(home: Path) -> ClientSession:
    """No supervisor lives."""
    opened = ClientSession(home=Home(f"{home}/store", "here"), config_path="")
    opened.home.prepare()
    return opened


@pytest.fixture
def run(session: ClientSession, slurm: FakeSlurm) -> RunDirectory:
    directory = Runs(session.home).queued("a", spec={"launcher": "slurm"})
    directory.write_environment({"PATH": os.environ["PATH"]})
    return directory


def test_a_command_submits_its_run_and_releases_the_job(
    session: ClientSession, slurm: FakeSlurm, run: RunDirectory
) -> None:
    submit_now(session, "a")
    job = run.read().submitted_job
    assert job is not None
    assert job.id == "12"
    assert slurm.calls[-1] == "scontrol release 12"


def test_a_command_submits_the_run_that_it_resumes(session: ClientSession, slurm: FakeSlurm) -> None:
    directory = Runs(session.home).ended("b", spec={"launcher": "slurm"}, job=job(11, host="here"))
    queue_again(session, "b", RunOptions(), at_once=True)
    submitted = directory.read().submitted_job
    assert submitted is not None
    assert (submitted.id, submitted.number) == ("12", 2)


@pytest.mark.parametrize(
    ("error", "status"), [("Unable to contact slurm controller (connect failure)", "queued"), ("Invalid", "failed")]
)
def test_a_silent_controller_is_left_to_the_supervisor_and_a_refusal_is_recorded(
    session: ClientSession, slurm: FakeSlurm, run: RunDirectory, error: str, status: str
) -> None:
    slurm.answers("sbatch", "", code=1, err=f"sbatch: error: {error}\n")
    submit_now(session, "a")
    assert run.read().status == status


def test_what_a_supervisor_has_to_decide_is_left_to_it(
    session: ClientSession, slurm: FakeSlurm, run: RunDirectory
) -> None:
    with open(session.home.queue_held, "w", encoding="ascii"):
        submit_now(session, "a")
    os.unlink(session.home.queue_held)
    waiting = Runs(session.home).queued("b", spec={"launcher": "slurm", "after": [Dependency(run="a")]})
    submit_now(session, "b")
    lock = run.try_lock()  # a supervisor submits it
    assert lock is not None
    with lock:
        submit_now(session, "a")
    run.announce_job(1)  # by a process that was killed
    submit_now(session, "a")
    assert slurm.calls == []
    assert (run.read().submitted_job, waiting.read().submitted_job) == (None, None)


def test_a_user_is_told_that_slurm_has_not_answered_yet(
    session: ClientSession, slurm: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawned, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(SupervisorProcess, "call", lambda _: None)
    submit(session, RunRequest(command=("true",), cwd=str(tmp_path), launcher="slurm"))
    assert session.warnings == {"Slurm has not answered yet; waiting for 30 seconds at most"}


def test_a_refused_run_is_not_queued_and_not_visible(session: ClientSession, slurm: FakeSlurm, tmp_path: Path) -> None:
    refusal = "allocation failure: Requested node configuration is not available"
    slurm.answers("sbatch", "", code=1, err=f"{refusal}\n")
    with pytest.raises(SlurmRefused, match=refusal):
        submit(session, RunRequest(command=("true",), cwd=str(tmp_path), launcher="slurm"))
    assert [os.listdir(folder) for folder in (session.home.runs, session.home.new, session.home.active)] == [[], [], []]
    assert [call.split()[:2] for call in slurm.calls] == [["sbatch", "--test-only"]]
