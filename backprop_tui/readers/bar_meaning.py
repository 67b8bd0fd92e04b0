"""Tells what a progress bar counts: steps of the training, its epochs, an evaluation, or something that is no training.

* A label that names an epoch (`Epoch 3/10`) makes it a place within that epoch; one that is only `Epochs` counts them.
* A label that says training or steps, and measures behind the bar (`loss=0.5`), make it a place in the training.
* An evaluation's bar is no step; what it measures counts once it is full, under a name that says so.
* A bar is drawn many times a second for days: beyond so many, its figures are told once in a second of its own clock.
* Every other bar (downloads, data sets, the bare ones of the Hugging Face Trainer) says nothing by itself. The outer
  one of those that are nested lends its count to metrics that are printed without a step; from then on it is the
  training's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from backprop_tui.domain.values import dataclass
from backprop_tui.readers.lazily import lazy_compile
from backprop_tui.readers.lightning import NOT_METRICS, drawn_by_lightning
from backprop_tui.readers.training_keys import is_training_metric, progress_from_fields
from backprop_tui.readers.values import Bar, EpochProgress, Progress

MAX_UNTHROTTLED_UPDATES = 5000

_EVALUATION = lazy_compile(
    r"\b(?:val|valid|validation|validating|eval\w*|test|testing|sanity|predict\w*|infer\w*)\b", re.IGNORECASE
)
_EPOCH = lazy_compile(r"\bepoch ?[:#=]? ?[\[(]? ?(\d{1,7})(?: ?(?:/|of) ?(\d{1,7}))?", re.IGNORECASE)
_EPOCHS = lazy_compile(r"\s*(?:training )?epochs?\s*", re.IGNORECASE)
_TRAINING = lazy_compile(
    r"[\W\d]*(?:train|training|steps?|iters?|iterations?|batch|batches)(?:[\W\d]|of|step|epoch)*", re.IGNORECASE
)
_EVALUATION_METRIC = lazy_compile(r"val|eval|test", re.IGNORECASE)


@dataclass(slots=True)
class Outer:
    """The outermost bar of no other meaning, and what was seen since of another one: its last count, how often full."""

    done: int
    total: int
    inner_done: int = 0
    inner_full: int = 0


class BarInterpreter:
    """Interprets the bars of one log in their order; keeps the last counts of a few of them."""

    __slots__ = ("_epochs_done", "_figures", "_outer", "_second", "_told", "_total_epochs", "claimed")

    def __init__(self) -> None:
        self._outer: Outer | None = None
        self._epochs_done: int | None = None  # by a bar that counts epochs
        self._total_epochs: int | None = None
        self._figures: Mapping[str, float] = {}  # behind the last bar of the training
        self._told = 0  # how often figures of a bar were told
        self._second: float | None = None  # what it said of its age when that was last
        self.claimed: int | None = None  # how many steps the training has, once its bar is known by that

    def take(self, bar: Bar) -> Progress | EpochProgress | None:
        """What the bar says of the training."""
        if _EVALUATION.search(bar.label):
            return _evaluated(bar)
        if bar.total is None and bar.done == 0:
            return None
        if _EPOCHS.fullmatch(bar.label) and bar.total is not None:
            return self._epochs(bar)
        named = _EPOCH.search(bar.label)
        measures = any(map(is_training_metric, bar.figures))
        if named or measures or _TRAINING.fullmatch(bar.label):
            return self._in_training(bar, named)
        return self._other(bar)

    @property
    def step(self) -> int | None:
        """Where the outer bar stands, for metrics that are printed without a step."""
        return None if self._outer is None else self._outer.done

    @property
    def total(self) -> int | None:
        """What the outer bar counts to."""
        return None if self._outer is None else self._outer.total

    @property
    def may_be_training(self) -> bool:
        """Whether the outer bar is still going on, or known as the training's: one that is full was for the data."""
        outer = self._outer
        return outer is not None and (outer.done < outer.total or self.claimed == outer.total)

    def memory(self) -> list[Any]:
        """Everything it keeps, as JSON can hold it."""
        outer = None if self._outer is None else astuple(self._outer)
        figures = [[name, repr(value)] for name, value in self._figures.items()]
        return [outer, self._epochs_done, self._total_epochs, figures, self._told, self._second, self.claimed]

    def remember(self, memory: list[Any]) -> None:
        """Becomes what another one was.

        Raises:
            TypeError, ValueError: that is no memory of one.
        """
        outer, self._epochs_done, self._total_epochs, figures, self._told, self._second, self.claimed = memory
        self._outer = None if outer is None else Outer(*map(int, outer))
        self._figures = {str(name): float(value) for name, value in figures}

    def claim(self, total: int | None = None) -> None:
        """The training's bar counts to `total`; None: it is the outer one, beside which metrics were printed."""
        if total is not None:
            self.claimed = total
        elif self._outer is not None:
            self.claimed = self._outer.total

    def _epochs(self, bar: Bar) -> Progress:
        self._epochs_done, self._total_epochs = bar.done, bar.total
        printed = progress_from_fields(bar.figures, alone=False, offset=bar.offset)
        return Progress(
            offset=bar.offset,
            epoch=float(bar.done),
            total_epochs=bar.total,
            eta_seconds=bar.seconds_left,
            metrics=self._news(bar, {} if printed is None else printed.metrics),
        )

    def _in_training(self, bar: Bar, named: re.Match[str] | None) -> Progress | EpochProgress | None:
        printed = progress_from_fields(bar.figures, alone=False, offset=bar.offset)
        metrics = self._news(bar, {} if printed is None else printed.metrics)
        if bar.done == 0 and not metrics:
            return None  # Lightning takes it back to 0 under the name of the epoch that is over
        zero = drawn_by_lightning(bar.figures) or (named is None and self._epochs_done is not None)
        epoch = self._epochs_done if named is None else int(named[1])
        of = self._total_epochs if named is None or named[2] is None else int(named[2])
        if printed is not None and printed.step is not None:
            whole = None if epoch is not None or bar.total is None or bar.total < printed.step else bar.total
            return Progress(
                offset=bar.offset,
                step=printed.step,
                epoch=printed.epoch if epoch is None else float(epoch),
                total_steps=printed.total_steps or whole,
                total_epochs=of,
                eta_seconds=bar.seconds_left if whole else None,
                metrics=metrics,
            )
        return EpochProgress(
            offset=bar.offset,
            done=bar.done,
            total=bar.total,
            epoch=epoch,
            first_epoch=0 if zero else None,
            total_epochs=of,
            elapsed_seconds=bar.elapsed_seconds,
            seconds_left=bar.seconds_left,
            metrics=metrics,
        )

    def _news(self, bar: Bar, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """What changed: a bar is drawn with the figures of the step before, too, and those say nothing of this one."""
        if not bar.figures:
            return {}
        is_full = bar.total is not None and bar.done >= bar.total
        if self._told >= MAX_UNTHROTTLED_UPDATES and bar.elapsed_seconds == self._second and not is_full:
            return {}
        known, self._figures = self._figures, bar.figures
        news = {
            name: value
            for name, value in metrics.items()
            if name not in NOT_METRICS and repr(known.get(name)) != repr(value)  # as text: NaN equals nothing
        }
        if news:
            self._told += 1
            self._second = bar.elapsed_seconds
        return news

    def _other(self, bar: Bar) -> Progress | None:
        if bar.total is None or (bar.label and self.claimed != bar.total):
            return None
        if not self._is_outer(bar.done, bar.total):
            return None
        self._outer = Outer(done=bar.done, total=bar.total)
        if self.claimed != bar.total:
            return None
        return Progress(offset=bar.offset, step=bar.done, total_steps=bar.total, eta_seconds=bar.seconds_left)

    def _is_outer(self, done: int, total: int) -> bool:
        outer = self._outer
        if outer is None:
            return True
        is_finished = outer.done >= outer.total
        if total == outer.total:
            return done >= outer.done or is_finished
        if self.claimed == total:
            return True
        if is_finished:
            # An evaluation after the last step is the shorter one.
            begins_anew = self.claimed is None or total > self.claimed
        else:
            # Whoever drew the outer one left it before its end, if two others were drawn without it.
            begins_anew = outer.inner_full > 0 and done < outer.inner_done
            outer.inner_full += done >= total
            outer.inner_done = done
        if begins_anew:
            self.claimed = None
        return begins_anew


def _evaluated(bar: Bar) -> Progress | None:
    if bar.total is None or bar.done < bar.total:
        return None
    metrics = {
        name if _EVALUATION_METRIC.search(name) else f"{bar.label} {name}": figure
        for name, figure in bar.figures.items()
        if is_training_metric(name)
    }
    return Progress(offset=bar.offset, metrics=metrics) if metrics else None
