"""How far a training is, from the values it reports one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.best import improve
from backprop_tui.domain.live import Live
from backprop_tui.readers.values import Progress

MOST_METRICS = 512  # by name, because the record is written every second


class LiveProgress:
    """The newest value of each figure; figures that a value does not contain keep theirs."""

    __slots__ = ("_best", "_epoch", "_eta_seconds", "_metrics", "_total_epochs", "_total_steps", "step")

    def __init__(self, live: Live) -> None:
        self.step = live.step
        self._epoch = live.epoch
        self._total_steps = live.total_steps
        self._total_epochs = live.total_epochs
        self._eta_seconds = live.eta_seconds
        self._metrics = dict(live.metrics)
        self._best = dict(live.best)

    def update(self, value: Progress) -> None:
        """Applies a value from the log."""
        if value.step is not None:
            self.step = value.step
        if value.epoch is not None:
            self._epoch = value.epoch
        if value.total_steps is not None:
            self._total_steps = value.total_steps
        if value.total_epochs is not None:
            self._total_epochs = value.total_epochs
        if value.eta_seconds is not None:
            self._eta_seconds = value.eta_seconds
        for name, metric in value.metrics.items():
            if name in self._metrics or len(self._metrics) < MOST_METRICS:
                self._metrics[name] = metric
        improve(self._best, value.metrics, self.step)
        if self.step is not None and self._total_steps is not None and self.step > self._total_steps:
            self._total_steps = None  # it was the total of one epoch, and the step count continued across epochs

    def update_from_file(self, value: Progress) -> None:
        """Applies a value from another file: step and epoch count only if they are ahead."""
        step, epoch = value.step, value.epoch
        is_step_ahead = step is not None and (self.step is None or step > self.step)
        is_epoch_ahead = epoch is not None and (self._epoch is None or epoch > self._epoch)
        self.update(replace(value, step=step if is_step_ahead else None, epoch=epoch if is_epoch_ahead else None))

    def fields(self) -> dict[str, Any]:
        """The values as fields of the live record."""
        return {
            "step": self.step,
            "epoch": self._epoch,
            "total_steps": self._total_steps,
            "total_epochs": self._total_epochs,
            "eta_seconds": self._eta_seconds,
            "metrics": dict(self._metrics),
            "best": dict(self._best),
        }
