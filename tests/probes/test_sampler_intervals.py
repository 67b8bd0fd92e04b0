"""How often the sampler measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.probes.gpu_monitor import GpuMonitor, ProbeChoice
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.ownership import ProcessOwners
from backprop_tui.probes.sampler import HOT_INTERVAL_FACTOR, SETTLING_SECONDS, Sampler, SamplerOptions


class Probe:
    """One GPU with the given health."""

    name = "nvml"

    def __init__(self, health: GpuHealth) -> None:
        self._health = health

    def open(self) -> None:
        pass

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        return (GpuReading(index=0, uuid="GPU-0", name="Test", health=self._health),)

    def close(self) -> None:
        pass


def sampler(folder: Path, health: GpuHealth) -> Sampler:
    options = SamplerOptions(out=str(folder / "readings.json"), disk_path=str(folder), interval_seconds=2.0)
    choice = ProbeChoice(probe=Probe(health), name="nvml")
    gpus = GpuMonitor("nvml", lambda: choice, sample_seconds=2.0, owners=ProcessOwners())
    return Sampler(options, HostProbe(disk_path=str(folder)), gpus)


@pytest.mark.parametrize(
    ("health", "seconds"),
    [
        (GpuHealth.OK, 2.0),
        (GpuHealth.STALE, 2.0),
        (GpuHealth.LOST, 2.0),
        (GpuHealth.HOT, 2.0 * HOT_INTERVAL_FACTOR),
        (GpuHealth.UNKNOWN, SETTLING_SECONDS),
    ],
)
def test_a_hot_gpu_is_measured_more_often(tmp_path: Path, health: GpuHealth, seconds: float) -> None:
    assert sampler(tmp_path, health).measure() == seconds
