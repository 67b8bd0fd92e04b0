"""The best that the metrics of a run ever were, where the name of one tells which way is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from backprop_tui.domain.course import Extreme
from backprop_tui.domain.metric_names import less_is_better

MOST_METRICS = 32  # of which it is kept: the record is written each second
Best = Mapping[str, Extreme]

_direction = lru_cache(maxsize=512)(less_is_better)  # a log says the same names line after line


def improve(best: dict[str, Extreme], metrics: Mapping[str, float], step: int | None) -> None:
    """Takes in what was measured at a step; None where the script prints no steps."""
    for name, value in metrics.items():
        less = _direction(name)
        if less is None or not math.isfinite(value):
            continue
        known = best.get(name)
        if known is None:
            if len(best) < MOST_METRICS:
                best[name] = Extreme(value, step)
        elif value < known.value if less else value > known.value:
            best[name] = Extreme(value, step)


def joined(earlier: Best, later: Best) -> Best:
    """The better of each; the earlier one where both are alike."""
    if not later:
        return earlier
    found = dict(earlier)
    for name, extreme in later.items():
        improve(found, {name: extreme.value}, extreme.step)
    return found
