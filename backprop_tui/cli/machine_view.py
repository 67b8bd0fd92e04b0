"""The machine as `status` shows it: what the supervisor's sampler wrote last, else measured here and now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, field, replace

from backprop_tui.cli import figures
from backprop_tui.cli.tables import Column
from backprop_tui.client.own_sampler import OwnSampler
from backprop_tui.domain.governor.figures import plain
from backprop_tui.domain.governor.freshness import STALE_AFTER_SAMPLES
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, HostReading, Readings
from backprop_tui.domain.values import dataclass
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.readings_codec import Sample
from backprop_tui.probes.readings_file import read_sample
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home

NO_PROBE = "none"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """The readings; `passed_over` are the GPU probes that were not picked, and why."""

    readings: Readings
    gpus_known: bool = True
    passed_over: Mapping[str, str] = field(default_factory=dict)

    def host_json(self) -> JsonObject:
        """The public shape of the host."""
        return asdict(self.readings.host)

    def gpus_json(self) -> list[JsonObject]:
        """The public shape of the GPUs; `age_seconds` of one that stopped answering is how old its figures are."""
        return [_gpu_json(gpu) for gpu in self.readings.gpus]


class MachineProbe:
    """Begins to measure when it is made, so that other work passes the time until all is known."""

    def __init__(self, home: Home, *, probe: str, sample_seconds: float) -> None:
        """`probe` is the GPU probe that is configured."""
        self._began = time.monotonic()
        self._sample = read_sample(home.readings)
        self._sampler: OwnSampler | None = None
        self._fresh = self._sample is not None and _is_fresh(self._sample, sample_seconds)
        if self._fresh:
            return
        self._host = HostProbe(disk_path=existing(home.root))
        self._host.read()
        if probe != NO_PROBE and not _has_no_gpu(self._sample):
            self._sampler = OwnSampler(home, probe=probe, sample_seconds=sample_seconds)

    def view(self) -> MachineView:
        """What is known now, or as soon as it is."""
        if self._fresh and self._sample is not None:
            return _view_of(self._sample)
        sample = self._sample if _has_no_gpu(self._sample) else None
        if self._sampler is not None:
            sample = self._sampler.sample()
        time.sleep(max(0.0, self._began + CPU_SECONDS - time.monotonic()))
        host = self._host.read()
        if sample is None:
            readings = Readings(time=time.time(), host=host, probe=NO_PROBE)
            return MachineView(readings=readings, gpus_known=self._sampler is None)
        return _view_of(replace(sample, readings=replace(sample.readings, host=host)))


def _view_of(sample: Sample) -> MachineView:
    return MachineView(readings=sample.readings, gpus_known=sample.gpus_known, passed_over=sample.passed_over)


def _is_fresh(sample: Sample, sample_seconds: float) -> bool:
    fresh_seconds = max(LEAST_FRESH_SECONDS, STALE_AFTER_SAMPLES * sample_seconds)
    return abs(time.time() - sample.readings.time) < fresh_seconds


def _has_no_gpu(sample: Sample | None) -> bool:
    """A machine that had none earlier in this boot has none."""
    if sample is None or not sample.gpus_known:
        return False
    return not sample.readings.gpus and sample.readings.probe_problem is None


def existing(path: str) -> str:
    """The path, or the nearest directory above it that exists."""
    import os

    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


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
        gpu.health + (f" for {figures.seconds(gpu.age_seconds)}" if gpu.health is GpuHealth.STALE else ""),
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
