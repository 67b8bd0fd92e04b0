"""A figure with its goal, and the table in which all of them end up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.samples import Sample

# A goal is met by the median; what lies so little above it cannot be told from it on a machine that others use too.
NOISE = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; less is better. `goal` None: for comparison only. `lenient` is what will do for now."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    goal: float | None = None
    lenient: float | None = None
    remark: str = ""

    @property
    def verdict(self) -> str:
        """In words."""
        if self.goal is None:
            return "-"
        if self.value <= self.goal:
            return "meets its goal"
        if self.value <= self.goal * NOISE:
            return "at its goal, within the noise"
        times = f"{self.value / self.goal:.1f} times its goal"
        if self.lenient is None:
            return times
        return f"{times}: {'will do for now' if self.value <= self.lenient else 'more than will do for now'}"


def figure_of(
    name: str, sample: Sample, unit: str, *, goal: float | None = None, lenient: float | None = None, remark: str = ""
) -> Figure:
    """The median of a sample, with the quartiles beside it."""
    return Figure(
        name=name,
        value=sample.median,
        unit=unit,
        low=sample.quantile(0.25),
        high=sample.quantile(0.75),
        goal=goal,
        lenient=lenient,
        remark=remark,
    )


def table(figures: Sequence[Figure]) -> str:
    """Markdown, so that it can be pasted into README.md as it is."""
    header = ("figure", "goal", "here", "middle half", "verdict", "absolute")
    rows = [header, tuple("---" for _ in header), *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def _row(figure: Figure) -> tuple[str, ...]:
    goal = "-" if figure.goal is None else f"{figure.goal:g} {figure.unit}".rstrip()
    return (
        figure.name,
        goal,
        f"{_shown(figure.value)} {figure.unit}".rstrip(),
        f"{_shown(figure.low)} .. {_shown(figure.high)}",
        figure.verdict,
        figure.remark,
    )


def _shown(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
