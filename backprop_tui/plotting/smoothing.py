"""Moving averages of curves, older values counting less the further back they lie."""

from __future__ import annotations

import math
from collections.abc import Iterable


def smoothed(points: Iterable[tuple[float, float]], reach: float) -> list[float]:
    """The mean of all values before each place; what lies `reach` further back on x counts less by e.

    An exponential mean weighted by distance ("time weighted EMA"), and without a bias towards 0 at the beginning:
    what is printed at uneven steps is smoothed evenly. Where x goes back, as at a resume from an earlier checkpoint,
    the mean goes on from what it was there. A `reach` of 0 leaves the values as they are.
    """
    found: list[float] = []
    known: list[tuple[float, float, float]] = []  # place, mean and weight, of those that were not gone back behind
    before = -math.inf
    for x, value in points:
        while x < before and known and known[-1][0] >= x:
            known.pop()
        before = x
        at, mean, weight = known[-1] if known else (x, value, 0.0)
        weight = weight * (math.exp((at - x) / reach) if reach > 0 else 0.0) + 1.0
        mean = mean * (1.0 - 1.0 / weight) + value / weight  # never beyond the two, so that nothing overflows
        known.append((x, mean, weight))
        found.append(mean)
    return found
