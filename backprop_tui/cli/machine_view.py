"""The machine as `status` shows it: the sampler's readings while they are fresh, else the host measured here."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from backprop_tui.cli import figures
from backprop_tui.cli.tables import Column
from backprop_tui.domain.governor.figures import plain
from backprop_tui.domain.governor.freshness import STALE_AFTER_SAMPLES
from backprop_tui.domain.telemetry import GpuReading, HostReading, Readings
from backprop_tui.probes.host import HostProbe
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home

READINGS = "readings.json"
LEAST_FRESH_SECONDS = 5.0
CPU_SECONDS = 0.1  # how long the CPU is watched where nobody watches it already

GPU_COLUMNS = (
    Column(title="GPU"),
    Column(title="NAME", least=8),
    Column(title="HEALTH"),
    Column(title="UTIL", right=True),
    Column(title="MEMORY", right=True),
    Column(title="TEMP", right=True),
    Column(title="POWER", right=True),
    Column(title="RUNS", least=8),
)


@dataclass(frozen=True, slots=True)
class MachineView:
    """The readings, and whether a sampler asked the GPUs."""

    readings: Readings
    sampled: bool

    def host_json(self) -> JsonObject:
        """The public shape of the host."""
        return asdict(self.readings.host)

    def gpus_json(self) -> list[JsonObject]:
        """The public shape of the GPUs; `age_seconds` of one that stopped answering is how old its figures are."""
        return [_gpu_json(gpu) for gpu in self.readings.gpus]


class MachineProbe:
    """Begins to watch when it is made, so that other work passes the time until the CPU's share is known."""

    def __init__(self, home: Home, sample_seconds: float) -> None:
        self._readings = sampled_readings(home, sample_seconds)
        self._began = time.monotonic()
        self._probe = None
        if self._readings is None:
            folder = home.root if os.path.isdir(home.root) else "/"
            self._probe = HostProbe(disk_path=folder)
            self._probe.read()

    def view(self) -> MachineView:
        """What is known now."""
        if self._readings is not None or self._probe is None:
            return MachineView(self._readings or Readings(time=0.0, host=HostReading()), sampled=True)
        time.sleep(max(0.0, self._began + CPU_SECONDS - time.monotonic()))
        return MachineView(Readings(time=time.time(), host=self._probe.read()), sampled=False)


def sampled_readings(home: Home, sample_seconds: float) -> Readings | None:
    """What the sampler wrote last; None where it is old, or nobody samples."""
    path = home.host_file(READINGS)
    if not os.path.exists(path):
        return None
    from backprop_tui.probes.readings_file import read_readings

    readings = read_readings(path)
    fresh_seconds = max(LEAST_FRESH_SECONDS, STALE_AFTER_SAMPLES * sample_seconds)
    return readings if readings is not None and abs(time.time() - readings.time) < fresh_seconds else None


def host_words(host: HostReading) -> str:
    """The host in one line."""
    cores = "" if host.cores is None else f" on {plain(host.cores)} cores"
    load = "-" if host.load_1m is None else f"{host.load_1m:.2f}"
    parts = [
        f"CPU {figures.percent(host.cpu_percent)}",
        f"load {load}{cores}",
        f"RAM {figures.size(host.ram_available_bytes)} of {figures.size(host.ram_total_bytes)} free",
        f"disk {figures.size(host.disk_free_bytes)} free",
    ]
    return ", ".join(parts)


def gpu_row(gpu: GpuReading, names: Mapping[str, str]) -> tuple[str, ...]:
    """The cells of a GPU; `names` are those of the runs."""
    runs = dict.fromkeys(names.get(one.run, one.run) for one in gpu.processes if one.run is not None)
    others = sum(one.run is None for one in gpu.processes)
    return (
        str(gpu.index),
        gpu.name,
        gpu.health + (f" for {figures.seconds(gpu.age_seconds)}" if gpu.health == "stale" else ""),
        figures.percent(gpu.utilization_percent),
        f"{_gigabytes(gpu.memory_used_bytes)}/{_gigabytes(gpu.memory_total_bytes)} GB",
        "-" if gpu.temperature_celsius is None else f"{gpu.temperature_celsius:.0f} C",
        "-" if gpu.power_watts is None else f"{gpu.power_watts:.0f} W",
        ", ".join([*runs, *([f"{others} of others"] if others else [])]),
    )


def _gigabytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e9:.1f}"


def _gpu_json(gpu: GpuReading) -> JsonObject:
    shown = asdict(replace(gpu, processes=()))
    shown["processes"] = [{"pid": one.pid, "memory_bytes": one.memory_bytes, "run": one.run} for one in gpu.processes]
    return shown
