"""What a run with --after waits for: Slurm where it can know, and else the supervisor, also between the launchers."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.run import LOCAL, SLURM, Dependency, Ended
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.status import Status
from backprop_tui.engine.slurm_clusters import MAX_POLL_SECONDS, POLL_SECONDS
from tests.engine.logins import Login
from tests.engine.machines import Host
from tests.support.runs import Runs
from tests.support.slurm import FakeSlurm, job, queue_line, shown_job


def submissions(login: Login) -> list[str]:
    """The dependencies of the jobs that were submitted, empty for none."""
    words = (line.split() for line in login.calls("sbatch"))
    return [" ".join(word for word in line if word.startswith("--dependency")) for line in words]


def follower(login: Login, *, any_end: bool = False, **spec: Any) -> None:
    """The run b, which waits for a."""
    login.waiting("b", spec={"after": (Dependency(run="a", any_end=any_end),), **spec})


@pytest.mark.parametrize(("any_end", "word"), [(False, "afterok:12"), (True, "afterany:12")])
@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
def test_slurm_waits_for_the_job_of_a_run_that_can_have_no_other(
    login: Login, *, any_end: bool, word: str, state: str
) -> None:
    if state == "PENDING":
        login.waiting(job=job(host="login1"))
    else:
        login.running()
    login.answers(squeue=queue_line(12, "a-1", state))
    follower(login, any_end=any_end)
    login.looks()
    assert submissions(login) == [f"--dependency={word}"]


@pytest.mark.parametrize("spec", [{"retries": 1}, {"total_seconds": 9.0}])
def test_the_supervisor_waits_for_a_run_that_may_have_another_job(login: Login, spec: dict[str, Any]) -> None:
    guardian = login.running(**spec)
    login.answers(squeue=queue_line(12, "a-1", "RUNNING"))
    follower(login)
    login.looks()
    assert submissions(login) == []
    assert login.queue.holds["b"][0].message == f"after {guardian.run.name} (a)"
    guardian.ends()
    login.answers(squeue="", scontrol=shown_job(12, "a-1"))
    login.looks()
    assert submissions(login) == [""]


def test_the_job_of_another_cluster_is_none_that_slurm_can_wait_for(login: Login, tmp_path: Path) -> None:
    other = FakeSlurm(tmp_path / "other")
    elsewhere = login.waiting(job=job(host="login1"))
    elsewhere.write_environment({"PATH": f"{other.directory}:{os.defpath}"})
    other.answers("squeue", queue_line(12, "a-1"))
    follower(login)
    login.looks()
    assert submissions(login) == []
    assert login.reason("b").startswith("after ")


def test_the_last_job_of_a_run_that_was_resumed_is_not_waited_for(login: Login) -> None:
    login.waiting(job=job(11, attempt=0, host="login1"))
    login.answers(squeue=queue_line(11, "a-0", "COMPLETING"))
    follower(login)
    login.looks()
    assert login.reason() == "Slurm: its last job is ending"
    assert submissions(login) == []
    assert login.reason("b").startswith("after ")


@pytest.mark.parametrize("extra", [("--dependency=singleton",), ("-d", "afterany:7")])
def test_a_dependency_of_the_user_does_not_replace_that_of_the_run(login: Login, extra: tuple[str, ...]) -> None:
    guardian = login.running()
    login.answers(squeue=queue_line(12, "a-1", "RUNNING"))
    follower(login, slurm=SlurmOptions(extra=extra))
    login.looks()
    assert submissions(login) == []
    guardian.ends()
    login.answers(squeue="", scontrol=shown_job(12, "a-1"))
    login.looks()
    assert extra[0] in login.calls("sbatch")[0]


@pytest.mark.parametrize(("status", "submitted"), [(Status.COMPLETED, True), (Status.FAILED, False)])
def test_a_slurm_run_waits_for_a_local_one(login: Login, status: Status, *, submitted: bool) -> None:
    guardian = login.runs.guarded("a", spec={"launcher": LOCAL})
    follower(login)
    login.looks()
    assert submissions(login) == []
    assert login.reason("b").startswith("after ")
    guardian.ends(status, exit_code=0 if submitted else 1)
    login.looks()
    assert submissions(login) == [""] * submitted
    if not submitted:
        state = login.queue.unfinished.directory("b").read().state
        assert isinstance(state, Ended)
        assert state.cause is not None
        assert (state.status, state.cause.kind) == (Status.STOPPED, "dependency")


@pytest.mark.parametrize(("status", "started"), [(Status.TIMEBOXED, True), (Status.LOST, False)])
def test_a_local_run_waits_for_one_of_slurm(host: Host, status: Status, *, started: bool) -> None:
    runs = Runs(host.home)
    guardian = runs.guarded("a", spec={"launcher": SLURM}, job=job(host=host.home.host))
    waiting = runs.queued("b", spec={"after": (Dependency(run="a"),)})
    host.passes()
    assert host.launches.adopting == {}
    guardian.ends(status, exit_code=None)
    host.passes()
    assert ("b" in host.launches.adopting) is started
    assert waiting.read().status is (Status.STARTING if started else Status.STOPPED)


def test_a_cluster_that_does_not_answer_is_asked_less_and_less_often(login: Login) -> None:
    login.waiting(job=job(host="login1"))
    login.answers(squeue=None)
    asked: list[float] = []
    for second in range(301):
        before = len(login.calls("squeue"))
        login.looks(after=1.0)
        if len(login.calls("squeue")) > before:
            asked.append(float(second))
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[:3] == [2 * POLL_SECONDS, 4 * POLL_SECONDS, 8 * POLL_SECONDS]
    assert set(pauses[3:]) == {MAX_POLL_SECONDS}
    login.answers(squeue=queue_line(12, "a-1"))
    for _ in range(int(MAX_POLL_SECONDS + POLL_SECONDS)):
        login.looks(after=1.0)
    assert login.reason() == "Slurm: behind jobs of higher priority"
