"""The unit of an x axis."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """Steps; seconds within the run's attempts; or seconds since its first start, including those between attempts."""

    STEP = "step"
    TIME = "time"
    CLOCK = "clock"
