"""Measures what a run uses: CPU and RAM of its processes, and its share of GPUs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from backprop_tui.domain.governor.claims import run_usage_bytes
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Gpu, Peak
from backprop_tui.domain.telemetry import GpuReading, answers
from backprop_tui.probes.cgroups import Cgroups
from backprop_tui.probes.readings import read_readings
from backprop_tui.processes.tree import TreeUsage, usage
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.tree import Tree
from backprop_tui.store.fields import JsonObject

SAMPLE_SECONDS = 2.0  # GPU readings older than three of these are not used
FIRST_SECONDS = 0.5  # until the first sample of a run
EARLY_INTERVAL_SECONDS = 2.0  # between two samples while a script usually still allocates memory
LATE_INTERVAL_SECONDS = 10.0  # between two samples after that
EARLY_SAMPLE_COUNT = 20  # samples taken at the early interval
# The kill counter is sampled at every tick at first, because a script may move to a control group of its own.
TICK_SAMPLES = 25
RECENT_SECONDS = 30.0  # a data loader's worker dies some seconds before the script gives up

NumberT = TypeVar("NumberT", int, float)


@lazy_dataclass(frozen=True, slots=True)
class GpuShare:
    """Fresh readings of the run's GPUs; empty if it has none or none of the readings are fresh."""

    run_id: str
    gpus: tuple[GpuReading, ...]

    @property
    def vram_bytes(self) -> int | None:
        """The run's memory on the GPU where it uses most; None if none was measured."""
        uses = [use for gpu in self.gpus if (use := run_usage_bytes(gpu, self.run_id)) is not None]
        return max(uses, default=None)

    @property
    def temperature_celsius(self) -> float | None:
        return max((gpu.temperature_celsius for gpu in self.gpus if gpu.temperature_celsius is not None), default=None)

    def to_json(self) -> list[JsonObject]:
        return [
            {
                "uuid": gpu.uuid,
                "memory_bytes": run_usage_bytes(gpu, self.run_id),
                "temperature_celsius": gpu.temperature_celsius,
                "utilization_percent": gpu.utilization_percent,
                "power_watts": gpu.power_watts,
            }
            for gpu in self.gpus
        ]


def share_of(run_id: str, gpus: tuple[Gpu, ...], readings_path: str) -> GpuShare:
    readings = read_readings(readings_path) if gpus else None
    if readings is None:
        return GpuShare(run_id, ())
    age = time.time() - readings.time
    own_uuids = {gpu.uuid for gpu in gpus}
    return GpuShare(
        run_id,
        tuple(
            gpu
            for gpu in readings.gpus
            if gpu.uuid in own_uuids and answers(gpu, readings_age_seconds=age, sample_seconds=SAMPLE_SECONDS)
        ),
    )


def larger(first: NumberT | None, second: NumberT | None) -> NumberT | None:
    """The larger of two numbers; None if neither is known."""
    return max((number for number in (first, second) if number is not None), default=None)


class ResourceMeter:
    """Samples often at first, while the script allocates memory, and less often later."""

    def __init__(self, tree: Tree, recorder: Recorder, gpu_share: Callable[[], GpuShare]) -> None:
        self._tree = tree
        self._recorder = recorder
        self._gpu_share = gpu_share
        self._last: tuple[float, TreeUsage] | None = None
        self._due = 0.0
        self._count = 0

    def sample(self, now: float) -> None:
        """Measures when a sample is due; `now` is monotonic."""
        if now < self._due:
            return
        if self._due == 0.0:
            self._due = now + FIRST_SECONDS
            return
        self._count += 1
        self._due = now + (EARLY_INTERVAL_SECONDS if self._count < EARLY_SAMPLE_COUNT else LATE_INTERVAL_SECONDS)
        tree_usage = usage(member.pid for member in self._tree.members())
        cpu_percent = self._cpu_percent(now, tree_usage)
        self._last = (now, tree_usage)
        share = self._gpu_share()
        peak = self._recorder.live.peak
        self._recorder.change(
            ram_bytes=tree_usage.ram_bytes,
            cpu_percent=cpu_percent,
            vram_bytes=share.vram_bytes,
            temperature_celsius=share.temperature_celsius,
            peak=Peak(
                ram_bytes=larger(peak.ram_bytes, tree_usage.ram_bytes),
                vram_bytes=larger(peak.vram_bytes, share.vram_bytes),
                temperature_celsius=larger(peak.temperature_celsius, share.temperature_celsius),
            ),
        )
        self._recorder.record_resources(
            cpu_percent=cpu_percent,
            ram_bytes=tree_usage.ram_bytes,
            processes=tree_usage.processes,
            gpus=share.to_json(),
        )

    def _cpu_percent(self, now: float, tree_usage: TreeUsage) -> float | None:
        """100 is one core; None for the first sample. Too low if a process ended in between, whose time is lost."""
        if self._last is None:
            return None
        last_time, last_usage = self._last
        return round(max(0.0, tree_usage.cpu_seconds - last_usage.cpu_seconds) / (now - last_time) * 100, 1)


class MemoryKillMonitor:
    """Samples the group's kill counter.

    Only an increase shortly before the script's end counts: other runs may share the group, and earlier kills were
    counted before this guardian started.
    """

    def __init__(self, pid: int, *, proc: str = "/proc", mount: str = "/sys/fs/cgroup") -> None:
        self._cgroups = Cgroups(proc=proc, mount=mount, process=str(pid))
        self._path: str | None = None
        self._count = self._previous_count = 0
        self._increased_at: float | None = None
        self._due = 0.0
        self._samples = 0

    def sample(self, now: float) -> None:
        """Reads the counter when a sample is due; `now` is monotonic."""
        if now < self._due:
            return
        self._samples += 1
        self._due = now if self._samples < TICK_SAMPLES else now + EARLY_INTERVAL_SECONDS
        self._update(self._cgroups.memory_kills(), now)

    def _update(self, counter: tuple[str, int] | None, now: float) -> None:
        if counter is None:
            return
        path, count = counter
        if path == self._path and count > self._count:
            self._previous_count, self._increased_at = self._count, now
        self._path, self._count = path, count

    @property
    def has_counter(self) -> bool:
        return self._path is not None

    def recent_kill(self, now: float) -> str | None:
        """Evidence of a kill shortly before the script's end, for people; None if there was none."""
        if self._path is not None:
            # Read by its path: a dead process no longer shows which group it was in.
            self._update(self._cgroups.memory_kills_at(self._path), now)
        if self._increased_at is None or now - self._increased_at > RECENT_SECONDS:
            return None
        return f"{self._path}: oom_kill went from {self._previous_count} to {self._count}"
