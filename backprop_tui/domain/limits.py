"""Limits of one run, of the machine for all runs together, and the temperatures that follow from them."""

from __future__ import annotations

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

# Memory is counted as on the cards and by their tools, disks as on the disks.
MEGABYTE = 1 << 20
GIGABYTE = 1 << 30
DISK_MEGABYTE = 10**6
DISK_GIGABYTE = 10**9


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLimit:
    """GPU memory that a run may use: a fraction of the GPU's total, or bytes; exactly one of them is set."""

    fraction: float | None = None
    bytes: int | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """Thresholds that are fixed when a run is queued; 0 switches a check off."""

    min_free_ram_bytes: int = 4 * GIGABYTE
    max_load_per_core: float = 2.0
    min_free_disk_bytes: int = DISK_GIGABYTE
    max_parallel: int | None = None  # None: the machine's limit applies
    gpu_min_free_vram_bytes: int = 2500 * MEGABYTE
    gpu_max_temp_celsius: float = 85.0
    gpu_resume_margin_celsius: float = 5.0
    gpu_memory_limit: MemoryLimit | None = None
    on_overheat: str = "pause"  # pause, stop, warn
    on_nan: str = "warn"  # warn, stop
    max_pause_seconds: float = 3600.0


# The settings that the supervisor reads from the user's config.toml only, and again when they change. The others about
# starts and runs are settled when a run is queued.
MACHINE_SETTINGS = frozenset(
    {
        "max_parallel",
        "gpu.probe",
        "governor.start_burst",
        "governor.starts_per_minute",
        "governor.sample_seconds",
    }
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineLimits:
    """Limits of the machine, by those settings."""

    max_parallel: int | None = None  # None: automatic; 0: no limit
    start_burst: int = 4
    starts_per_minute: float = 1.0
    sample_seconds: float = 1.0


START_BAND_CELSIUS = 3.0  # below the limit: a start heats the GPU, so none is allowed within this band
NEAR_LIMIT_CELSIUS = 5.0  # below the limit: a GPU within this band is shown with a warning
MIN_MARGIN_CELSIUS = 1.0  # with a margin of 0, a run would be paused and continued at every reading


def is_hot(celsius: float | None, limit_celsius: float) -> bool:
    """Whether a GPU is at its limit or above; a limit of 0 is none."""
    return celsius is not None and 0 < limit_celsius <= celsius


def is_nearly_hot(celsius: float | None, limit_celsius: float) -> bool:
    return celsius is not None and 0 < limit_celsius <= celsius + NEAR_LIMIT_CELSIUS


def start_below_celsius(limits: RunLimits) -> float:
    """Temperature below which a run may start on a GPU without paused runs."""
    return limits.gpu_max_temp_celsius - START_BAND_CELSIUS


def continue_below_celsius(limits: RunLimits) -> float:
    """Temperature below which a run paused for heat continues."""
    return limits.gpu_max_temp_celsius - max(limits.gpu_resume_margin_celsius, MIN_MARGIN_CELSIUS)
