"""Submissions: interrupted ones, many at once, several with one key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from backprop_tui.domain.status import Status
from tests.support import crashes, crashing_front_end, submitting
from tests.support.crashes import Crash, after, before
from tests.support.sandbox import Sandbox, Submitted, script
from tests.support.waiting import wait_until

RUNS_EACH = 40
SUPERVISOR_PROCESS = "launchers.supervisor_process:SupervisorProcess"


def case(name: str, crash: Crash) -> object:
    return pytest.param(crash, id=name)


def front_end_dies(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crash: Crash) -> Submitted:
    """A front end that dies there."""
    latches = os.path.join(sandbox.folder, "latches")
    os.mkdir(latches)
    monkeypatch.setenv(crashes.VARIABLE, crashes.in_environment((crash,), latches))
    run_id = sandbox.new_id()
    command = [sys.executable, crashing_front_end.__file__, sandbox.folder, run_id]
    died = subprocess.run(command, check=False, stderr=subprocess.PIPE, timeout=30)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    return sandbox.submitted(run_id)


NOTHING_QUEUED = [
    case("while it builds the run", after("store.run_directory:RunDirectory.write_environment")),
    case("before it marks the run", before("store.creation:mark")),
    case("between marker and run", after("store.creation:mark")),
]


@pytest.mark.parametrize("crash", NOTHING_QUEUED)
def test_an_interrupted_submission_leaves_no_run_and_its_id_is_free(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crash: Crash
) -> None:
    half = front_end_dies(sandbox, monkeypatch, crash)
    assert not os.path.exists(half.directory.path)
    other = sandbox.submit(*script("worker.py", 1, 0, 0))
    assert other.wait_for_end().status is Status.COMPLETED
    again = sandbox.submit(*script("worker.py", 1, 0, 0), run_id=half.id)
    assert again.wait_for_end().status is Status.COMPLETED
    assert again.reports() == ["begin", "end 0"]


QUEUED = [
    case("after the run is in place", after("store.creation:_move_into_place")),
    case("before it rings", before(f"{SUPERVISOR_PROCESS}.call")),
    case("with the lease taken and no supervisor", before(f"{SUPERVISOR_PROCESS}._spawn")),
]


@pytest.mark.parametrize("crash", QUEUED)
def test_a_run_queued_by_a_front_end_that_died_is_started_by_the_next_command(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, crash: Crash
) -> None:
    run = front_end_dies(sandbox, monkeypatch, crash)
    assert run.status() is Status.QUEUED
    sandbox.call()
    assert run.wait_for_end().status is Status.COMPLETED
    assert run.reports() == ["begin", "end 0"]


def test_a_run_continues_once_its_front_end_has_started_a_supervisor(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = front_end_dies(sandbox, monkeypatch, after(f"{SUPERVISOR_PROCESS}._spawn"))
    assert run.wait_for_end().status is Status.COMPLETED
    assert run.reports() == ["begin", "end 0"]


def test_old_remains_of_interrupted_submissions_are_removed(sandbox: Sandbox) -> None:
    aside = os.path.join(sandbox.home.new, "old~1")
    fresh = os.path.join(sandbox.home.new, "fresh~2")
    for folder in (aside, fresh):
        os.mkdir(folder)
    with open(os.path.join(aside, "environment"), "w", encoding="ascii") as file:
        file.write("{}")
    long_ago = time.time() - 7200
    os.utime(aside, (long_ago, long_ago))
    marker = sandbox.home.marker("old")
    with open(marker, "wb"):
        os.utime(marker, (long_ago, long_ago))
    run = sandbox.submit(*script("worker.py", 1, 0, 0))
    assert run.wait_for_end().status is Status.COMPLETED
    sandbox.wait_until(lambda: sandbox.markers() == [], "the marker without a run deleted")
    sandbox.wait_until(lambda: not os.path.exists(aside), "the half-built run deleted")
    assert os.path.exists(fresh)


def start(sandbox: Sandbox, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, submitting.__file__, sandbox.folder, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_eight_processes_submitting_many_runs_each_lose_none(sandbox: Sandbox) -> None:
    sandbox.allow(4)
    submitters = [start(sandbox, RUNS_EACH, "") for _ in range(8)]
    reads = 0

    def all_is_indexed() -> bool:
        nonlocal reads
        try:
            with open(sandbox.home.index, "rb") as file:
                content = json.loads(file.read())
        except FileNotFoundError:
            return False
        reads += 1
        assert content["schema_version"] == 1
        done = all(submitter.poll() is not None for submitter in submitters)
        return done and not sandbox.markers()

    wait_until(all_is_indexed, "all runs ended and indexed", seconds=100, report=lambda: str(len(sandbox.markers())))
    ids = {line for submitter in submitters for line in (submitter.communicate()[0]).split()}
    assert [submitter.returncode for submitter in submitters] == [0] * 8
    assert len(ids) == 8 * RUNS_EACH
    assert set(os.listdir(sandbox.home.runs)) == ids
    index = sandbox.index()
    assert set(index) == ids
    assert {record["status"] for record in index.values()} == {"completed"}
    assert reads > 20
    sandbox.wait_until_nothing_runs()


def test_eight_processes_with_one_key_create_one_run(sandbox: Sandbox) -> None:
    submitters = [start(sandbox, 1, "the same") for _ in range(8)]
    ids = [submitter.communicate(timeout=30)[0].strip() for submitter in submitters]
    assert len(set(ids)) == 1
    assert os.listdir(sandbox.home.runs) == [ids[0]]
    run = sandbox.submitted(ids[0])
    assert run.wait_for_end().status is Status.COMPLETED
    assert run.events().count("started") == 1
