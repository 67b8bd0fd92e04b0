"""The supervisor's choice of the newest readings."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from backprop_tui.domain.telemetry import GpuHealth, Readings
from backprop_tui.engine.readings import ReadingsSource
from backprop_tui.probes.readings import Sample, write_sample
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home
from tests.engine.machines import CALM, gpu


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
