"""Smooths curves with an exponential moving average."""

from __future__ import annotations

import math
from collections.abc import Iterable


def smoothed(points: Iterable[tuple[float, float]], reach: float) -> list[float]:
    """Returns the moving average at each point; weights fall by a factor of e per `reach` on x.

    This is an exponential mean weighted by distance ("time-weighted EMA") without a bias towards 0 at the start, so
    values printed at uneven steps are smoothed evenly. Where x goes back, as after a resume from an earlier checkpoint,
    the mean continues from its state at that x. A `reach` of 0 leaves the values unchanged.
    """
    means: list[float] = []
    states: list[tuple[float, float, float]] = []  # x, mean and weight; later ones are dropped when x goes back
    previous_x = -math.inf
    for x, value in points:
        while x < previous_x and states and states[-1][0] >= x:
            states.pop()
        previous_x = x
        last_x, mean, weight = states[-1] if states else (x, value, 0.0)
        weight = weight * (math.exp((last_x - x) / reach) if reach > 0 else 0.0) + 1.0
        mean = mean * (1.0 - 1.0 / weight) + value / weight  # always between the two, so nothing overflows
        states.append((x, mean, weight))
        means.append(mean)
    return means
