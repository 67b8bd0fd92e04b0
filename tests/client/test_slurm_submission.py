"""A command submits the Slurm run that it queues, unless a supervisor has to decide about it."""

from __future__ import annotations

import os
import re
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from backprop_tui.client.resume import queue_again
from backprop_tui.client.run_request import RunOptions, RunRequest
from backprop_tui.client.session import ClientSession
from backprop_tui.client.slurm_jobs import submit_now
from backprop_tui.client.submit import submit
from backprop_tui.domain.errors import SlurmRefused, UsageError
from backprop_tui.domain.run import Dependency, Queued
from backprop_tui.domain.slurm import job_name
from backprop_tui.launchers.slurm import Slurm
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


def test_a_job_is_submitted_so_that_it_starts_once_it_is_on_record_and_only_once(
    session: ClientSession, slurm: FakeSlurm, run: RunDirectory
) -> None:
    slurm.does("sbatch", "cat > script; echo 12")
    submit_now(session, "a")
    words = slurm.calls[0].split()
    expected = {"--parsable", "--hold", "--no-requeue", "--open-mode=append", "--time=16"}
    expected |= {f"--output={run.path}/slurm-1.log", f"--job-name={job_name('a', run.read().name, 1)}"}
    assert expected <= set(words)
    assert not any(word.startswith("--begin") for word in words)
    script = (slurm.directory / "script").read_text()
    assert re.fullmatch(rf"#!/bin/sh\nexec .*/slurm_job.py {session.home.root} a 1 .*\n", script)


def test_slurm_waits_before_a_retry(session: ClientSession, slurm: FakeSlurm) -> None:
    now = time.time()
    directory = Runs(session.home).queued("b", spec={"launcher": "slurm"}, state=Queued(since=now, not_before=now + 60))
    directory.write_environment({"PATH": os.environ["PATH"]})
    submit_now(session, "b")
    (begin,) = [word for word in slurm.calls[0].split() if word.startswith("--begin")]
    assert 50 <= int(begin.removeprefix("--begin=now+")) <= 60


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


def test_a_warning_says_that_slurm_has_not_answered_yet(
    session: ClientSession, slurm: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warn_once, noticed = ClientSession.warn_once, tmp_path / "noticed"

    def notice(session: ClientSession, words: str) -> None:
        warn_once(session, words)
        noticed.touch()

    monkeypatch.setattr(ClientSession, "warn_once", notice)
    monkeypatch.setattr(spawned, "LATE_SECONDS", 0.0)
    slurm.does("sbatch", f"until [ -e {noticed} ]; do :; done; echo 12")
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


@pytest.mark.parametrize("option", ["--job-name=x", "--array=0-3", "--wait"])
def test_an_option_that_would_lose_the_job_is_refused_before_sbatch_is_called(
    session: ClientSession, slurm: FakeSlurm, tmp_path: Path, option: str
) -> None:
    request = RunRequest(command=("true",), cwd=str(tmp_path), launcher="slurm", slurm_extra=(option,))
    with pytest.raises(UsageError, match=option):
        submit(session, request)
    assert (os.listdir(session.home.runs), slurm.calls) == ([], [])


@pytest.mark.parametrize(
    ("answer", "job_id"), [("12\n", "12"), ("12;alpha\n", "12"), ("Your project has 7 hours left\n12\n", "12")]
)
def test_the_id_of_the_job_is_the_last_that_sbatch_prints(
    session: ClientSession, slurm: FakeSlurm, run: RunDirectory, answer: str, job_id: str
) -> None:
    slurm.answers("sbatch", answer)
    submit_now(session, "a")
    submitted = run.read().submitted_job
    assert submitted is not None
    assert submitted.id == job_id


@pytest.mark.parametrize("answer", ["", "Submitted\n"])
def test_a_job_without_an_id_is_not_recorded_and_may_exist(
    session: ClientSession, slurm: FakeSlurm, run: RunDirectory, answer: str
) -> None:
    slurm.answers("sbatch", answer)
    submit_now(session, "a")
    assert (run.read().submitted_job, run.is_job_announced(1)) == (None, True)


def test_the_users_variables_make_no_other_job(session: ClientSession, slurm: FakeSlurm, run: RunDirectory) -> None:
    slurm.does("sbatch", "env | grep ^SBATCH_ > variables; echo 12")
    given = {"SBATCH_PARTITION": "main", "SBATCH_ARRAY_INX": "0-3", "SBATCH_WAIT": "1"}
    run.write_environment({"PATH": os.environ["PATH"], **given})
    submit_now(session, "a")
    assert (slurm.directory / "variables").read_text() == "SBATCH_PARTITION=main\n"


@pytest.mark.parametrize(("seen", "refused"), [("", True), ("beta", False)])
def test_a_cluster_that_only_sbatch_would_know_is_refused(
    run: RunDirectory, slurm: FakeSlurm, *, seen: str, refused: bool
) -> None:
    variables = {"PATH": os.environ["PATH"], "SBATCH_CLUSTERS": "beta", "SLURM_CLUSTERS": seen}
    with pytest.raises(UsageError, match="SBATCH_CLUSTERS=beta") if refused else nullcontext():
        Slurm(environment=variables).check(run.read())
    assert slurm.calls == ["sbatch --test-only --time=16"] * (not refused)
