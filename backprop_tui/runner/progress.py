"""Turns what the log and the output files say into the run's step, metrics and checkpoints."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backprop_tui.domain.live import Live
from backprop_tui.domain.objective import BestTracker, Objective
from backprop_tui.domain.run import Spec
from backprop_tui.domain.status import Status
from backprop_tui.domain.training_pace import PaceMeter
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner.checkpoint_record import CheckpointRecord
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.stop_sequence import StopSequence

MAX_METRICS = 512  # by name, because the record is written every second
ESTIMATE_SECONDS = 1.0  # between two estimates of the time to the end
MAX_NUMBERED = 32  # metrics whose names differ only in a number, such as layers or a counter
# Fields of Live and of Progress.
_LATEST = ("step", "epoch", "total_steps", "total_epochs", "epochs_done", "eta_seconds")
_OF_LENGTH = ("total_steps", "total_epochs", "epochs_done", "eta_seconds")
_NUMBER = re.compile(r"\d+")
_NOTICEABLE = 0.02  # an estimate that changes by a smaller share is not recorded again


class LiveProgress:
    """The newest progress: each field keeps its value until a later `Progress` contains it."""

    def __init__(self, live: Live, objective: Objective | None = None) -> None:
        self._latest = {name: getattr(live, name) for name in _LATEST}
        self._is_step_printed = live.is_step_printed
        self._metrics = dict(live.metrics)
        self._numbered = Counter(_NUMBER.sub("#", name) for name in live.metrics)
        self._best = BestTracker(live.best, live.curves, objective)

    @property
    def step(self) -> int | None:
        step: int | None = self._latest["step"]
        return step

    def update(self, value: Progress) -> None:
        """Applies a value from the log."""
        self._is_step_printed |= value.step is not None
        self._apply(value, of_file=False)

    def _apply(self, value: Progress, *, of_file: bool) -> None:
        if value.begins_again:
            self._latest.update(dict.fromkeys(_OF_LENGTH))
        for name in _LATEST:
            number = getattr(value, name)
            if number is not None:
                self._latest[name] = number
        metrics = {name: metric for name, metric in value.metrics.items() if self._accepts(name)}
        self._metrics.update(metrics)
        step, total_steps = self.step, self._latest["total_steps"]
        # A line without a step, in a log without any, does not belong to the last step of a file.
        self._best.update(metrics, step if of_file or value.step is not None or self._is_step_printed else None)
        if step is not None and total_steps is not None and step > total_steps:
            self._latest["total_steps"] = None  # it was the total of something else
        epoch, total_epochs = self._latest["epoch"], self._latest["total_epochs"]
        if epoch is not None and total_epochs is not None and epoch > total_epochs:
            self._latest["total_epochs"] = None

    def _accepts(self, name: str) -> bool:
        """Whether the metric is known, or there is room for it: a counter in a name may create endless metrics."""
        if name in self._metrics:
            return True
        pattern = _NUMBER.sub("#", name)
        if len(self._metrics) >= MAX_METRICS or (pattern != name and self._numbered[pattern] >= MAX_NUMBERED):
            return False
        self._numbered[pattern] += 1
        return True

    def update_from_file(self, value: Progress) -> None:
        """Applies a value from another file: step and epoch count only if they are ahead, the step if none is printed.

        What a file calls the step may be anything, such as a thousandth of an epoch.
        """
        step, epoch, last_epoch = value.step, value.epoch, self._latest["epoch"]
        is_step_ahead = step is not None and (self.step is None or step > self.step)
        is_epoch_ahead = epoch is not None and (last_epoch is None or epoch > last_epoch)
        self._apply(
            replace(
                value,
                step=step if is_step_ahead and not self._is_step_printed else None,
                total_steps=None if self._is_step_printed else value.total_steps,
                epoch=epoch if is_epoch_ahead else None,
            ),
            of_file=True,
        )

    def fields(self) -> dict[str, Any]:
        """The values as fields of the live record."""
        is_printed = {"is_step_printed": self._is_step_printed}
        return {**self._latest, **is_printed, "metrics": dict(self._metrics), **self._best.fields()}


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
        self._pace = PaceMeter()
        self._estimated_at = -ESTIMATE_SECONDS  # running seconds
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
            if value.begins_again:
                self._pace = PaceMeter()
            if value.eta_seconds is not None:
                self._pace.note_printed(value.eta_seconds, self._running_seconds())
            self._check_loss(value.metrics, progress.step)
            self._check_goals(value)
        self._recorder.change(**progress.fields())
        self._checkpoints.note_step(progress.step)

    def note_skip(self) -> None:
        """Says that values are missing between those that were recorded and the next."""
        curves = self._recorder.live.curves
        self._recorder.change(curves={name: curve.after_hole() for name, curve in curves.items()})

    def update_eta(self) -> None:
        """Estimates the time to the end; to be called often, after the latest output was recorded."""
        live = self._recorder.live
        if live.pause is not None:
            return
        now = self._running_seconds()
        total: float | None = None
        if live.step is not None and live.total_steps:
            total = live.total_steps
            self._pace.note(live.step, "step", now)
        elif live.epochs_done is not None and live.total_epochs:
            total = live.total_epochs
            self._pace.note(live.epochs_done, "epoch", now)
        elif live.step is not None:
            self._pace.note(live.step, "step", now)
        if now - self._estimated_at < ESTIMATE_SECONDS:
            return
        self._estimated_at = now
        eta, pace = self._pace.seconds_left(total, now), self._pace.step_seconds()
        if _has_changed(live.eta_seconds, eta, at_least=1.0) or _has_changed(live.step_seconds, pace):
            self._recorder.change(eta_seconds=eta, step_seconds=pace)

    def _running_seconds(self) -> float:
        live = self._recorder.live
        return live.clock.at(time.monotonic(), paused=live.pause is not None).running_seconds

    def record_from_files(self, values: Sequence[Progress]) -> None:
        """Records values from other files of the script; they may be older than the log, and never lower the step."""
        if not values:
            return
        progress = LiveProgress(self._recorder.live, self._spec.objective)
        for value in values:
            progress.update_from_file(value)
            self._check_loss(value.metrics, value.step)
            if self._is_of_this_attempt(value):
                is_printed = self._recorder.live.is_step_printed
                self._check_goals(replace(value, step=None) if is_printed else value)
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


def _has_changed(recorded: float | None, value: float | None, *, at_least: float = 0.0) -> bool:
    """Whether an estimate is worth recording again."""
    if recorded is None or value is None:
        return recorded is not value
    return abs(value - recorded) > max(at_least, _NOTICEABLE * value)
