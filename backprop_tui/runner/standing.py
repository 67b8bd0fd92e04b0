"""How far a training is, from the values it reports one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.best import improve
from backprop_tui.domain.live import Live
from backprop_tui.readers.values import Progress

MOST_METRICS = 512  # by name, because the record is written every second


_LATEST = ("step", "epoch", "total_steps", "total_epochs", "eta_seconds")  # fields of Live and of Progress


class LiveProgress:
    """The newest value of each figure; figures that a value does not contain keep theirs."""

    __slots__ = ("_best", "_latest", "_metrics")

    def __init__(self, live: Live) -> None:
        self._latest = {name: getattr(live, name) for name in _LATEST}
        self._metrics = dict(live.metrics)
        self._best = dict(live.best)

    @property
    def step(self) -> int | None:
        step: int | None = self._latest["step"]
        return step

    def update(self, value: Progress) -> None:
        """Applies a value from the log."""
        for name in _LATEST:
            figure = getattr(value, name)
            if figure is not None:
                self._latest[name] = figure
        for name, metric in value.metrics.items():
            if name in self._metrics or len(self._metrics) < MOST_METRICS:
                self._metrics[name] = metric
        step, total_steps = self.step, self._latest["total_steps"]
        improve(self._best, value.metrics, step)
        if step is not None and total_steps is not None and step > total_steps:
            self._latest["total_steps"] = None  # it was the total of one epoch, and steps are counted across epochs

    def update_from_file(self, value: Progress) -> None:
        """Applies a value from another file: step and epoch count only if they are ahead."""
        step, epoch, last_epoch = value.step, value.epoch, self._latest["epoch"]
        is_step_ahead = step is not None and (self.step is None or step > self.step)
        is_epoch_ahead = epoch is not None and (last_epoch is None or epoch > last_epoch)
        self.update(replace(value, step=step if is_step_ahead else None, epoch=epoch if is_epoch_ahead else None))

    def fields(self) -> dict[str, Any]:
        """The values as fields of the live record."""
        return {**self._latest, "metrics": dict(self._metrics), "best": dict(self._best)}
