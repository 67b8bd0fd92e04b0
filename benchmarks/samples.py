"""Several measurements of one thing, and how they are taken: in turns with what they are compared to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """Measurements of one thing, in the order in which they were taken."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """The value that `share` of all do not exceed, between two measurements in proportion."""
        ordered = sorted(self.values)
        place = share * (len(ordered) - 1)
        below, above = math.floor(place), math.ceil(place)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    def scaled(self, factor: float, *, less: float = 0.0) -> Sample:
        """Each value less `less`, times `factor`."""
        return Sample(tuple((value - less) * factor for value in self.values))


def in_turns(rounds: int, measured: Mapping[str, Callable[[], float]]) -> dict[str, Sample]:
    """Measures each thing once a round, so that what the machine does otherwise falls on all of them alike.

    A first round is thrown away: it fills the page cache and compiles what is not compiled yet.
    """
    found: dict[str, list[float]] = {name: [] for name in measured}
    for number in range(rounds + 1):
        for name, measure in measured.items():
            value = measure()
            if number > 0:
                found[name].append(value)
    return {name: Sample(tuple(values)) for name, values in found.items()}


def pooled(samples: Sequence[Sample]) -> Sample:
    """All their values as one sample."""
    return Sample(tuple(value for sample in samples for value in sample.values))
