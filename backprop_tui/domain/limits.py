"""Limits of one run, and limits of the machine for all runs together."""

from __future__ import annotations

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

GIGABYTE = 1_000_000_000
MEGABYTE = 1_000_000


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
    min_free_disk_bytes: int = GIGABYTE
    max_parallel: int | None = None  # None: the machine's limit applies
    gpu_min_free_vram_bytes: int = 2500 * MEGABYTE
    gpu_max_temp_celsius: float = 85.0
    gpu_resume_margin_celsius: float = 5.0
    gpu_memory_limit: MemoryLimit | None = None
    on_overheat: str = "pause"  # pause, stop, warn
    on_nan: str = "warn"  # warn, stop
    max_pause_seconds: float = 3600.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineLimits:
    """Limits that the supervisor reads from the user's config.toml only."""

    max_parallel: int = 2
    start_burst: int = 4
    starts_per_minute: float = 1.0
    sample_seconds: float = 1.0
