"""Which start of a Slurm job begins its run, with doubles of the clock, the node's watch and the guardian."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.run import SLURM, Attempt, Ended
from backprop_tui.domain.slurm import JobReport, SlurmEnd, parse_job
from backprop_tui.domain.status import Status
from backprop_tui.engine.slurm_queue import SILENT_SECONDS as SUPERVISOR_SILENT_SECONDS
from backprop_tui.launchers import slurm
from backprop_tui.node import job as node_job
from backprop_tui.node.job import ACT_SECONDS, SILENT_SECONDS, SUBMIT_SECONDS, Job, JobEnvironment, NodeSupervisor
from backprop_tui.processes.linux import boot_id
from backprop_tui.store import failures
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Guardian, Runs
from tests.support.slurm import job


class Clock:
    """Stands in for the module `time`; `events` happen at their second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: dict[float, Callable[[], object]] = {}

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_800_000_000.0 + self.now

    def sleep(self, seconds: float) -> None:
        self.passes(seconds)

    def passes(self, seconds: float) -> None:
        self.now += seconds
        for at in [at for at in self.events if at <= self.now]:
            self.events.pop(at)()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(node_job, "time", clock)
    return clock


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The starts of the job that started the script."""
    started: list[Job] = []

    def launch(self: Job, *_: object, **__: object) -> bool:
        started.append(self)
        return True

    monkeypatch.setattr(Job, "_launch", launch)
    return started


@pytest.fixture
def store(home: Path) -> Home:
    store = Home(f"{home}/backprop", "login1")
    store.prepare()
    return store


@pytest.fixture
def directory(store: Home) -> RunDirectory:
    """A run whose job 12 was submitted."""
    return Runs(store).queued("a", spec={"launcher": SLURM}, job=job(host="login1"))


def start_on(node: str, store: Home) -> Job:
    environment = JobEnvironment(id="12", node=node, gpus=(), variables={})
    return Job(environment, store.root, "a", "")


def holder(**fields: Any) -> dict[str, Any]:
    """A start of the job on another machine."""
    return {"by": "job", "job": "12", "node": "n1", "boot_id": "of another node", "pid": 1, "start_time": 1} | fields


@pytest.mark.parametrize(
    ("variables", "gpus"),
    [
        ({"SLURM_JOB_GPUS": "2,3", "CUDA_VISIBLE_DEVICES": "0,1"}, ("2", "3")),  # numbered anew inside of a cgroup
        ({"CUDA_VISIBLE_DEVICES": "GPU-5c1e, GPU-77ab"}, ("GPU-5c1e", "GPU-77ab")),
        ({}, ()),
    ],
)
def test_a_job_knows_its_gpus_and_passes_slurms_variables_on(variables: dict[str, str], gpus: tuple[str, ...]) -> None:
    of_job = {"SLURM_JOB_ID": "12", "SLURMD_NODENAME": "n1", **variables}
    environment = JobEnvironment.of(of_job | {"SECRET": "of the login environment", "PATH": "/bin"})
    assert (environment.id, environment.node, environment.gpus) == ("12", "n1", gpus)
    assert environment.variables == of_job


def test_the_first_start_begins_at_once(clock: Clock, started: list[Job], store: Home, directory: RunDirectory) -> None:
    first = start_on("n1", store)
    assert first._take_over()
    assert (started, clock.now) == ([first], 0.0)
    assert (directory.read().status, directory.read().host) == (Status.STARTING, "n1")


def test_a_second_start_waits_for_the_silence_of_the_first(
    clock: Clock, started: list[Job], store: Home, directory: RunDirectory
) -> None:
    directory.claim(1, holder())
    second = start_on("n2", store)
    assert second._take_over()
    assert started == [second]
    assert clock.now >= SILENT_SECONDS


def test_of_two_starts_that_wait_for_the_first_only_one_begins(
    clock: Clock, started: list[Job], store: Home, directory: RunDirectory
) -> None:
    directory.claim(1, holder())
    guardians: list[Guardian] = []

    def ends() -> None:
        guardians[0].ends()

    # The third start was faster; it begins late, and its run ends in the end.
    clock.events[SILENT_SECONDS - 1] = lambda: directory.claim(1, holder(node="n3"), start=2)
    clock.events[SILENT_SECONDS - 1 + ACT_SECONDS] = lambda: guardians.append(Guardian(directory))
    clock.events[200.0] = ends
    for second in range(40, 200, 10):
        clock.events[float(second)] = lambda: guardians[0].says(step=clock.now)
    assert not start_on("n2", store)._take_over()
    assert started == []
    assert directory.read().status is Status.COMPLETED
    assert len(directory.read().attempts) == 1


def test_a_start_waits_for_each_start_before_it(
    clock: Clock, started: list[Job], store: Home, directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start in (1, 2):
        directory.claim(1, holder(boot_id=boot_id(), pid=start), start=start)
    monkeypatch.setattr(node_job, "is_alive", lambda identity: identity.pid == 2 and clock.now < 30)
    clock.events[29.0] = lambda: Guardian(directory).ends()
    assert not start_on("n1", store)._take_over()
    assert (started, clock.now) == ([], 30.0)
    assert directory.claimed(1, start=3) is not None
    assert directory.read().status is Status.COMPLETED


def test_a_start_that_takes_too_long_leaves_the_run_to_others(
    clock: Clock, started: list[Job], store: Home, directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(*_: object) -> tuple[tuple[()], None]:
        clock.passes(ACT_SECONDS + 1)
        return (), None

    monkeypatch.setattr(Job, "_check_node", hangs)
    with pytest.raises(SystemExit, match="took too long"):
        start_on("n1", store)._take_over()
    assert (started, directory.read().status) == ([], Status.QUEUED)


def test_a_job_without_gpus_starts_nothing_on_a_full_disk(
    clock: Clock, started: list[Job], store: Home, directory: RunDirectory
) -> None:
    run = directory.read()
    limits = replace(run.spec.limits, min_free_disk_bytes=10**18)
    directory.write(replace(run, spec=replace(run.spec, limits=limits)), durable=False)
    assert not start_on("n1", store)._take_over()
    end = directory.read().state
    assert isinstance(end, Ended)
    assert end.cause is not None
    assert (started, end.cause.kind) == ([], "node_unfit")
    assert (end.reason or "").startswith("refused on n1: disk ")


@pytest.mark.parametrize(
    ("end", "program", "cause"),
    [
        (SlurmEnd.PREEMPTED, os.getppid(), "slurm_preempted"),
        (None, os.getppid(), "slurm_signaled"),
        (None, 0, "slurm_job_gone"),  # the signal comes from the kernel, since the program of the job was killed
    ],
)
def test_a_signal_is_explained_by_what_slurm_says_and_by_whether_the_job_goes_on(
    store: Home, end: SlurmEnd | None, program: int, cause: str
) -> None:
    supervisor = NodeSupervisor(home=store, config_path="", find_end=lambda: end, program=program)
    assert supervisor.session_end().cause == cause


@pytest.mark.parametrize(("restarts", "cause"), [(1, "slurm_cancelled"), (2, "slurm_requeued")])
def test_a_job_that_is_queued_again_was_not_cancelled(
    store: Home, monkeypatch: pytest.MonkeyPatch, restarts: int, cause: str
) -> None:
    shown = f"JobId=12 JobName=run-a-1 JobState=COMPLETING Reason=None ExitCode=0:0 Restarts={restarts}"
    monkeypatch.setattr(Job, "_slurm_job", lambda _: parse_job(shown))
    environment = JobEnvironment(id="12", node="n1", gpus=(), variables={"SLURM_RESTART_COUNT": "1"})
    assert Job(environment, store.root, "a", "")._find_end() == cause


def test_a_start_that_goes_on_with_the_next_attempt_is_the_job_of_that(
    clock: Clock, started: list[Job], store: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restarted controller starts a job again, on another node, after the first start and its script have died."""
    monkeypatch.setattr(slurm.Slurm, "setting", lambda *_: "proctrack/cgroup")  # nothing is left of that start
    monkeypatch.setattr(Job, "_slurm_job", lambda _: None)
    guardian = Runs(store).guarded("a", spec={"launcher": SLURM, "retries": 1}, job=job(host="login1"))
    guardian.edits(guardian.run.with_attempt(replace(guardian.run.attempt, boot_id="of another node")))
    guardian.dies()
    guardian.directory.claim(1, holder())
    second = start_on("n2", store)
    assert second._take_over()
    run = guardian.directory.read()
    assert (started, run.status, len(run.attempts)) == ([second], Status.STARTING, 2)
    assert run.attempts[0].status is Status.LOST
    assert run.job is not None
    assert run.job.attempt == 2, "or it would not submit the attempt after that"


@pytest.mark.parametrize(("preempted", "seconds"), [(False, 28.0), (True, 68.0)])
def test_a_script_has_until_slurm_kills_its_job(
    clock: Clock,
    store: Home,
    directory: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    *,
    preempted: bool,
    seconds: float,
) -> None:
    end = datetime.fromtimestamp(clock.time() + 40.0).isoformat()  # noqa: DTZ006 - as Slurm prints it
    report = JobReport(id="12", state="RUNNING" if preempted else "COMPLETING", end=end, preempted=preempted)
    monkeypatch.setattr(Job, "_slurm_job", lambda _: report)
    monkeypatch.setattr(slurm.Slurm, "kill_seconds", lambda _: 30.0)
    start = start_on("n1", store)
    start._limit_stop()
    assert start._kill_at == seconds
    clock.passes(3.0)
    start._limit_stop()  # Slurm signals a job more than once
    assert start._kill_at == seconds


def test_a_wait_for_silence_is_longer_than_steps_may_take() -> None:
    assert ACT_SECONDS < SILENT_SECONDS < SUPERVISOR_SILENT_SECONDS
    assert SUBMIT_SECONDS < SUPERVISOR_SILENT_SECONDS


def test_a_job_that_is_not_the_runs_newest_submits_nothing(
    clock: Clock, started: list[Job], store: Home, directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "is_installed", lambda _environment: pytest.fail("it looks for sbatch"))
    run = directory.read().with_attempt(Attempt(number=1, started_at=0.0, boot_id=""))
    for other in (job(99, host="login1"), job(12, attempt=0, host="login1")):  # of a run that a person has resumed
        start_on("n1", store)._submit_next(replace(run, job=other))


def test_the_pause_before_another_guardian_is_no_silence(
    clock: Clock, started: list[Job], store: Home, directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, signs = start_on("n1", store), list[float]()
    assert start._claim(1)
    failure = failures.Failure(reason="x", count=9, mark=0.0, boot_id="")
    monkeypatch.setattr(failures, "failure_of", lambda *_: failure)
    monkeypatch.setattr(failures, "time", clock)
    monkeypatch.setattr(os, "utime", lambda _path: signs.append(clock.now))
    monkeypatch.setattr(signal, "sigtimedwait", lambda _signals, seconds: clock.passes(seconds))
    start._replace_guardian()
    assert (started, clock.now) == ([start], failures.MAX_PAUSE_SECONDS)
    assert all(later - sign < ACT_SECONDS for sign, later in pairwise((0.0, *signs, clock.now)))
