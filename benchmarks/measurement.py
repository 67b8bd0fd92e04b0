"""How much is measured, samples of repeated measurements, and the table of results with their goals."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# The median decides whether a goal is met; on a machine that others use too, 2 % more is within the noise.
NOISE = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Number of rounds, size of the fullest store in runs, and how long CPU use is measured."""

    rounds: int = 31
    longest_history: int = 100_000
    footprint_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Repeated measurements of the same value, in the order in which they were taken."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """Returns the value that `share` of the measurements do not exceed, interpolated linearly."""
        ordered = sorted(self.values)
        position = share * (len(ordered) - 1)
        below, above = math.floor(position), math.ceil(position)
        return ordered[below] + (ordered[above] - ordered[below]) * (position - below)

    def scaled(self, factor: float, *, offset: float = 0.0) -> Sample:
        """Returns `(value - offset) * factor` for each value."""
        return Sample(tuple((value - offset) * factor for value in self.values))


def interleaved(rounds: int, measurements: Mapping[str, Callable[[], float]]) -> dict[str, Sample]:
    """Takes each measurement once a round, so that other load on the machine affects all of them alike.

    A first round is discarded: it fills the page cache and writes missing .pyc files.
    """
    values: dict[str, list[float]] = {name: [] for name in measurements}
    for number in range(rounds + 1):
        for name, measure in measurements.items():
            value = measure()
            if number > 0:
                values[name].append(value)
        sys.stderr.write(".")  # one for each round
        sys.stderr.flush()
    return {name: Sample(tuple(measured)) for name, measured in values.items()}


def pooled(samples: Sequence[Sample]) -> Sample:
    return Sample(tuple(value for sample in samples for value in sample.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A row of the table; less is better. Without a goal it is for comparison only; `acceptable` is a weaker goal."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    goal: float | None = None
    acceptable: float | None = None
    remark: str = ""

    @classmethod
    def single(cls, name: str, value: float, unit: str, *, goal: float | None = None, remark: str = "") -> Result:
        """Returns the result of one measurement."""
        return cls(name=name, value=value, unit=unit, low=value, high=value, goal=goal, remark=remark)

    @classmethod
    def missing(cls, name: str, reason: str) -> Result:
        """Returns the row of what was not measured."""
        return cls(name=name, value=math.nan, unit="", low=math.nan, high=math.nan, remark=reason)

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return "-"
        if self.value <= self.goal:
            return "meets its goal"
        if self.value <= self.goal * NOISE:
            return "at its goal, within the noise"
        ratio = f"{self.value / self.goal:.1f} times its goal"
        if self.acceptable is None:
            return ratio
        return f"{ratio}: {'acceptable for now' if self.value <= self.acceptable else 'not acceptable'}"


def sample_result(
    name: str,
    sample: Sample,
    unit: str,
    *,
    goal: float | None = None,
    acceptable: float | None = None,
    remark: str = "",
) -> Result:
    """Returns the median of a sample with its quartiles."""
    return Result(
        name=name,
        value=sample.median,
        unit=unit,
        low=sample.quantile(0.25),
        high=sample.quantile(0.75),
        goal=goal,
        acceptable=acceptable,
        remark=remark,
    )


def table(results: Sequence[Result]) -> str:
    """Formats results as a Markdown table that can be pasted into README.md."""
    header = ("measurement", "goal", "measured", "middle half", "verdict", "absolute")
    rows = [header, tuple("---" for _ in header), *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def _row(result: Result) -> tuple[str, ...]:
    if math.isnan(result.value):
        return result.name, "-", "not measured", "-", "-", result.remark
    goal = "-" if result.goal is None else f"{result.goal:g} {result.unit}".rstrip()
    return (
        result.name,
        goal,
        f"{_rounded(result.value)} {result.unit}".rstrip(),
        f"{_rounded(result.low)} .. {_rounded(result.high)}",
        result.verdict,
        result.remark,
    )


def _rounded(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
