"""Exponential moving averages of curves."""

from __future__ import annotations

from collections.abc import Sequence


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """The mean of all before, older ones counting less by `weight` at each step; 0 leaves the values as they are.

    Without a bias towards 0 at the beginning: Kingma and Ba, Adam (2015), section 3.
    """
    found: list[float] = []
    average, counted = 0.0, 0.0
    for value in values:
        average = average * weight + value * (1 - weight)
        counted = counted * weight + (1 - weight)
        found.append(average / counted)
    return found
