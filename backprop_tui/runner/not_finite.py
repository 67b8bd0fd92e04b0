"""Since which step a metric is NaN or infinite, by the end of the metrics that were written."""

from __future__ import annotations

import math
import os

from backprop_tui.store.json_tail import objects

_END_BYTES = 1 << 20


def non_finite_since(path: str, name: str) -> int | None:
    """The step of the first value after the last finite one; None where that is further back, or has no step."""
    try:
        with open(path, "rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _END_BYTES)
            file.seek(start)
            end = file.read(_END_BYTES)
    except OSError:
        return None
    since: int | None = None
    for line in reversed(objects(end[end.find(b"\n") + 1 if start else 0 : end.rfind(b"\n") + 1])):
        metrics, step = line.get("metrics"), line.get("step")
        value = metrics.get(name) if isinstance(metrics, dict) else None
        if isinstance(value, int | float) and math.isfinite(value):
            return since
        if value is not None:  # a text where it is no number
            since = step if isinstance(step, int) else None
    return None if start else since
