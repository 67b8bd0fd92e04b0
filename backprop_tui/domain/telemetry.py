"""Measurements of the host and its GPUs at one moment, and whether they are recent enough to act on."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass


class GpuHealth(StrEnum):
    """Whether a GPU is usable and its readings are current."""

    OK = "ok"
    HOT = "hot"  # at the vendor's limit or the default one; pausing goes by the limit of each run instead
    STALE = "stale"  # it stopped answering; the last values are kept, with their age
    LOST = "lost"  # fallen off the bus, or removed
    UNKNOWN = "unknown"  # it has never answered


UNKNOWN_PREFIX = "unknown-"  # of the placeholder UUID of a GPU that has never answered
GONE = frozenset({GpuHealth.LOST, GpuHealth.UNKNOWN})


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that holds memory of a GPU; `run` is the id of the run it belongs to, None for other processes."""

    pid: int
    memory_bytes: int | None = None
    owner: str | None = None
    run: str | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
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
    power_limit_watts: float | None = None
    fan_percent: float | None = None
    processes: tuple[GpuProcess, ...] = ()
    age_seconds: float = 0.0
    problem: str | None = None  # describes why it is not ok


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class HostReading:
    """CPU, RAM and disk; RAM and cores are those of the cgroup if its limits are lower."""

    cpu_percent: float | None = None
    load_1m: float | None = None
    cores: float | None = None
    ram_total_bytes: int | None = None
    ram_available_bytes: int | None = None
    disk_free_bytes: int | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """All readings of one moment; `probe_problem` says why the GPU probe fails, None if it works."""

    time: float
    host: HostReading
    gpus: tuple[GpuReading, ...] = ()
    probe: str = "none"
    probe_problem: str | None = None


def shows_gpus_of(requested: str, measured: str) -> bool:
    """Whether the readings of one probe show the GPUs of the requested one: real ones, or simulated ones."""
    if "simulated" in (requested, measured):
        return requested == measured
    return requested == "auto" or measured != "none"


STALE_AFTER_SAMPLES = 3


def is_stale(age_seconds: float, sample_seconds: float) -> bool:
    """Whether a reading of that age is older than three samples.

    A reading that far in the future is stale too: the clock was set back, so its age is unknown.
    """
    return abs(age_seconds) > STALE_AFTER_SAMPLES * sample_seconds


def aged(gpu: GpuReading, seconds: float, sample_seconds: float) -> GpuReading:
    """The reading so many seconds later; marked stale when it is too old for the sampling interval."""
    age = gpu.age_seconds + seconds
    stale = gpu.health in (GpuHealth.OK, GpuHealth.HOT) and is_stale(age, sample_seconds)
    return replace(gpu, health=GpuHealth.STALE if stale else gpu.health, age_seconds=age)


def answers(gpu: GpuReading, *, readings_age_seconds: float, sample_seconds: float) -> bool:
    """Whether the GPU is healthy and its reading recent; `readings_age_seconds` is added to the GPU's own age."""
    is_healthy = gpu.health in (GpuHealth.OK, GpuHealth.HOT)
    return is_healthy and not is_stale(gpu.age_seconds + readings_age_seconds, sample_seconds)
