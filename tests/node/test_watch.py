"""The check of a node before a run starts there, and the guard of its GPUs while it does, with given readings."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.requests import PauseRequest
from backprop_tui.domain.run import SLURM, Ended, Gpu
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, Readings
from backprop_tui.engine.readings import SamplerKeeper
from backprop_tui.node import watch as node_watch
from backprop_tui.node.job import Job, JobEnvironment
from backprop_tui.node.watch import NodeWatch, assigned
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.engine.machines import FakeReadings, gpu
from tests.support.runs import Runs
from tests.support.slurm import job

GIGABYTE = 1 << 30
HOG = GpuProcess(pid=4711, memory_bytes=79 * GIGABYTE, owner="bob")


class HalfSecondReadings(FakeReadings):
    """Given readings that are half a second apart."""

    def latest(self) -> Readings:
        return replace(self.readings, time=time.time() - 3.0 + self.written / 2)


class Node:
    """A node whose GPUs show what a test wants, and a run whose job was submitted."""

    def __init__(self, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = Home(root, "n1")
        self.home.prepare()
        self.readings = HalfSecondReadings(self.home)
        self.directory = Runs(self.home).queued("a", spec={"launcher": SLURM, "gpus": 1}, job=job(host="login1"))
        monkeypatch.setattr(node_watch, "ReadingsSource", lambda _home: self.readings)
        monkeypatch.setattr(SamplerKeeper, "ensure", lambda *_: None)
        monkeypatch.setattr(SamplerKeeper, "stop", lambda *_: None)

    def shows(self, *gpus: GpuReading) -> None:
        self.readings.readings = replace(self.readings.readings, gpus=gpus)
        self.readings.written += 1

    def starts(self, monkeypatch: pytest.MonkeyPatch, *gpus: str) -> bool:
        """Whether a job with these GPUs starts the script."""
        monkeypatch.setattr(Job, "_launch", lambda *_, **__: True)
        environment = JobEnvironment(id="12", node="n1", gpus=gpus, variables={})
        return Job(environment, self.home.root, "a", "")._take_over()


@pytest.fixture
def node(home: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(f"{home}/backprop", monkeypatch)


def end_of(directory: RunDirectory) -> Ended:
    state = directory.read().state
    assert isinstance(state, Ended)
    return state


@pytest.mark.parametrize(
    ("reading", "problem"),
    [
        (gpu(1, used=79), "GPU 1: 1 GB free, needs 2.5 (gpu.min_free_vram_mb 2500)"),
        (
            gpu(1, used=79, processes=(HOG,)),
            "GPU 1: 1 GB free, needs 2.5, pid 4711 (bob) holds 79 (gpu.min_free_vram_mb 2500)",
        ),
        (gpu(1, temperature_celsius=93.0), "GPU 1 too hot, 93 °C, starts below 82 (gpu.max_temp_c 85)"),
        (gpu(1, health=GpuHealth.LOST), "GPU 1 lost"),
    ],
)
def test_a_run_is_refused_on_an_unfit_gpu_and_the_reason_says_which(
    node: Node, monkeypatch: pytest.MonkeyPatch, reading: GpuReading, problem: str
) -> None:
    node.shows(gpu(0), reading, gpu(2))
    assert not node.starts(monkeypatch, "1")
    end = end_of(node.directory)
    assert (end.status, end.reason) == (Status.FAILED, f"refused on n1: {problem}")
    assert end.cause is not None
    assert (end.cause.kind, end.cause.retryable) == ("node_unfit", True)
    assert "--slurm-extra=--exclude=n1" in (end.cause.advice or "")


def test_what_other_gpus_have_keeps_no_run_back_and_those_of_the_job_are_recorded(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.shows(gpu(0, used=79), gpu(1), gpu(2, temperature_celsius=93.0))
    assert node.starts(monkeypatch, "1")
    assert node.directory.read().attempt.gpus == (Gpu(index=1, uuid="GPU-1"),)


def test_a_full_disk_refuses_a_run_with_gpus_too(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.shows(gpu(0))
    run = node.directory.read()
    limits = replace(run.spec.limits, min_free_disk_bytes=10**18)
    node.directory.write(replace(run, spec=replace(run.spec, limits=limits)), durable=False)
    assert not node.starts(monkeypatch, "0")
    assert (end_of(node.directory).reason or "").startswith("refused on n1: disk ")


def test_the_job_guards_the_heat_of_its_gpus(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    guardian = Runs(node.home).guarded("b", spec={"launcher": SLURM}, job=job(host="login1"))
    attempt = replace(guardian.run.attempt, gpus=(Gpu(index=1, uuid="GPU-1"),))
    guardian.edits(replace(guardian.run.with_attempt(attempt), host="n1"))
    watch = NodeWatch(node.home, "")

    def look(celsius: float, other: float) -> None:
        node.shows(gpu(0, temperature_celsius=other), gpu(1, temperature_celsius=celsius))
        watch.look(guardian.directory)

    for celsius, other in ((60.0, 95.0), (60.0, 95.0), (95.0, 40.0)):
        look(celsius, other)
    assert guardian.directory.requests_after(0)[0] == [], "another GPU was hot, and its own only once"
    look(95.0, 40.0)
    (request,) = guardian.directory.requests_after(0)[0]
    assert isinstance(request, PauseRequest)
    assert "95" in request.reason
    guardian.ends()


def test_a_job_that_sees_only_its_own_gpus_numbers_them_anew() -> None:
    assert [reading.uuid for reading in assigned([gpu(0)], ["3"])] == ["GPU-0"]
    assert [reading.uuid for reading in assigned([gpu(0), gpu(1), gpu(2)], ["2", "GPU-0"])] == ["GPU-0", "GPU-2"]
