"""Merges the events of all formats in one log into the events of one training.

* Formats that restart their count in each epoch get the step since the start of the training if the epoch is known;
  otherwise each restart of the count is taken as a new epoch.
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

from backprop_tui.readers.bar_semantics import BarInterpreter
from backprop_tui.readers.events import (
    Bar,
    CheckpointSaved,
    EpochProgress,
    EpochStarted,
    MergedEvent,
    Progress,
    ReaderEvent,
)

MAX_TRACKED_METRICS = 128  # how many metrics have their last value kept
MIN_DIGITS, MAX_DIGITS = 3, 12  # significant digits of a value that may be a rounded copy of another


class EventMerger:
    """Merges the parsed events of a log, in order; its state is bounded."""

    def __init__(self) -> None:
        self._bars = BarInterpreter()
        self._last_step: int | None = None
        self._epoch: int | None = None  # from a line that only announced an epoch
        self._zero_based = False  # whether an epoch 0 was seen
        self._total_epochs: int | None = None
        self._restarts = _RestartCounter()
        # By metric: the step (or epoch, if there is no step) and the value.
        self._last_metrics: dict[str, tuple[int | float | None, float]] = {}
        self._last_checkpoint: str | None = None  # its path; None once there was progress since
        self._pending: Progress | None = None  # metrics that wait for the step of the bar

    def take(self, event: ReaderEvent) -> Iterator[MergedEvent]:
        """Adds an event and yields the merged events that are complete."""
        match event:
            case Bar():
                progress = self._bars.interpret(event)
                is_outer = (event.done, event.total) == (self._bars.step, self._bars.total)
                yield from self._flush_pending(event.done if is_outer else None)
                if progress is not None:
                    yield from self._progress(progress if isinstance(progress, Progress) else self._absolute(progress))
            case EpochProgress():
                yield from self._flush_pending(None)
                yield from self._progress(self._absolute(event))
            case EpochStarted():
                yield from self._flush_pending(None)
                yield from self._start_epoch(event)
            case Progress(step=None, metrics=metrics) if metrics and self._bars.may_be_training:
                yield from self._flush_pending(None)
                self._bars.mark_as_training()
                self._pending = event
            case Progress():
                yield from self._flush_pending(None)
                if event.step is None and event.total_steps is not None:
                    self._bars.mark_as_training(event.total_steps)
                yield from self._progress(event)
            case CheckpointSaved():
                yield from self._flush_pending(None)
                yield from self._checkpoint(event)

    def finish(self) -> Iterator[MergedEvent]:
        """Yields pending metrics at the end of the log."""
        yield from self._flush_pending(None)

    def memory(self) -> dict[str, Any]:
        return {
            "bars": self._bars.memory(),
            "last": self._last_step,
            "epoch": self._epoch,
            "zero_based": self._zero_based,
            "total_epochs": self._total_epochs,
            "rounds": self._restarts.memory(),
            "latest": [[name, at, repr(value)] for name, (at, value) in self._last_metrics.items()],
            "saved": self._last_checkpoint,
            "waiting": None if self._pending is None else _encode_progress(self._pending),
        }

    def remember(self, memory: Mapping[str, Any]) -> None:
        self._bars.remember(memory["bars"])
        self._last_step, self._epoch, self._total_epochs = memory["last"], memory["epoch"], memory["total_epochs"]
        self._zero_based = bool(memory["zero_based"])
        self._restarts.remember(memory["rounds"])
        self._last_metrics = {str(name): (at, float(value)) for name, at, value in memory["latest"]}
        self._last_checkpoint = memory["saved"]
        self._pending = None if memory["waiting"] is None else _decode_progress(memory["waiting"])

    def remember_previous_state(self, memory: Mapping[str, Any]) -> None:
        """Restores only what also applies to another start of the same script; ignores a damaged state."""
        merger = memory.get("joiner")
        self._zero_based = isinstance(merger, dict) and merger.get("zero_based") is True

    def _flush_pending(self, step: int | None) -> Iterator[MergedEvent]:
        """Yields the metrics that wait for a step: the given one, else the last one of the bar."""
        pending, self._pending = self._pending, None
        if pending is not None:
            step = self._bars.step if step is None else step
            yield from self._progress(replace(pending, step=step, total_steps=self._bars.training_total))

    def _start_epoch(self, event: EpochStarted) -> Iterator[MergedEvent]:
        self._epoch = event.epoch
        self._zero_based |= event.epoch == 0
        self._total_epochs = event.total_epochs
        self._restarts.reset()
        yield from self._progress(
            Progress(offset=event.offset, epoch=float(event.epoch), total_epochs=event.total_epochs)
        )

    def _absolute(self, event: EpochProgress) -> Progress:
        """Converts progress within an epoch to progress of the whole training."""
        epoch, total_epochs = event.epoch, event.total_epochs
        if epoch is None:
            epoch = self._epoch
            total_epochs = self._total_epochs if total_epochs is None else total_epochs
        if epoch is None:
            epochs_before = self._restarts.count(event.done)
        else:
            epochs_before = max(0, epoch - self._first_epoch(epoch, event.first_epoch))
        epochs = 1 if epoch is None and epochs_before == 0 else total_epochs
        return Progress(
            offset=event.offset,
            step=event.done if event.total is None else epochs_before * event.total + event.done,
            epoch=None if epoch is None else float(epoch),
            total_steps=None if event.total is None or epochs is None else epochs * event.total,
            total_epochs=total_epochs,
            eta_seconds=event.eta_seconds
            if event.eta_seconds is not None
            else _eta(event, None if epochs is None else epochs - epochs_before - 1),
            metrics=event.metrics,
        )

    def _first_epoch(self, epoch: int, first_epoch: int | None) -> int:
        """Number of the first epoch, 0 once an epoch 0 was seen; `first_epoch` is what the format says, if it does."""
        if first_epoch is not None:
            return first_epoch
        self._zero_based |= epoch == 0
        return 0 if self._zero_based else 1

    def _progress(self, progress: Progress) -> Iterator[MergedEvent]:
        metrics = self._new_metrics(progress)
        moved = progress.step is not None and progress.step != self._last_step
        if not metrics and progress.metrics and not moved:
            return
        self._last_checkpoint = None
        if progress.step is not None:
            self._last_step = progress.step
        elif metrics:
            progress = replace(progress, step=self._last_step)
        yield progress if metrics is progress.metrics else replace(progress, metrics=metrics)

    def _new_metrics(self, progress: Progress) -> Mapping[str, float]:
        """Returns the metrics not yet reported for this step, or for this epoch if there is no step."""
        step = progress.step if progress.step is not None else self._last_step
        at = step if step is not None else progress.epoch
        if at is None:
            return progress.metrics
        new: dict[str, float] = {}
        for name, value in progress.metrics.items():
            last = self._last_metrics.pop(name, None)
            if last is None or last[0] != at or not _is_same_value(last[1], value):
                new[name] = value
            self._last_metrics[name] = (at, value)
        while len(self._last_metrics) > MAX_TRACKED_METRICS:
            del self._last_metrics[next(iter(self._last_metrics))]
        return progress.metrics if len(new) == len(progress.metrics) else new

    def _checkpoint(self, event: CheckpointSaved) -> Iterator[MergedEvent]:
        # Frameworks announce a checkpoint twice: before and after they save it.
        if event.path != self._last_checkpoint:
            self._last_checkpoint = event.path
            yield event


class _RestartCounter:
    """Counts how often a count restarted, for formats that do not name the epoch."""

    def __init__(self) -> None:
        self._done = self._restarts = 0

    def reset(self) -> None:
        self._done = self._restarts = 0

    def memory(self) -> list[int]:
        return [self._done, self._restarts]

    def remember(self, memory: list[int]) -> None:
        self._done, self._restarts = map(int, memory)

    def count(self, done: int) -> int:
        """Returns the number of restarts so far, including one at `done` if it is less than before."""
        self._restarts += done < self._done
        self._done = done
        return self._restarts


def _eta(event: EpochProgress, epochs_left: int | None) -> float | None:
    """Returns the seconds left in this epoch and those after it at the same pace; None if their number is unknown."""
    if event.seconds_left is None or epochs_left is None:
        return None
    if epochs_left <= 0:
        return event.seconds_left
    if event.elapsed_seconds is None:
        return None
    return event.seconds_left + epochs_left * (event.elapsed_seconds + event.seconds_left)


def _is_same_value(known: float, value: float) -> bool:
    """Whether `value` equals `known`, perhaps rounded; with fewer than MIN_DIGITS digits a match proves nothing."""
    if known == value or (math.isnan(known) and math.isnan(value)):
        return True
    digits = len(repr(value).partition("e")[0].replace(".", "").strip("-0"))
    return MIN_DIGITS <= digits < MAX_DIGITS and float(f"{known:.{digits}g}") == value


def _encode_progress(progress: Progress) -> dict[str, Any]:
    # JSON has no NaN, and a value must be restored exactly.
    return {**asdict(progress), "metrics": {name: repr(value) for name, value in progress.metrics.items()}}


def _decode_progress(document: Mapping[str, Any]) -> Progress:
    metrics = {str(name): float(value) for name, value in document["metrics"].items()}
    return Progress(**{**document, "metrics": metrics})
