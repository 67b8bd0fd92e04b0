"""Metrics: what their names say, and their series with extremes, buckets for drawing and the best value so far."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

_NO_LOSS = 100  # the rank of a metric that is not a loss
_LOSSES = ("loss", "train_loss", "training_loss")
_LESS_IS_BETTER = ("loss", "error", "err", "perplexity", "ppl", "mae", "mse", "rmse", "wer", "cer", "fid", "nll", "bpb")
_MORE_IS_BETTER = ("acc", "accuracy", "f1", "auc", "bleu", "rouge", "recall", "precision", "map", "iou", "dice", "r2")
_NOT_SCORES = ("scale", "weight", "lr", "rate", "norm", "time", "coef", "count")
_TRAINING = frozenset(("train", "training"))
_VALIDATION = ("val", "valid", "validation", "eval", "test")
_SEPARATORS = str.maketrans("/-.@: ", "______")


def main_loss(names: Iterable[str]) -> str | None:
    """Returns the loss to show if there is room for one, preferably the training loss; None if there is none."""
    name = min(names, key=_loss_rank, default=None)
    return None if name is None or _loss_rank(name) == _NO_LOSS else name


@lru_cache(maxsize=1024)  # every repaint asks for the same names
def _loss_rank(name: str) -> int:
    """The position of a metric among the losses to show, from 0."""
    words = _name_words(name)
    if "loss" not in name.lower() or words[-1] in _NOT_SCORES:
        return _NO_LOSS
    plain = "_".join(words)
    if plain in _LOSSES:
        return _LOSSES.index(plain)
    return len(_LOSSES) if set(_VALIDATION).isdisjoint(words) else len(_LOSSES) + 1


@lru_cache(maxsize=512)  # a log repeats the same names on every line
def less_is_better(name: str) -> bool | None:
    """Whether lower values are better; None if the name does not tell."""
    words = _name_words(name)
    if words[-1] in _NOT_SCORES:
        return None
    for word in reversed(words):  # the last word names the quantity, the words before it say of what
        if word in _LESS_IS_BETTER:
            return True
        if word in _MORE_IS_BETTER or word.rstrip("0123456789") in _MORE_IS_BETTER:
            return False
    return None


def _name_words(name: str) -> list[str]:
    return name.lower().translate(_SEPARATORS).split("_")


def validation_counterpart(name: str, names: Iterable[str]) -> str | None:
    """Returns the metric among `names` that measures the same as `name` on validation data; None if there is none."""
    known = list(names)
    for separator in "_/-. ":
        words = name.split(separator)
        bare = separator.join(word for word in words if word.lower() not in _TRAINING)
        for word in _VALIDATION:
            candidates = {f"{word}{separator}{bare}".lower(), f"{bare}{separator}{word}".lower()}
            match = next((metric for metric in known if metric.lower() in candidates), name)
            if match != name:
                return match
    return None


class Extreme(NamedTuple):
    """A value and the step at which it was reached; `step` is None if the script prints no steps."""

    value: float
    step: int | None


class Bucket(NamedTuple):
    """Consecutive values; `step` and `time` belong to the last one.

    `time` is ISO 8601. `step` counts values if the script prints no steps. `after_hole`: the value just before was NaN
    or infinite.
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

    `last` may be NaN or infinite. If there are many `holes`, only the first and the newest are kept.
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

    @property
    def best(self) -> Extreme | None:
        """The best value; None if the name does not imply a direction."""
        lower = less_is_better(self.name)
        return None if lower is None else self.least if lower else self.most

    def drawn(self) -> list[tuple[float, float]]:
        """Points (step, value) of a curve that includes every minimum and maximum."""
        return [
            (bucket.step, value)
            for bucket in self.buckets
            for value in dict.fromkeys((bucket.least, bucket.most, bucket.last))
        ]


MAX_BEST_METRICS = 32  # limit of metrics kept: the record is rewritten every second
BestValues = Mapping[str, Extreme]


def update_best(best: dict[str, Extreme], metrics: Mapping[str, float], step: int | None) -> None:
    """Updates `best` in place with the values of one step; `step` is None if the script prints no steps."""
    for name, value in metrics.items():
        lower = less_is_better(name)
        if lower is None or not math.isfinite(value):
            continue
        previous = best.get(name)
        if previous is None:
            if len(best) < MAX_BEST_METRICS:
                best[name] = Extreme(value, step)
        elif value < previous.value if lower else value > previous.value:
            best[name] = Extreme(value, step)


def merge_best(earlier: BestValues, later: BestValues) -> BestValues:
    """Returns the better value of each metric; on a tie the earlier one."""
    if not later:
        return earlier
    merged = dict(earlier)
    for name, extreme in later.items():
        update_best(merged, {name: extreme.value}, extreme.step)
    return merged
