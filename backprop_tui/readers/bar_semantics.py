"""Decides what a progress bar counts: training steps, epochs, an evaluation, or something unrelated to training.

* A label that names an epoch (`Epoch 3/10`) makes the bar a position within that epoch; a label `Epochs` counts them.
  Any other bar may count within the epoch that a line announced, or the whole training: `epoch_counts` decides.
* `epoch=3` behind a bar says which epoch it is, not whether the bar counts within it: `epoch_counts` decides.
* A label with words such as training or step, or training metrics after the bar (`loss=0.5`), make it a training bar.
* The bar of an evaluation is not a step. Its metrics are reported when it is full, under a name that says so.
* A bar is redrawn many times a second, possibly for days: after MAX_UNTHROTTLED_UPDATES updates its metrics are
  reported at most once per second of its own clock.
* Any other bar (downloads, data sets, the unlabeled bars of the Hugging Face Trainer) means nothing by itself. The
  outermost of nested bars provides the step for metrics that are printed without one, and from then on counts as the
  training's bar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.readers.events import Bar, EpochProgress, Progress
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.lightning import NOT_METRICS, drawn_by_lightning
from backprop_tui.readers.training_keys import is_training_metric, progress_from_fields

MAX_UNTHROTTLED_UPDATES = 1000

_EVALUATION = lazy_compile(
    r"\b(?:val|valid|validation|validating|eval\w*|test|testing|sanity|predict\w*|infer\w*)\b", re.IGNORECASE
)
_EPOCH = lazy_compile(r"\bepoch ?[:#=]? ?[\[(]? ?(\d{1,7})(?: ?(?:/|of) ?(\d{1,7}))?", re.IGNORECASE)
_NUMBERED = lazy_compile(r"\W*train(?:ing)? +(\d{1,7})(?: ?(?:/|of) ?(\d{1,7}))?\W*", re.IGNORECASE)  # `Train    3`
_STEPS = lazy_compile(r"\bsteps\b", re.IGNORECASE)
_EPOCHS = lazy_compile(r"\s*(?:training )?epochs?\s*", re.IGNORECASE)
_TRAINING = lazy_compile(
    r"[\W\d]*(?:train|training|steps?|iters?|iterations?|batch|batches)(?:[\W\d]|of|step|epoch|progress)*",
    re.IGNORECASE,
)
_EVALUATION_METRIC = lazy_compile(r"val|eval|test", re.IGNORECASE)


@lazy_dataclass(slots=True)
class _OuterBar:
    """The outermost unlabeled bar, and the bars drawn inside it since: the last count, and how many completed."""

    done: int
    total: int
    inner_done: int = 0
    inner_full: int = 0


class BarInterpreter:
    """Interprets the bars of one log in order. `training_total` is the number of training steps, once known."""

    def __init__(self) -> None:
        self._outer: _OuterBar | None = None
        self._epochs_done: int | None = None  # according to a bar that counts epochs
        self._total_epochs: int | None = None
        self._last_values: Mapping[str, float] = {}  # printed after the last training bar
        self._updates = 0  # how many times metrics of a bar were reported
        self._last_elapsed: float | None = None  # the bar's elapsed seconds at the last report
        self._has_epoch_zero = False  # whether `epoch=0` was printed after a bar
        self.training_total: int | None = None

    def interpret(self, bar: Bar) -> Progress | EpochProgress | None:
        """Returns the progress that the bar reports; None if it says nothing about the training."""
        if _EVALUATION.search(bar.label):
            return _evaluation_result(bar)
        if bar.total is None and bar.done == 0:
            return None
        if _EPOCHS.fullmatch(bar.label) and bar.total is not None:
            return self._epochs_progress(bar)
        epoch_label = _EPOCH.search(bar.label) or _NUMBERED.fullmatch(bar.label)
        has_metrics = any(map(is_training_metric, bar.values))
        if epoch_label or has_metrics or _TRAINING.fullmatch(bar.label):
            return self._training_progress(bar, epoch_label)
        return self._outer_progress(bar)

    @property
    def step(self) -> int | None:
        """Count of the outer bar, the step of metrics that are printed without one."""
        return None if self._outer is None else self._outer.done

    @property
    def total(self) -> int | None:
        return None if self._outer is None else self._outer.total

    @property
    def may_be_training(self) -> bool:
        """Whether the outer bar may be the training's: it is not full, since a full one was for the data, or known."""
        outer = self._outer
        return outer is not None and (outer.done < outer.total or self.training_total == outer.total)

    def memory(self) -> list[Any]:
        outer = None if self._outer is None else astuple(self._outer)
        values = [[name, repr(value)] for name, value in self._last_values.items()]
        epochs = (self._epochs_done, self._total_epochs)
        position = (self._last_elapsed, self.training_total, self._has_epoch_zero)
        return [outer, *epochs, values, self._updates, *position]

    def remember(self, memory: list[Any]) -> None:
        outer, self._epochs_done, self._total_epochs, values, *rest = memory
        self._updates, self._last_elapsed, self.training_total, *later = rest
        self._has_epoch_zero = bool(later and later[0])  # not saved by an earlier version
        self._outer = None if outer is None else _OuterBar(*map(int, outer))
        self._last_values = {str(name): float(value) for name, value in values}

    def mark_as_training(self, total: int | None = None) -> None:
        """Records that the training's bar counts to `total`; None means the outer bar is the training's."""
        if total is not None:
            self.training_total = total
        elif self._outer is not None:
            self.training_total = self._outer.total

    def _epochs_progress(self, bar: Bar) -> Progress:
        self._epochs_done, self._total_epochs = bar.done, bar.total
        fields = progress_from_fields(bar.values, alone=False, offset=bar.offset)
        return Progress(
            offset=bar.offset,
            epoch=float(bar.done),
            total_epochs=bar.total,
            epochs_done=float(bar.done),
            eta_seconds=bar.seconds_left,
            metrics=self._changed_metrics(bar, {} if fields is None else fields.metrics),
        )

    def _training_progress(self, bar: Bar, epoch_label: re.Match[str] | None) -> Progress | EpochProgress | None:
        fields = progress_from_fields(bar.values, alone=False, offset=bar.offset)
        metrics = self._changed_metrics(bar, {} if fields is None else fields.metrics)
        if bar.done == 0 and not metrics:
            return None  # Lightning resets the bar to 0 under the label of the finished epoch
        epoch, first_epoch, total_epochs, within_epoch = self._place_in_epochs(bar, epoch_label)
        if fields is not None and fields.step is not None:
            total_steps = None if epoch is not None or bar.total is None or bar.total < fields.step else bar.total
            return Progress(
                offset=bar.offset,
                step=fields.step,
                epoch=fields.epoch if epoch is None else float(epoch),
                total_steps=fields.total_steps or total_steps,
                total_epochs=total_epochs,
                eta_seconds=bar.seconds_left if total_steps else None,
                metrics=metrics,
            )
        return EpochProgress(
            offset=bar.offset,
            done=bar.done,
            total=bar.total,
            epoch=epoch,
            first_epoch=first_epoch,
            total_epochs=total_epochs,
            within_epoch=within_epoch,
            elapsed_seconds=bar.elapsed_seconds,
            seconds_left=bar.seconds_left,
            metrics=metrics,
        )

    def _place_in_epochs(
        self, bar: Bar, epoch_label: re.Match[str] | None
    ) -> tuple[int | None, int | None, int | None, bool]:
        """The epoch, the number of the first one, how many there are, and whether the bar counts within it."""
        if epoch_label is None and self._epochs_done is None and bar.epoch is not None:
            self._has_epoch_zero |= bar.epoch == 0
            first_epoch = None if bar.total_epochs is None or self._has_epoch_zero else 1
            return bar.epoch, first_epoch, bar.total_epochs, False
        is_zero_based = drawn_by_lightning(bar.values) or (epoch_label is None and self._epochs_done is not None)
        epoch = self._epochs_done if epoch_label is None else int(epoch_label[1])
        total_epochs = self._total_epochs if epoch_label is None or epoch_label[2] is None else int(epoch_label[2])
        # `Epoch 1/10, Steps` may count those of all epochs.
        within_epoch = epoch is not None and _STEPS.search(bar.label) is None
        return epoch, 0 if is_zero_based else None, total_epochs, within_epoch

    def _changed_metrics(self, bar: Bar, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Returns the metrics that changed: a bar is also redrawn with the values of the previous step."""
        if not bar.values:
            return {}
        is_full = bar.total is not None and bar.done >= bar.total
        throttled = self._updates >= MAX_UNTHROTTLED_UPDATES and bar.elapsed_seconds == self._last_elapsed
        if throttled and not is_full:
            return {}
        previous, self._last_values = self._last_values, bar.values
        changed = {
            name: value
            for name, value in metrics.items()
            if name not in NOT_METRICS and repr(previous.get(name)) != repr(value)  # as text, since NaN != NaN
        }
        if changed:
            self._updates += 1
            self._last_elapsed = bar.elapsed_seconds
        return changed

    def _outer_progress(self, bar: Bar) -> Progress | None:
        if bar.total is None or (bar.label and self.training_total != bar.total):
            return None
        if not self._is_outer(bar.done, bar.total):
            return None
        self._outer = _OuterBar(done=bar.done, total=bar.total)
        if self.training_total != bar.total:
            return None
        return Progress(offset=bar.offset, step=bar.done, total_steps=bar.total, eta_seconds=bar.seconds_left)

    def _is_outer(self, done: int, total: int) -> bool:
        outer = self._outer
        if outer is None:
            return True
        is_finished = outer.done >= outer.total
        if total == outer.total:
            return done >= outer.done or is_finished
        if self.training_total == total:
            return True
        if is_finished:
            # A shorter bar than the training's is an evaluation after the last step.
            replaces = self.training_total is None or total > self.training_total
        else:
            # If a second inner bar starts while the outer one stays unchanged, the outer bar was abandoned.
            replaces = outer.inner_full > 0 and done < outer.inner_done
            outer.inner_full += done >= total
            outer.inner_done = done
        if replaces:
            self.training_total = None
        return replaces


def _evaluation_result(bar: Bar) -> Progress | None:
    if bar.total is None or bar.done < bar.total:
        return None
    metrics = {
        name if _EVALUATION_METRIC.search(name) else f"{bar.label} {name}": value
        for name, value in bar.values.items()
        if is_training_metric(name)
    }
    return Progress(offset=bar.offset, metrics=metrics) if metrics else None
