"""Metrics: which one is shown as the loss, and series with extremes, buckets for drawing and the best value."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import (
    TRAINING_WORDS,
    VALIDATION_WORDS,
    Direction,
    direction_of,
    is_smoothed,
    is_validation,
    name_words,
)
from backprop_tui.domain.smoothed_curve import Extreme, SmoothedCurve

_NO_LOSS = 100  # the rank of a metric that is not a loss
_LOSSES = ("loss", "train_loss", "training_loss")


def main_loss(names: Iterable[str]) -> str | None:
    """Returns the loss to show if there is room for one, preferably the training loss; None if there is none."""
    name = min(names, key=_loss_rank, default=None)
    return None if name is None or _loss_rank(name) == _NO_LOSS else name


@lru_cache(maxsize=1024)  # every repaint asks for the same names
def _loss_rank(name: str) -> int:
    """The position of a metric among the losses to show, from 0."""
    if "loss" not in name.lower() or direction_of(name) is None:
        return _NO_LOSS
    plain = "_".join(name_words(name))
    if plain in _LOSSES:
        return _LOSSES.index(plain)
    return len(_LOSSES) + is_validation(name)


def validation_counterpart(name: str, names: Iterable[str]) -> str | None:
    """Returns the metric among `names` that measures the same as `name` on validation data; None if there is none."""
    quantity = [word for word in name_words(name) if word not in TRAINING_WORDS]
    matches = [
        other
        for other in names
        if is_validation(other) and [word for word in name_words(other) if word not in VALIDATION_WORDS] == quantity
    ]
    return min(matches, key=lambda other: "test" in name_words(other), default=None)


class Bucket(NamedTuple):
    """Consecutive values; `step` and `time` belong to the last one.

    `time` is ISO 8601. `step` counts values if the script prints no steps. `after_hole`: the value just before was NaN
    or infinite, or was not read.
    """

    step: float
    time: str
    least: float
    most: float
    mean: float
    last: float
    after_hole: bool = False


class Gap(NamedTuple):
    """Where values became NaN or infinite; step and time as in `Bucket`."""

    step: float
    time: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """One metric up to some moment; the extremes cover all values and are None if none was finite.

    `last` may be NaN or infinite. If there are many `holes`, only the first and the newest are kept. `skips` counts
    the parts of the output that were not read in between.
    """

    name: str
    buckets: tuple[Bucket, ...]
    count: int
    not_finite: int
    first: Extreme | None
    last: Extreme | None
    least: Extreme | None
    most: Extreme | None
    holes: tuple[Gap, ...] = ()
    skips: int = 0

    @property
    def best(self) -> Extreme | None:
        """The best value, of a training loss the best smoothed one; None if the name does not imply a direction."""
        return self.best_by(direction_of(self.name))

    def best_by(self, direction: Direction | None) -> Extreme | None:
        """As `best`, in a direction that is known from elsewhere."""
        if direction is None or self.least is None:
            return None
        if not is_smoothed(self.name):
            return self.least if direction is Direction.MIN else self.most
        has_steps = self.least.step is not None
        curve = SmoothedCurve()
        for bucket in self.buckets:
            if self.skips and bucket.after_hole:
                curve = curve.after_hole()
            curve.points.append((bucket.mean, int(bucket.step) if has_steps else None))
        return curve.best(direction)

    def drawn(self) -> list[tuple[float, float]]:
        """Points (step, value) of a curve that includes every minimum and maximum."""
        return [
            (bucket.step, value)
            for bucket in self.buckets
            for value in dict.fromkeys((bucket.least, bucket.most, bucket.last))
        ]
