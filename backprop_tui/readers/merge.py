"""Merges the events of all formats in one log into the events of one training.

* Formats that restart their count in each epoch get the step since the start of the training (`epoch_counts`).
* A total that no line of progress prints is that which another line or the command line announces, until a step or an
  epoch is beyond it. `epoch 0/9` alone does not show whether there are nine or ten epochs.
* A complete training that begins again is one of several. How many there are is not known: there is no total any more.
* Metrics printed without a step wait until the bar is redrawn and get its step; without a bar they get the last known
  step.
* Metrics already reported for the same step are dropped: a line printed by two loggers, or a bar that is redrawn. This
  includes values with fewer digits, since frameworks round what a callback reported exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from backprop_tui.domain.training_totals import Totals
from backprop_tui.readers.bar_semantics import BarInterpreter
from backprop_tui.readers.epoch_counts import COUNTS_IN_MEMORY, EpochCounts
from backprop_tui.readers.events import (
    Bar,
    CheckpointSaved,
    EpochProgress,
    EpochStarted,
    MergedEvent,
    Progress,
    ReaderEvent,
    TotalsAnnounced,
)

MAX_TRACKED_METRICS = 128  # how many metrics have their last value kept
STEPS_WITH_SECOND_VALUES = 3  # in a row, after which only the first value of a step counts
MAX_BAR_DELAY, BAR_DELAY_SHARE = 5, 0.25  # how far a bar that is drawn now and then may be behind
MIN_DIGITS, MAX_DIGITS = 3, 12  # significant digits of a value that may be a rounded copy of another


class EventMerger:
    """Merges the parsed events of a log, in order; its state is bounded."""

    def __init__(self, announced: Totals | None = None) -> None:
        """`announced` are the totals that the command line names."""
        self._bars = BarInterpreter()
        self._counts = EpochCounts(Totals() if announced is None else announced)
        self._last_step: int | None = None
        self._step_of_lines: int | None = None  # the last one that a line counted in its epoch, not a bar
        self._epoch: int | None = None  # from a line that only announced an epoch
        self._zero_based = False  # whether an epoch 0 was seen
        self._names_last = False  # whether `epoch 9/9` is the tenth
        self._is_fractional = False  # whether epochs such as 0.5 were seen
        self._total_epochs: int | None = None
        self._printed_steps: int | None = None  # the total number of steps that was printed with a step
        self._counted_names: set[str] = set()  # of metrics that were printed beside a count within an epoch
        self._full_steps: int | None = None  # the totals that were reached
        self._full_epochs: int | None = None
        self._has_begun_again = False
        # By metric: the step (or epoch, if there is no step) and the value.
        self._last_metrics: dict[str, tuple[int | float | None, float]] = {}
        self._second_values: dict[str, tuple[int, bool]] = {}  # by metric: steps in a row that had two, and this one
        self._last_checkpoint: str | None = None  # its path; None once there was progress since
        self._pending: Progress | None = None  # metrics that wait for the step of the bar

    def take(self, event: ReaderEvent) -> Iterator[MergedEvent]:
        """Adds an event and yields the merged events that are complete."""
        match event:
            case Bar():
                yield from self._take_bar(event)
            case EpochProgress():
                yield from self._flush_pending(None)
                progress = self._absolute(event)
                self._step_of_lines = progress.step
                yield from self._progress(progress)
            case TotalsAnnounced():
                if not (event.is_setting and self._counts.announced.is_given):
                    self._announce(event.steps, event.epochs)
            case EpochStarted():
                yield from self._flush_pending(None)
                yield from self._start_epoch(event)
            case Progress(step=None, metrics=metrics) if metrics and self._may_have_step_of_bar():
                yield from self._flush_pending(None)
                self._bars.mark_as_training()
                self._pending = event
            case Progress():
                yield from self._flush_pending(None)
                if event.step is None and event.epoch is None:
                    self._announce(event.total_steps, event.total_epochs)
                yield from self._progress(self._with_epochs(event))
            case CheckpointSaved():
                yield from self._flush_pending(None)
                yield from self._checkpoint(event)

    def _may_have_step_of_bar(self) -> bool:
        """Whether the outer bar may count the steps: not if lines count others, as with gradient accumulation."""
        step, of_lines = self._bars.step, self._step_of_lines
        agrees = step is None or of_lines is None or abs(step - of_lines) <= max(MAX_BAR_DELAY, step * BAR_DELAY_SHARE)
        return agrees and self._bars.may_be_training

    def _take_bar(self, bar: Bar) -> Iterator[MergedEvent]:
        if bar.done == 0:
            self._counts.note_zero(bar.total)
        progress = self._bars.interpret(bar)
        is_outer = (bar.done, bar.total) == (self._bars.step, self._bars.total)
        yield from self._flush_pending(bar.done if is_outer else None)
        if progress is not None:
            if isinstance(progress, EpochProgress):
                yield from self._progress(self._absolute(progress))
            else:
                yield from self._progress(self._with_epochs(progress))

    def finish(self) -> Iterator[MergedEvent]:
        """Yields pending metrics at the end of the log."""
        yield from self._flush_pending(None)

    def memory(self) -> dict[str, Any]:
        return {
            "bars": self._bars.memory(),
            "last": self._last_step,
            "of_lines": self._step_of_lines,
            "epoch": self._epoch,
            "zero_based": self._zero_based,
            "total_epochs": self._total_epochs,
            "names_last": self._names_last,
            "fractional": self._is_fractional,
            "printed_steps": self._printed_steps,
            "counts": self._counts.memory(),
            "latest": [[name, at, repr(value)] for name, (at, value) in self._last_metrics.items()],
            "counted": sorted(self._counted_names),
            "again": [self._full_steps, self._full_epochs, self._has_begun_again],
            "saved": self._last_checkpoint,
            "waiting": None if self._pending is None else _encode_progress(self._pending),
        }

    def remember(self, memory: Mapping[str, Any]) -> None:
        self._bars.remember(memory["bars"])
        self._last_step, self._epoch, self._total_epochs = memory["last"], memory["epoch"], memory["total_epochs"]
        self._step_of_lines = memory.get("of_lines")  # not saved by an earlier version
        self._zero_based = bool(memory["zero_based"])
        self._names_last, self._is_fractional = bool(memory["names_last"]), bool(memory["fractional"])
        self._printed_steps = memory["printed_steps"]
        self._counts.remember(memory["counts"])
        self._last_metrics = {str(name): (at, float(value)) for name, at, value in memory["latest"]}
        self._counted_names = set(memory.get("counted", ()))
        self._full_steps, self._full_epochs, self._has_begun_again = memory.get("again", (None, None, False))
        self._last_checkpoint = memory["saved"]
        self._pending = None if memory["waiting"] is None else _decode_progress(memory["waiting"])

    def remember_previous_state(self, memory: Mapping[str, Any]) -> None:
        """Restores only what also applies to another start of the same script; ignores a damaged state."""
        merger = memory.get("joiner")
        if isinstance(merger, dict):
            self._zero_based = merger.get("zero_based") is True
            self._names_last = merger.get("names_last") is True
            counts = merger.get("counts")
            if isinstance(counts, list) and len(counts) >= COUNTS_IN_MEMORY:
                self._counts.remember_previous_start(counts)

    def _flush_pending(self, step: int | None) -> Iterator[MergedEvent]:
        """Yields the metrics that wait for a step: the given one, else the last one of the bar."""
        pending, self._pending = self._pending, None
        if pending is not None:
            step = self._bars.step if step is None else step
            yield from self._progress(replace(pending, step=step, total_steps=self._bars.training_total))

    def _announce(self, steps: int | None, epochs: int | None) -> None:
        known = self._counts.announced
        self._counts.announced = replace(known, steps=steps or known.steps, epochs=epochs or known.epochs)
        if steps is not None:
            self._bars.mark_as_training(steps)

    def _start_epoch(self, event: EpochStarted) -> Iterator[MergedEvent]:
        self._epoch, self._total_epochs = event.epoch, event.total_epochs
        self._counts.start_epoch()
        total_epochs = self._number_of_epochs(event.epoch, event.total_epochs, None)
        index = event.epoch - self._first_epoch(event.epoch, None)
        yield from self._progress(
            Progress(offset=event.offset, epoch=float(event.epoch), total_epochs=total_epochs, epochs_done=float(index))
        )

    def _absolute(self, event: EpochProgress) -> Progress:
        """Converts progress within an epoch to progress of the whole training."""
        epoch, total_epochs = event.epoch, event.total_epochs
        if epoch is None:
            epoch = self._epoch
            total_epochs = self._total_epochs if total_epochs is None else total_epochs
        epochs = self._number_of_epochs(epoch, total_epochs, event.first_epoch)
        index = None if epoch is None else max(0, epoch - self._first_epoch(epoch, event.first_epoch))
        step, total_steps = None, None
        if event.done is not None:
            step, total_steps = self._counts.place(
                index, event.done, event.total, epochs=epochs, within_epoch=event.within_epoch
            )
            event = replace(event, metrics=self._metrics_of_count(event.metrics))
        return Progress(
            offset=event.offset,
            step=step,
            epoch=None if epoch is None else float(epoch),
            total_steps=total_steps,
            total_epochs=epochs,
            epochs_done=None if index is None else float(index),
            eta_seconds=_eta(event, step, total_steps),
            metrics=event.metrics,
        )

    def _metrics_of_count(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Without those of an evaluation that is printed like the training: nothing tells its values from those."""
        if self._counts.is_of_something_else:
            return {name: value for name, value in metrics.items() if name not in self._counted_names}
        if len(self._counted_names) < MAX_TRACKED_METRICS:
            self._counted_names.update(metrics)
        return metrics

    def _with_epochs(self, progress: Progress) -> Progress:
        """Adds how many epochs are done by a line that names one, and says how many there are only if that is known."""
        epoch = progress.epoch
        if epoch is None or progress.epochs_done is not None:
            return progress
        self._is_fractional |= epoch != int(epoch)
        if self._is_fractional:
            return replace(progress, epochs_done=epoch)
        total_epochs = self._number_of_epochs(int(epoch), progress.total_epochs, None)
        first = self._first_epoch(int(epoch), None)
        # A line of the whole epoch comes at its end, unless it was announced or steps are counted in it.
        is_over = progress.step is None and epoch != self._epoch and bool(progress.metrics)
        return replace(progress, total_epochs=total_epochs, epochs_done=max(0.0, epoch - first + is_over))

    def _number_of_epochs(self, epoch: int | None, printed: int | None, first_epoch: int | None) -> int | None:
        """The number of epochs, if it is certain, according to what is printed with an epoch (`3/10`) or announced."""
        announced = self._counts.announced.epochs
        if announced is not None and epoch is not None and epoch - self._first_epoch(epoch, first_epoch) >= announced:
            announced = None  # an epoch beyond them: they are those to add, or something else
            self._counts.announced = replace(self._counts.announced, epochs=None)
        if printed is None:
            return announced
        # With `--epochs 50`, the 49 of `Epoch 1/49` is the last of epochs that count from 0.
        self._zero_based |= first_epoch is None and (epoch == 0 or announced == printed + 1)
        if first_epoch is not None or not self._zero_based:
            return printed
        self._names_last |= epoch == printed
        if self._names_last:
            return printed + 1
        return announced if announced in (printed, printed + 1) else None

    def _first_epoch(self, epoch: int, first_epoch: int | None) -> int:
        """Number of the first epoch, 0 once an epoch 0 was seen; `first_epoch` is what the format says, if it does."""
        if first_epoch is not None:
            return first_epoch
        self._zero_based |= epoch == 0
        return 0 if self._zero_based else 1

    def _progress(self, progress: Progress) -> Iterator[MergedEvent]:
        metrics = self._new_metrics(progress)
        moved = progress.step is not None and progress.step != self._last_step
        place = (progress.step, progress.epoch, progress.total_steps, progress.total_epochs, progress.eta_seconds)
        is_empty = all(number is None for number in place)
        if not metrics and not moved and (progress.metrics or is_empty):
            return
        self._last_checkpoint = None
        progress = self._unless_again(self._with_announced_totals(progress))
        if progress.step is not None:
            self._last_step = progress.step
        elif metrics:
            progress = replace(progress, step=self._last_step)
        yield progress if metrics is progress.metrics else replace(progress, metrics=metrics)

    def _unless_again(self, progress: Progress) -> Progress:
        """Without what is known of the length, once a complete training began again: for another fold or seed."""
        is_first = not self._has_begun_again and self._begins_again(progress)
        self._has_begun_again |= is_first
        if not self._has_begun_again:
            return progress
        return replace(
            progress,
            total_steps=None,
            total_epochs=None,
            epochs_done=None,
            eta_seconds=None,
            begins_again=is_first or None,
        )

    def _begins_again(self, progress: Progress) -> bool:
        step, total, epochs, done = progress.step, progress.total_steps, progress.total_epochs, progress.epochs_done
        if step is not None and total is not None:
            if total == self._full_steps and 2 * step <= total:
                return True
            self._full_steps = total if step >= total else self._full_steps
        if epochs is not None and done is not None:
            # At the first epoch, or at its end; ranks side by side differ by one.
            if epochs == self._full_epochs and done < min(2, epochs - 2):
                return True
            self._full_epochs = epochs if done >= epochs - 1 else self._full_epochs
        return False

    def _with_announced_totals(self, progress: Progress) -> Progress:
        """Adds the announced totals to progress that has none of its own; drops them once they prove to be wrong."""
        announced = self._counts.announced
        steps, epochs = announced.steps, announced.epochs
        step, done = progress.step, progress.epochs_done
        if step is not None:
            if progress.total_steps is not None:
                self._printed_steps = progress.total_steps
            elif self._printed_steps is not None and step > self._printed_steps:
                self._printed_steps = None
            steps = None if steps is not None and step > steps else steps
        epochs = None if epochs is not None and done is not None and done > epochs else epochs
        if (steps, epochs) != (announced.steps, announced.epochs):
            self._counts.announced = replace(announced, steps=steps, epochs=epochs)
        add_steps = step is not None and progress.total_steps is None and self._printed_steps is None
        add_epochs = progress.epoch is not None and progress.total_epochs is None
        if (not add_steps or steps is None) and (not add_epochs or epochs is None):
            return progress
        return replace(
            progress,
            total_steps=steps if add_steps else progress.total_steps,
            total_epochs=epochs if add_epochs else progress.total_epochs,
        )

    def _new_metrics(self, progress: Progress) -> Mapping[str, float]:
        """Returns the metrics not yet reported for this step, or for this epoch if there is no step."""
        step = progress.step if progress.step is not None else self._last_step
        at = step if step is not None else progress.epoch
        if at is None:
            return progress.metrics
        new: dict[str, float] = {}
        for name, value in progress.metrics.items():
            last = self._last_metrics.pop(name, None)
            is_first = last is None or last[0] != at
            if is_first or not _is_same_value(last[1], value):  # type: ignore[index]
                if self._has_second_values(name, is_first=is_first) and not is_first and progress.step is not None:
                    self._last_metrics[name] = (at, last[1])  # type: ignore[index]
                    continue
                new[name] = value
            self._last_metrics[name] = (at, value)
        while len(self._last_metrics) > MAX_TRACKED_METRICS:
            oldest = next(iter(self._last_metrics))
            del self._last_metrics[oldest]
            self._second_values.pop(oldest, None)
        return progress.metrics if len(new) == len(progress.metrics) else new

    def _has_second_values(self, name: str, *, is_first: bool) -> bool:
        """Whether a metric has two values at each step: two processes print it, and only the first value counts.

        To be called for each value; `is_first`: of its step.
        """
        steps, has_second = self._second_values.get(name, (0, False))
        if is_first:
            steps, has_second = steps + 1 if has_second else 0, False
        else:
            has_second = True
        self._second_values[name] = steps, has_second
        return steps >= STEPS_WITH_SECOND_VALUES

    def _checkpoint(self, event: CheckpointSaved) -> Iterator[MergedEvent]:
        # Frameworks announce a checkpoint twice: before and after they save it.
        if event.path != self._last_checkpoint:
            self._last_checkpoint = event.path
            yield event


def _eta(event: EpochProgress, step: int | None, total_steps: int | None) -> float | None:
    """Returns the printed time to the end of the training; else that of the count and for the steps after it.

    None if either is unknown.
    """
    if event.eta_seconds is not None:
        return event.eta_seconds
    if event.seconds_left is None or event.total is None or event.done is None or step is None or total_steps is None:
        return None
    steps_after = total_steps - step - (event.total - event.done)
    if steps_after <= 0:
        return event.seconds_left
    if event.elapsed_seconds is None or event.total == 0:
        return None
    return event.seconds_left + steps_after / event.total * (event.elapsed_seconds + event.seconds_left)


def _is_same_value(known: float, value: float) -> bool:
    return known == value or (math.isnan(known) and math.isnan(value)) or is_rounded_copy(known, value)


def is_rounded_copy(known: float, value: float) -> bool:
    """Whether `value` equals `known`, perhaps rounded; with fewer than MIN_DIGITS digits a match proves nothing."""
    digits = len(repr(value).partition("e")[0].replace(".", "").strip("-0"))
    return MIN_DIGITS <= digits < MAX_DIGITS and float(f"{known:.{digits}g}") == value


def _encode_progress(progress: Progress) -> dict[str, Any]:
    # JSON has no NaN, and a value must be restored exactly.
    return {**asdict(progress), "metrics": {name: repr(value) for name, value in progress.metrics.items()}}


def _decode_progress(document: Mapping[str, Any]) -> Progress:
    metrics = {str(name): float(value) for name, value in document["metrics"].items()}
    return Progress(**{**document, "metrics": metrics})
