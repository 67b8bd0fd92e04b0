"""Finds the step since which a metric is NaN or infinite."""

from __future__ import annotations

import math
import os

from backprop_tui.store.tail import parse_lines

_TAIL_BYTES = 1 << 20


def non_finite_since(path: str, name: str) -> int | None:
    """The step of the first value after the last finite one; None if it has no step or is over a megabyte back."""
    try:
        with open(path, "rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES)
            file.seek(start)
            tail = file.read(_TAIL_BYTES)
    except OSError:
        return None
    since: int | None = None
    for line in reversed(parse_lines(tail[tail.find(b"\n") + 1 if start else 0 : tail.rfind(b"\n") + 1])):
        metrics, step = line.get("metrics"), line.get("step")
        value = metrics.get(name) if isinstance(metrics, dict) else None
        if isinstance(value, int | float) and math.isfinite(value):
            return since
        if value is not None:  # values that are not finite are stored as text
            since = step if isinstance(step, int) else None
    return None if start else since
