"""The supervisor's choice of readings, and the sampler that it keeps running."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier

import pytest

from backprop_tui.domain.run import Run
from backprop_tui.domain.telemetry import GpuHealth, HostReading, Readings
from backprop_tui.engine.readings import ReadingsSource, SamplerKeeper
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.readings import Sample, write_sample
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home
from tests.engine.machines import CALM, Host, gpu


@pytest.fixture
def measurements(home: Path) -> ReadingsSource:
    place = Home(str(home / "backprop"), "testhost")
    place.prepare()
    return ReadingsSource(place)


def write(measurements: ReadingsSource, *, seconds_ago: float, known: bool = True, problem: str | None = None) -> None:
    readings = Readings(time=time.time() - seconds_ago, host=CALM, gpus=(gpu(),), probe="nvml", probe_problem=problem)
    sample = Sample(readings=readings, passed_over={}, gpus_known=known, pid=1, boot_id=boot_id())
    write_sample(measurements._path, sample)


def test_a_fresh_sample_is_used_as_it_is(measurements: ReadingsSource) -> None:
    write(measurements, seconds_ago=0.5)
    readings = measurements.latest()
    assert readings.host == CALM
    assert readings.gpus[0].health is GpuHealth.OK
    assert measurements.gpus_known


def test_without_a_sampler_the_host_is_measured_and_no_gpu_is_known(measurements: ReadingsSource) -> None:
    readings = measurements.latest()
    assert readings.host.ram_available_bytes is not None
    assert readings.gpus == ()
    assert not measurements.gpus_known


def test_a_sampler_that_is_still_probing_has_no_readings(measurements: ReadingsSource) -> None:
    write(measurements, seconds_ago=0.0, known=False)
    assert measurements.latest().gpus == ()
    assert not measurements.gpus_known


def test_the_host_is_measured_once_for_two_threads_that_ask_at_the_same_time(
    measurements: ReadingsSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, count = Barrier(2), []

    def measure(_probe: HostProbe) -> HostReading:
        count.append(1)
        time.sleep(0.05)  # the other thread asks meanwhile
        return CALM

    def ask(_number: int) -> Readings:
        both.wait(10)
        return measurements.latest()

    monkeypatch.setattr(HostProbe, "read", measure)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(ask, range(2))
    assert first is second
    assert len(count) == 1


def test_with_an_old_sample_the_host_is_measured_again_and_the_gpus_are_stale(
    measurements: ReadingsSource,
) -> None:
    write(measurements, seconds_ago=60)
    readings = measurements.latest()
    assert readings.host != CALM
    assert abs(readings.time - time.time()) < 5
    assert readings.gpus[0].health is GpuHealth.STALE
    assert 59 < readings.gpus[0].age_seconds < 70


def test_with_a_long_interval_a_reading_stays_fresh_for_longer(measurements: ReadingsSource) -> None:
    measurements.sample_seconds = 10.0
    write(measurements, seconds_ago=12)
    reading = measurements.latest().gpus[0]
    assert reading.health is GpuHealth.OK
    assert 11 < reading.age_seconds < 20


def test_with_probe_none_the_machine_has_no_gpus(measurements: ReadingsSource) -> None:
    write(measurements, seconds_ago=0)
    measurements.probe = "none"
    assert measurements.latest().gpus == ()
    assert measurements.gpus_known


def test_a_broken_probe_keeps_the_time_since_when_it_is_broken(measurements: ReadingsSource) -> None:
    write(measurements, seconds_ago=0, problem="driver mismatch")
    measurements.latest()
    since = measurements.broken_since
    assert since is not None
    write(measurements, seconds_ago=0, problem="driver mismatch")
    measurements.latest()
    assert measurements.broken_since == since
    write(measurements, seconds_ago=0)
    measurements.latest()
    assert measurements.broken_since is None


def test_a_new_sample_is_recognised_by_its_time(measurements: ReadingsSource) -> None:
    assert measurements.written_at() is None
    write(measurements, seconds_ago=0)
    first = measurements.written_at()
    write(measurements, seconds_ago=0)
    assert first is not None
    assert measurements.written_at() != first


@dataclass
class Sampler:
    """Records its calls."""

    asked: list[str] = field(default_factory=list)
    error: OSError | None = None

    def replace(self, probe: str, interval_seconds: float) -> None:
        self.asked.append(f"{probe} each {interval_seconds:g} s")

    def ensure(self, now: float) -> None:
        if self.error is not None:
            raise self.error
        self.asked.append("lives")

    def stop(self) -> None:
        self.asked.append("stopped")


@pytest.fixture
def sampler() -> Sampler:
    return Sampler()


@pytest.fixture
def sampling(host: Host, sampler: Sampler) -> SamplerKeeper:
    keeper = SamplerKeeper(host.home, host.readings_source)
    keeper._sampler = sampler  # type: ignore[assignment]
    return keeper


def asking(host: Host, run_id: str, probe: str) -> Run:
    run = host.runs.queued(run_id).read()
    return replace(run, spec=replace(run.spec, gpu_probe=probe))


def test_the_probe_of_the_configuration_is_used(sampling: SamplerKeeper, sampler: Sampler) -> None:
    sampling.ensure(())
    assert sampler.asked == ["auto each 1 s", "lives"]


def test_a_run_that_asks_for_a_probe_takes_precedence_over_the_configuration(
    host: Host, sampling: SamplerKeeper, sampler: Sampler
) -> None:
    sampling.ensure([asking(host, "a", "auto"), asking(host, "b", "simulated"), asking(host, "c", "nvml")])
    assert sampler.asked[0] == "simulated each 1 s"
    assert host.readings_source.probe == "simulated"


def test_an_active_run_takes_precedence_over_a_queued_one(
    host: Host, sampling: SamplerKeeper, sampler: Sampler
) -> None:
    guardian = host.runs.guarded("b")
    active = replace(guardian.run, spec=replace(guardian.run.spec, gpu_probe="nvml"))
    sampling.ensure([asking(host, "a", "simulated"), active])
    assert sampler.asked[0] == "nvml each 1 s"
    guardian.dies()


def test_the_probe_of_an_ended_run_does_not_count(host: Host, sampling: SamplerKeeper, sampler: Sampler) -> None:
    run = host.runs.ended("a").read()
    sampling.ensure([replace(run, spec=replace(run.spec, gpu_probe="simulated"))])
    assert sampler.asked[0] == "auto each 1 s"


def test_with_probe_none_there_is_no_sampler(host: Host, sampling: SamplerKeeper, sampler: Sampler) -> None:
    host.readings_source.machine_probe = "none"
    sampling.ensure([asking(host, "a", "auto")])
    assert sampler.asked == ["stopped"]


def test_a_sampler_that_cannot_be_started_is_logged_and_does_no_harm(
    sampling: SamplerKeeper, sampler: Sampler, capfd: pytest.CaptureFixture[str]
) -> None:
    sampler.error = OSError(errno.ENOSPC, "No space left on device")
    sampling.ensure(())
    assert "cannot start the sampler: No space left on device" in capfd.readouterr().err


def test_the_runs_are_searched_for_a_probe_when_they_have_changed(
    host: Host, sampling: SamplerKeeper, sampler: Sampler
) -> None:
    class Counted(list[Run]):
        times = 0

        def __iter__(self) -> Iterator[Run]:
            self.times += 1
            return super().__iter__()

    runs = Counted([asking(host, "a", "simulated")])
    for _ in range(3):
        sampling.ensure(runs)
    assert runs.times == 1
    assert sampler.asked == ["simulated each 1 s", "lives"] * 3
