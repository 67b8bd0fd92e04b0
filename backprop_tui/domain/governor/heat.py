"""The temperatures of a GPU at which starts wait, runs pause, and paused runs continue."""

from __future__ import annotations

from backprop_tui.domain.limits import RunLimits

# A start heats the card: none within this band below the limit.
START_BAND_CELSIUS = 3.0
# A GPU within this band below the limit is shown with a warning.
NEAR_LIMIT_CELSIUS = 5.0
# A margin of 0 would pause and continue a run at every reading.
SMALLEST_MARGIN_CELSIUS = 1.0


def is_hot(celsius: float | None, limit_celsius: float) -> bool:
    """Whether a GPU is at its limit or above; a limit of 0 is none."""
    return celsius is not None and 0 < limit_celsius <= celsius


def is_nearly_hot(celsius: float | None, limit_celsius: float) -> bool:
    """Whether a GPU is close to its limit or above."""
    return celsius is not None and 0 < limit_celsius <= celsius + NEAR_LIMIT_CELSIUS


def start_below_celsius(limits: RunLimits) -> float:
    """Where a run may start on a GPU that nobody was paused on."""
    return limits.gpu_max_temp_celsius - START_BAND_CELSIUS


def continue_below_celsius(limits: RunLimits) -> float:
    """Where a run that was paused for heat goes on."""
    return limits.gpu_max_temp_celsius - max(limits.gpu_resume_margin_celsius, SMALLEST_MARGIN_CELSIUS)
