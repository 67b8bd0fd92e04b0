"""A run's share of its GPUs, from the newest readings."""

from __future__ import annotations

import time
from pathlib import Path

from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, HostReading, Readings
from backprop_tui.probes.readings import Sample, write_sample
from backprop_tui.processes.linux import boot_id
from backprop_tui.runner.resources import GpuShare, share_of

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


def share(folder: Path, *gpus: GpuReading, seconds_ago: float = 0.0, mine: tuple[Gpu, ...] = MINE) -> GpuShare:
    path = str(folder / "readings.json")
    readings = Readings(time=time.time() - seconds_ago, host=HostReading(), gpus=gpus, probe="nvml")
    write_sample(path, Sample(readings=readings, passed_over={}, gpus_known=True, pid=1, boot_id=boot_id()))
    return share_of("a", mine, path)


def test_the_share_is_the_sum_of_a_runs_processes_on_its_fullest_gpu(tmp_path: Path) -> None:
    gpu_share = share(
        tmp_path, reading(0, process(1, 3), process(2, 4)), reading(1, process(1, 5), process(9, 99, "b"))
    )
    assert gpu_share.vram_bytes == 7
    assert gpu_share.temperature_celsius == 51.0


def test_only_the_gpus_of_the_run_are_listed(tmp_path: Path) -> None:
    lines = share(tmp_path, reading(0, process(1, 3)), reading(1), reading(2, process(1, 3))).to_json()
    assert [line["uuid"] for line in lines] == ["GPU-0", "GPU-1"]
    assert [line["memory_bytes"] for line in lines] == [3, None]
    assert lines[0]["power_watts"] == 300.0


def test_memory_that_was_not_measured_is_unknown_and_not_zero(tmp_path: Path) -> None:
    assert share(tmp_path, reading(0, process(1, None))).vram_bytes is None


def test_stale_gpus_and_old_readings_do_not_count(tmp_path: Path) -> None:
    assert share(tmp_path, reading(0, process(1, 3), health=GpuHealth.STALE)).gpus == ()
    assert share(tmp_path, reading(0, process(1, 3)), seconds_ago=60).gpus == ()


def test_a_run_without_gpus_and_a_host_without_readings_have_no_share(tmp_path: Path) -> None:
    assert share(tmp_path, reading(0, process(1, 3)), mine=()).gpus == ()
    assert share_of("a", MINE, str(tmp_path / "none.json")).gpus == ()
