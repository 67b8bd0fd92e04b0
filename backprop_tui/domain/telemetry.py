"""What was measured of the host and its GPUs at one moment; a missing reading is None, never 0."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.values import dataclass


class GpuHealth(StrEnum):
    """Whether a GPU's readings can be trusted and the GPU used."""

    OK = "ok"
    HOT = "hot"  # at or above the default limit of its own maker or ours
    STALE = "stale"  # it stopped answering: the last values are shown, with their age
    LOST = "lost"  # fallen off the bus, or gone
    UNKNOWN = "unknown"  # never answered


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that holds memory of a GPU; `run` is the id of the run of ours it belongs to."""

    pid: int
    memory_bytes: int | None = None
    owner: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReading:
    """One GPU; memory is what nvidia-smi shows, `age_seconds` is 0 for a fresh reading."""

    index: int
    uuid: str
    name: str
    health: GpuHealth = GpuHealth.OK
    temperature_celsius: float | None = None
    utilization_percent: float | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    power_watts: float | None = None
    fan_percent: float | None = None
    processes: tuple[GpuProcess, ...] = ()
    age_seconds: float = 0.0
    problem: str | None = None  # why it is not ok, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReading:
    """CPU, RAM and disk; RAM and cores are the cgroup's where that is tighter."""

    cpu_percent: float | None = None
    load_1m: float | None = None
    cores: float | None = None
    ram_total_bytes: int | None = None
    ram_available_bytes: int | None = None
    disk_free_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Everything measured at one moment; `probe_problem` says why the GPU probe is broken, None when it is not."""

    time: float
    host: HostReading
    gpus: tuple[GpuReading, ...] = ()
    probe: str = "none"
    probe_problem: str | None = None
