"""GPU readings continue whatever the probe does."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import pytest

from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.probes import gpu_monitor
from backprop_tui.probes.gpu_monitor import GpuMonitor, GpuSample, NoneProbe, ProbeChoice
from backprop_tui.probes.gpu_record import ProbeUnavailable
from backprop_tui.probes.ownership import ProcessOwners
from tests.support.waiting import wait_until

GPU = GpuReading(index=0, uuid="GPU-a", name="Test", temperature_celsius=50.0)


class Probe:
    """Returns one GPU, or raises the exception that a test sets."""

    name = "nvml"

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.closed = 0

    def open(self) -> None:
        pass

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        if self.error is not None:
            raise self.error
        return (GPU,)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_monitor, "BROKEN_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(gpu_monitor, "ABSENT_RETRY_SECONDS", 0.02)


def new_monitor(
    choose: Callable[[], ProbeChoice], previous: tuple[tuple[GpuReading, ...], float] = ((), 0.0)
) -> GpuMonitor:
    return GpuMonitor("auto", choose, sample_seconds=0.01, owners=ProcessOwners(), previous=previous)


def test_reading_does_not_wait_for_a_probe_that_is_still_opening() -> None:
    gate = Event()
    probe = Probe()

    def choose() -> ProbeChoice:
        gate.wait(10)
        return ProbeChoice(probe=probe, name="nvml")

    monitor = new_monitor(choose)
    before = time.monotonic()
    assert monitor.read(0.05) == GpuSample(probe="auto", known=False)
    assert time.monotonic() - before < 1
    gate.set()
    assert wait_until(lambda: monitor.read(0.05).gpus, "the GPU") == (GPU,)


def test_gpus_of_a_driver_that_disappears_become_stale_and_the_driver_is_reopened() -> None:
    probe = Probe()
    monitor = new_monitor(lambda: ProbeChoice(probe=probe, name="nvml"))
    assert monitor.read(1.0) == GpuSample(gpus=(GPU,), probe="nvml")
    probe.error = ProbeUnavailable("driver reloaded")
    sample = monitor.read(1.0)
    assert (sample.probe, sample.problem, sample.known) == ("nvml", "driver reloaded", True)
    stale = wait_until(lambda: _stale(monitor.read(1.0)), "stale")
    assert (stale.uuid, stale.temperature_celsius, stale.problem) == ("GPU-a", 50.0, "driver reloaded")
    probe.error = None
    wait_until(lambda: monitor.read(1.0).problem is None, "the driver's return")
    assert monitor.read(1.0).gpus == (GPU,)
    assert probe.closed >= 1


def _stale(sample: GpuSample) -> GpuReading | None:
    return next((gpu for gpu in sample.gpus if gpu.health is GpuHealth.STALE), None)


def test_a_bug_in_a_probe_is_reported_and_readings_continue() -> None:
    probe = Probe()
    monitor = new_monitor(lambda: ProbeChoice(probe=probe, name="nvml"))
    probe.error = KeyError("a bug")
    assert "KeyError" in (monitor.read(1.0).problem or "")

    def fail() -> ProbeChoice:
        raise RuntimeError("another bug")

    assert "another bug" in (new_monitor(fail).read(1.0).problem or "")


def test_a_machine_without_gpus_is_known_to_have_none_and_checked_again() -> None:
    choices = [ProbeChoice(probe=NoneProbe(), name="none", passed_over={"nvml": "no library"})]
    monitor = new_monitor(lambda: choices[-1])
    sample = monitor.read(1.0)
    assert (sample.known, sample.problem, sample.passed_over) == (True, None, {"nvml": "no library"})
    choices.append(ProbeChoice(probe=Probe(), name="nvml"))
    wait_until(lambda: monitor.read(1.0).gpus, "the GPU that came")


def test_gpus_of_an_earlier_process_are_stale_if_the_driver_is_missing() -> None:
    choice = ProbeChoice(probe=NoneProbe(), name="none", passed_over={"nvml": "no driver"})
    sample = new_monitor(lambda: choice, previous=((GPU,), time.monotonic() - 60)).read(1.0)
    assert (sample.probe, sample.problem) == ("nvml", "no driver")
    (gpu,) = sample.gpus
    assert (gpu.health, gpu.uuid) == (GpuHealth.STALE, "GPU-a")
    assert gpu.age_seconds >= 60


def test_a_gpu_that_never_answered_makes_the_gpus_unknown_only_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Probe()
    silent = GpuReading(index=0, uuid="unknown-0", name="unknown", health=GpuHealth.UNKNOWN)
    monkeypatch.setattr(probe, "read", lambda _seconds: (silent,))
    monkeypatch.setattr(gpu_monitor, "FIRST_ANSWER_SECONDS", 0.1)
    monitor = new_monitor(lambda: ProbeChoice(probe=probe, name="nvml"))
    assert not monitor.read(1.0).known
    wait_until(lambda: monitor.read(1.0).known, "that it is known to be silent")
