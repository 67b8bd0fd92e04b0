"""How far a training is, as the values of its log say it one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.best import improve
from backprop_tui.domain.live import Live
from backprop_tui.readers.values import Progress

MOST_METRICS = 512  # by name: the record is written each second


class LiveProgress:
    """The newest of each figure; what a value does not say stays as it was."""

    __slots__ = ("_best", "_epoch", "_eta_seconds", "_metrics", "_total_epochs", "_total_steps", "step")

    def __init__(self, live: Live) -> None:
        self.step = live.step
        self._epoch = live.epoch
        self._total_steps = live.total_steps
        self._total_epochs = live.total_epochs
        self._eta_seconds = live.eta_seconds
        self._metrics = dict(live.metrics)
        self._best = dict(live.best)

    def take_in(self, progress: Progress) -> None:
        """One value more."""
        if progress.step is not None:
            self.step = progress.step
        if progress.epoch is not None:
            self._epoch = progress.epoch
        if progress.total_steps is not None:
            self._total_steps = progress.total_steps
        if progress.total_epochs is not None:
            self._total_epochs = progress.total_epochs
        if progress.eta_seconds is not None:
            self._eta_seconds = progress.eta_seconds
        for name, value in progress.metrics.items():
            if name in self._metrics or len(self._metrics) < MOST_METRICS:
                self._metrics[name] = value
        improve(self._best, progress.metrics, self.step)
        if self.step is not None and self._total_steps is not None and self.step > self._total_steps:
            self._total_steps = None  # it was that of one epoch, whose count went on

    def take_in_beside(self, progress: Progress) -> None:
        """A value of a file: how far it is counts only where that is farther."""
        step, epoch = progress.step, progress.epoch
        is_ahead = step is not None and (self.step is None or step > self.step)
        is_later = epoch is not None and (self._epoch is None or epoch > self._epoch)
        self.take_in(replace(progress, step=step if is_ahead else None, epoch=epoch if is_later else None))

    def fields(self) -> dict[str, Any]:
        """As fields of the live record."""
        return {
            "step": self.step,
            "epoch": self._epoch,
            "total_steps": self._total_steps,
            "total_epochs": self._total_epochs,
            "eta_seconds": self._eta_seconds,
            "metrics": dict(self._metrics),
            "best": dict(self._best),
        }
