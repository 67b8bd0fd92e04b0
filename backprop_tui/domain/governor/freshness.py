"""Whether a reading is recent enough to act on."""

from __future__ import annotations

from backprop_tui.domain.telemetry import GpuHealth, GpuReading

STALE_AFTER_SAMPLES = 3

_ANSWERING = frozenset({GpuHealth.OK, GpuHealth.HOT})


def is_stale(age_seconds: float, sample_seconds: float) -> bool:
    """Whether a reading of that age is older than three samples.

    A reading that far in the future is stale too: the clock was set back, so its age is unknown.
    """
    return abs(age_seconds) > STALE_AFTER_SAMPLES * sample_seconds


def answers(gpu: GpuReading, *, readings_age_seconds: float, sample_seconds: float) -> bool:
    """Whether the GPU is healthy and its reading recent; `readings_age_seconds` is added to the GPU's own age."""
    return gpu.health in _ANSWERING and not is_stale(gpu.age_seconds + readings_age_seconds, sample_seconds)
