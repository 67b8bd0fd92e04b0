"""What a run uses: its processes and their peaks, and its share of GPUs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, HostReading, Readings
from backprop_tui.probes.readings import Sample, write_sample
from backprop_tui.processes.identity import Identity, identify
from backprop_tui.processes.linux import boot_id
from backprop_tui.runner import recorder
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.resources import (
    EARLY_INTERVAL_SECONDS,
    EARLY_SAMPLE_COUNT,
    FIRST_SECONDS,
    LATE_INTERVAL_SECONDS,
    GpuShare,
    ResourceMeter,
    larger,
    share_of,
)
from backprop_tui.store.run_directory import RunDirectory, read_lines

figures = st.none() | st.floats(-1e9, 1e9)


@given(figures, figures)
def test_larger_returns_the_larger_known_value(first: float | None, second: float | None) -> None:
    result = larger(first, second)
    assert result == larger(second, first)
    assert (result is None) == (first is None and second is None)
    assert all(result is not None and result >= figure for figure in (first, second) if figure is not None)


class Alone:
    """A tree with only this process."""

    def members(self) -> list[Identity]:
        identity = identify(os.getpid())
        assert identity is not None
        return [identity]


def share(held: int | None, celsius: float | None) -> GpuShare:
    processes = () if held is None else (GpuProcess(pid=1, memory_bytes=held, run="a"),)
    reading = GpuReading(index=0, uuid="GPU-0", name="Test", temperature_celsius=celsius, processes=processes)
    return GpuShare("a", (reading,))


class Metered:
    """A meter with a given GPU share."""

    def __init__(self, folder: str) -> None:
        live = Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(), time=0.0)
        self.recorder = Recorder(RunDirectory(folder), live)
        self.share = GpuShare("a", ())
        self.meter = ResourceMeter(Alone(), self.recorder, lambda: self.share)  # type: ignore[arg-type]
        self._path = os.path.join(folder, "resources.jsonl")
        self.meter.sample(0.001)

    def lines(self) -> list[dict[str, object]]:
        if not os.path.exists(self._path):
            return []
        with open(self._path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


@pytest.fixture
def metered(tmp_path: Path) -> Metered:
    return Metered(str(tmp_path))


def test_the_first_sample_is_taken_only_after_a_delay(metered: Metered) -> None:
    metered.meter.sample(FIRST_SECONDS - 0.01)
    assert metered.lines() == []
    metered.meter.sample(FIRST_SECONDS + 0.01)
    (line,) = metered.lines()
    assert line["processes"] == 1
    assert line["cpu_percent"] is None


def test_samples_are_frequent_at_first_and_rare_later(metered: Metered) -> None:
    now = FIRST_SECONDS + 0.01
    for _ in range(EARLY_SAMPLE_COUNT + 1):
        metered.meter.sample(now)
        metered.meter.sample(now + EARLY_INTERVAL_SECONDS - 0.1)
        now += EARLY_INTERVAL_SECONDS
    assert len(metered.lines()) == EARLY_SAMPLE_COUNT
    metered.meter.sample(now + LATE_INTERVAL_SECONDS)
    assert len(metered.lines()) == EARLY_SAMPLE_COUNT + 1


def test_the_peak_is_kept_when_the_use_decreases(metered: Metered) -> None:
    for number, (held, celsius) in enumerate([(5, 60.0), (9, 50.0), (None, None), (1, 40.0)]):
        metered.share = share(held, celsius)
        metered.meter.sample(1.0 + number * EARLY_INTERVAL_SECONDS)
    live = metered.recorder.live
    assert (live.peak.vram_bytes, live.peak.temperature_celsius) == (9, 60.0)
    assert (live.vram_bytes, live.temperature_celsius) == (1, 40.0)
    assert live.peak.ram_bytes is not None


def test_unknown_gpu_values_stay_unknown(metered: Metered) -> None:
    metered.meter.sample(1.0)
    assert metered.recorder.live.peak.vram_bytes is None
    assert metered.lines()[0]["gpus"] == []


MINE = (Gpu(index=0, uuid="GPU-0"), Gpu(index=1, uuid="GPU-1"))


def reading(index: int, *processes: GpuProcess, health: GpuHealth = GpuHealth.OK) -> GpuReading:
    return GpuReading(
        index=index,
        uuid=f"GPU-{index}",
        name="Test",
        health=health,
        temperature_celsius=50.0 + index,
        utilization_percent=90.0,
        power_watts=300.0,
        processes=processes,
    )


def process(pid: int, held: int | None, run: str | None = "a") -> GpuProcess:
    return GpuProcess(pid=pid, memory_bytes=held, run=run)


def measured_share(folder: Path, *gpus: GpuReading, seconds_ago: float = 0.0, mine: tuple[Gpu, ...] = MINE) -> GpuShare:
    path = str(folder / "readings.json")
    readings = Readings(time=time.time() - seconds_ago, host=HostReading(), gpus=gpus, probe="nvml")
    write_sample(path, Sample(readings=readings, passed_over={}, gpus_known=True, pid=1, boot_id=boot_id()))
    return share_of("a", mine, path)


def test_the_share_is_the_sum_of_a_runs_processes_on_its_fullest_gpu(tmp_path: Path) -> None:
    gpu_share = measured_share(
        tmp_path, reading(0, process(1, 3), process(2, 4)), reading(1, process(1, 5), process(9, 99, "b"))
    )
    assert gpu_share.vram_bytes == 7
    assert gpu_share.temperature_celsius == 51.0


def test_only_the_gpus_of_the_run_are_listed(tmp_path: Path) -> None:
    lines = measured_share(tmp_path, reading(0, process(1, 3)), reading(1), reading(2, process(1, 3))).to_json()
    assert [line["uuid"] for line in lines] == ["GPU-0", "GPU-1"]
    assert [line["memory_bytes"] for line in lines] == [3, None]
    assert lines[0]["power_watts"] == 300.0


def test_memory_that_was_not_measured_is_unknown_and_not_zero(tmp_path: Path) -> None:
    assert measured_share(tmp_path, reading(0, process(1, None))).vram_bytes is None


def test_stale_gpus_and_old_readings_do_not_count(tmp_path: Path) -> None:
    assert measured_share(tmp_path, reading(0, process(1, 3), health=GpuHealth.STALE)).gpus == ()
    assert measured_share(tmp_path, reading(0, process(1, 3)), seconds_ago=60).gpus == ()


def test_a_run_without_gpus_and_a_host_without_readings_have_no_share(tmp_path: Path) -> None:
    assert measured_share(tmp_path, reading(0, process(1, 3)), mine=()).gpus == ()
    assert share_of("a", MINE, str(tmp_path / "none.json")).gpus == ()


def test_a_long_record_is_thinned_out_where_it_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_RESOURCE_BYTES", 10_000)
    live = Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(), time=0.0)
    kept, directory = Recorder(RunDirectory(str(tmp_path)), live), RunDirectory(str(tmp_path))
    for number in range(2000):
        kept.record_resources(number=number)
        assert os.path.getsize(directory.resources_path) <= 10_000
    numbers = [int(line["number"]) for line in read_lines(directory.resources_path)]
    assert numbers == sorted(numbers)
    assert numbers[0] < 100, "the beginning is still there"
    assert numbers[-50:] == list(range(1950, 2000)), "nothing is left out of what is new"
    assert os.listdir(tmp_path) == ["resources.jsonl"]
