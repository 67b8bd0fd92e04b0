"""What the x of a curve counts."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """Steps; seconds of the run's attempts; seconds since its first start, those between attempts too."""

    STEP = "step"
    TIME = "time"
    CLOCK = "clock"
