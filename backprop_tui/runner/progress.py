"""Turns what the log and the output files say into the run's step, metrics and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backprop_tui.domain.live import Live
from backprop_tui.domain.objective import BestTracker, Objective
from backprop_tui.domain.run import Spec
from backprop_tui.domain.status import Status
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner.checkpoint_record import CheckpointRecord
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.stop_sequence import StopSequence

MAX_METRICS = 512  # by name, because the record is written every second
_LATEST = ("step", "epoch", "total_steps", "total_epochs", "eta_seconds")  # fields of Live and of Progress


class LiveProgress:
    """The newest progress: each field keeps its value until a later `Progress` contains it."""

    def __init__(self, live: Live, objective: Objective | None = None) -> None:
        self._latest = {name: getattr(live, name) for name in _LATEST}
        self._metrics = dict(live.metrics)
        self._best = BestTracker(live.best, live.curves, objective)

    @property
    def step(self) -> int | None:
        step: int | None = self._latest["step"]
        return step

    def update(self, value: Progress) -> None:
        for name in _LATEST:
            number = getattr(value, name)
            if number is not None:
                self._latest[name] = number
        for name, metric in value.metrics.items():
            if name in self._metrics or len(self._metrics) < MAX_METRICS:
                self._metrics[name] = metric
        step, total_steps = self.step, self._latest["total_steps"]
        self._best.update(value.metrics, step)
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
        return {**self._latest, "metrics": dict(self._metrics), **self._best.fields()}


class ProgressRecorder:
    """Takes values in the order in which they were read."""

    def __init__(
        self, recorder: Recorder, stop_sequence: StopSequence, spec: Spec, checkpoints: CheckpointRecord
    ) -> None:
        self._recorder = recorder
        self._stop_sequence = stop_sequence
        self._spec = spec
        self._checkpoints = checkpoints
        self._nan_reported = False
        self._start_step, self._start_epoch = recorder.live.step, recorder.live.epoch

    def record(self, values: Sequence[Progress | CheckpointSaved], cwd: str) -> None:
        """Records values from the log; relative checkpoint paths start at `cwd`."""
        progress = LiveProgress(self._recorder.live, self._spec.objective)
        for value in values:
            if isinstance(value, CheckpointSaved):
                # Written together with everything reported before it, and with the log offset behind it: so it is
                # announced exactly once, even if this guardian dies.
                self._recorder.change(**progress.fields())
                self._checkpoints.announce(value, cwd, progress.step)
                continue
            progress.update(value)
            self._check_loss(value.metrics, progress.step)
            self._check_goals(value)
        self._recorder.change(**progress.fields())
        self._checkpoints.note_step(progress.step)

    def record_from_files(self, values: Sequence[Progress]) -> None:
        """Records values from other files of the script; they may be older than the log, and never lower the step."""
        if not values:
            return
        progress = LiveProgress(self._recorder.live, self._spec.objective)
        for value in values:
            progress.update_from_file(value)
            self._check_loss(value.metrics, value.step)
            if self._is_of_this_attempt(value):
                self._check_goals(value)
        self._recorder.change(**progress.fields())
        self._checkpoints.note_step(progress.step)

    def _is_of_this_attempt(self, value: Progress) -> bool:
        """Whether a value lies beyond the start of this attempt: files still contain those of earlier attempts."""
        for reached, start in ((value.step, self._start_step), (value.epoch, self._start_epoch)):
            if reached is not None and start is not None:
                return reached > start
        return self._start_step is None and self._start_epoch is None

    def _check_goals(self, value: Progress) -> None:
        """Records the goal (`--until`) that this value reaches, if any."""
        if not self._spec.until or self._recorder.live.reached is not None:
            return
        for until in self._spec.until:
            reached = until.reached(step=value.step, epoch=value.epoch, metrics=value.metrics)
            if reached is not None:
                self._recorder.commit(reached=reached)
                self._recorder.record_event("reached", reached)
                return

    def _check_loss(self, metrics: Mapping[str, float], step: int | None) -> None:
        bad = [name for name, value in metrics.items() if "loss" in name.lower() and not math.isfinite(value)]
        if not bad or self._nan_reported:
            return
        self._nan_reported = True
        message = f"{bad[0]} is {metrics[bad[0]]} at step {step}"
        self._recorder.record_event("nan", message)
        if self._spec.limits.on_nan == "stop":
            now = time.monotonic()
            self._stop_sequence.begin(Status.STOPPED, by="guard", reason=message, now=now, cause="nan_loss")
