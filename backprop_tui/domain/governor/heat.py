"""Temperature limits of GPUs."""

from __future__ import annotations

from backprop_tui.domain.limits import RunLimits

# A start heats the card, so none is allowed within this band below the limit.
START_BAND_CELSIUS = 3.0
# A GPU within this band below the limit is shown with a warning.
NEAR_LIMIT_CELSIUS = 5.0
# With a margin of 0, a run would be paused and continued at every reading.
MIN_MARGIN_CELSIUS = 1.0


def is_hot(celsius: float | None, limit_celsius: float) -> bool:
    """Whether a GPU is at its limit or above; a limit of 0 is none."""
    return celsius is not None and 0 < limit_celsius <= celsius


def is_nearly_hot(celsius: float | None, limit_celsius: float) -> bool:
    """Whether a GPU is close to its limit or above."""
    return celsius is not None and 0 < limit_celsius <= celsius + NEAR_LIMIT_CELSIUS


def start_below_celsius(limits: RunLimits) -> float:
    """Temperature below which a run may start on a GPU without paused runs."""
    return limits.gpu_max_temp_celsius - START_BAND_CELSIUS


def continue_below_celsius(limits: RunLimits) -> float:
    """Temperature below which a run paused for heat continues."""
    return limits.gpu_max_temp_celsius - max(limits.gpu_resume_margin_celsius, MIN_MARGIN_CELSIUS)
