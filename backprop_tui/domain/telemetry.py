"""Readings of the host and its GPUs at one moment; a missing reading is None, never 0."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.values import dataclass


class GpuHealth(StrEnum):
    """Whether a GPU is usable and its readings are current."""

    OK = "ok"
    HOT = "hot"  # at or above the vendor's temperature limit or the default of this program
    STALE = "stale"  # it stopped answering; the last values are kept, with their age
    LOST = "lost"  # fallen off the bus, or removed
    UNKNOWN = "unknown"  # it has never answered


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that holds memory of a GPU; `run` is the id of the run it belongs to, None for other processes."""

    pid: int
    memory_bytes: int | None = None
    owner: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReading:
    """One GPU; memory figures are those of nvidia-smi, `age_seconds` is 0 for a fresh reading."""

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
    problem: str | None = None  # describes why it is not ok


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReading:
    """CPU, RAM and disk; RAM and cores are those of the cgroup if its limits are lower."""

    cpu_percent: float | None = None
    load_1m: float | None = None
    cores: float | None = None
    ram_total_bytes: int | None = None
    ram_available_bytes: int | None = None
    disk_free_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """All readings of one moment; `probe_problem` says why the GPU probe fails, None if it works."""

    time: float
    host: HostReading
    gpus: tuple[GpuReading, ...] = ()
    probe: str = "none"
    probe_problem: str | None = None
