"""Keeps the best value of each metric whose name implies a direction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from backprop_tui.domain.course import Extreme
from backprop_tui.domain.metric_names import less_is_better

MOST_METRICS = 32  # limit of metrics kept: the record is rewritten every second
BestValues = Mapping[str, Extreme]

_direction = lru_cache(maxsize=512)(less_is_better)  # a log repeats the same names on every line


def improve(best: dict[str, Extreme], metrics: Mapping[str, float], step: int | None) -> None:
    """Updates `best` in place with the values of one step; `step` is None if the script prints no steps."""
    for name, value in metrics.items():
        lower = _direction(name)
        if lower is None or not math.isfinite(value):
            continue
        previous = best.get(name)
        if previous is None:
            if len(best) < MOST_METRICS:
                best[name] = Extreme(value, step)
        elif value < previous.value if lower else value > previous.value:
            best[name] = Extreme(value, step)


def merge_best(earlier: BestValues, later: BestValues) -> BestValues:
    """Returns the better value of each metric; on a tie the earlier one."""
    if not later:
        return earlier
    merged = dict(earlier)
    for name, extreme in later.items():
        improve(merged, {name: extreme.value}, extreme.step)
    return merged
