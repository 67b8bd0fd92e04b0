"""Who submits a Slurm run: a command where no supervisor lives, otherwise the supervisor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.client.session import ClientSession
from backprop_tui.client.slurm_jobs import submit_now
from backprop_tui.launchers.lease import sign_lease
from backprop_tui.store.home import Home
from backprop_tui.store.locks import try_lock
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs
from tests.support.slurm import FakeSlurm


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


@pytest.mark.parametrize(
    ("error", "status"), [("Unable to contact slurm controller (connect failure)", "queued"), ("Invalid", "failed")]
)
def test_a_silent_controller_is_left_to_the_supervisor_and_a_refusal_is_recorded(
    session: ClientSession, slurm: FakeSlurm, run: RunDirectory, error: str, status: str
) -> None:
    slurm.answers("sbatch", "", code=1, err=f"sbatch: error: {error}\n")
    submit_now(session, "a")
    assert run.read().status == status


def test_a_living_supervisor_submits_and_a_held_queue_waits(
    session: ClientSession, slurm: FakeSlurm, run: RunDirectory
) -> None:
    with open(session.home.queue_held, "w", encoding="ascii"):
        submit_now(session, "a")
    os.unlink(session.home.queue_held)
    lease = try_lock(session.home.supervisor_lock)
    assert lease is not None
    with lease:
        sign_lease(lease, os.getpid())
        submit_now(session, "a")
    assert slurm.calls == []
    assert run.read().submitted_job is None
