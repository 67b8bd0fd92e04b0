"""Records what a script reports: step, metrics and checkpoints go into the live record; a NaN loss is announced."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from backprop_tui.domain.run import Spec
from backprop_tui.domain.status import Status
from backprop_tui.readers.values import CheckpointSaved, Progress
from backprop_tui.runner.checkpoint_book import CheckpointRecord
from backprop_tui.runner.ladder import StopSequence
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.standing import LiveProgress


class ProgressRecorder:
    """Takes values in the order in which they were read."""

    __slots__ = ("_checkpoints", "_nan_reported", "_recorder", "_spec", "_start_epoch", "_start_step", "_stop_sequence")

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
        progress = LiveProgress(self._recorder.live)
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
        progress = LiveProgress(self._recorder.live)
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
