"""The course of one metric over a run, as it is drawn and compared: its extremes, and buckets of its values."""

from __future__ import annotations

from typing import NamedTuple

from backprop_tui.domain.metric_names import less_is_better
from backprop_tui.domain.values import dataclass


class Extreme(NamedTuple):
    """A value and the step it was reached at; None where the script prints no steps."""

    value: float
    step: int | None


class Bucket(NamedTuple):
    """Values that came one after another: `step` and `time` are the last one's.

    `time` is ISO 8601, `step` counts values where the script prints no steps. `after_hole`: NaN or an infinity came
    just before.
    """

    step: float
    time: str
    least: float
    most: float
    mean: float
    last: float
    after_hole: bool = False


class Hole(NamedTuple):
    """Where values began to be NaN or infinite; as `Bucket` has them."""

    step: float
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One metric as it was at some moment; the extremes are over all values, and None where none was finite.

    `last` may be not finite. `holes` are the first and the newest where they are many.
    """

    name: str
    buckets: tuple[Bucket, ...]
    count: int
    not_finite: int
    first: Extreme | None
    last: Extreme | None
    least: Extreme | None
    most: Extreme | None
    holes: tuple[Hole, ...] = ()

    @property
    def best(self) -> Extreme | None:
        """None where the name does not tell which way is better."""
        less = less_is_better(self.name)
        return None if less is None else self.least if less else self.most

    def drawn(self) -> list[tuple[float, float]]:
        """Points of a curve that shows each least and most."""
        return [(one.step, value) for one in self.buckets for value in dict.fromkeys((one.least, one.most, one.last))]
