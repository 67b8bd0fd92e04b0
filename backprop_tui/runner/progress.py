"""Turns what the log and the output files say into the run's step, metrics and checkpoints."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backprop_tui.domain.checkpoint_pace import CheckpointPace
from backprop_tui.domain.live import Live
from backprop_tui.domain.metric_series import update_best
from backprop_tui.domain.run import Checkpoint, Spec
from backprop_tui.domain.status import Status
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner.outputs.checkpoints import CheckpointFound, CheckpointGone, CheckpointsPending, Sighting
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.stop_sequence import SAME_SAVE_SECONDS, StopSequence

KEPT_CHECKPOINTS = 20
STEP_DELAY_SECONDS = 1.0  # within this time of being printed a step is known
REMEMBERED_STEPS = REMEMBERED_PATHS = 1_000
MAX_METRICS = 512  # by name, because the record is written every second
_LATEST = ("step", "epoch", "total_steps", "total_epochs", "eta_seconds")  # fields of Live and of Progress


class CheckpointRecord:
    """Used by the guardian alone. Also records how often and how much the run saves."""

    def __init__(self, recorder: Recorder, expect: Callable[[str], None] = lambda _path: None) -> None:
        """`expect` is called with each path that is announced."""
        self._recorder = recorder
        self._expect = expect
        self._announced: dict[str, None] = {}  # the newest last
        self._steps: deque[tuple[float, int]] = deque(maxlen=REMEMBERED_STEPS)  # wall-clock time and step, oldest first
        self._deleted_bytes = 0  # since the last save
        self.pending: frozenset[str] = frozenset()  # checkpoints that are being written

    def announce(self, saved: CheckpointSaved, cwd: str, step: int | None) -> None:
        """Records a checkpoint that the script reports as saved, or about to be; relative paths start at `cwd`."""
        path = os.path.normpath(os.path.join(cwd, saved.path))
        self._announced.pop(path, None)
        self._announced[path] = None
        if len(self._announced) > REMEMBERED_PATHS:
            del self._announced[next(iter(self._announced))]
        known = self._find(path)
        checkpoint = Checkpoint(
            path=path,
            step=saved.step if saved.step is not None else step,
            saved_at=time.time(),
            size_bytes=None if known is None else known.size_bytes,
        )
        self._recorder.commit(
            checkpoints=self._with(checkpoint),
            told_offset=saved.offset,
            pace=self._pace().saved(self._running_seconds()),
        )
        self._record_saved(checkpoint)
        self._expect(path)

    def note_step(self, step: int | None) -> None:
        if step is not None and (not self._steps or self._steps[-1][1] != step):
            self._steps.append((time.time(), step))

    def handle(self, sighting: Sighting) -> None:
        match sighting:
            case CheckpointFound():
                self._handle_found(sighting)
            case CheckpointGone(path=path):
                self._remove(path)
            case CheckpointsPending(paths=paths):
                self.pending = paths

    def _handle_found(self, sighting: CheckpointFound) -> None:
        path = self._announced_path(sighting.path)
        known = self._find(path)
        growth_bytes = sighting.size_bytes - self._deleted_bytes - ((known.size_bytes if known else None) or 0)
        self._deleted_bytes = 0
        pace = self._pace().measured(growth_bytes=growth_bytes, duration=sighting.written_seconds)
        is_sound = sighting.unsound is None
        if known is not None and (path in self._announced or _is_same_save(known, sighting)):
            step = sighting.step if path == sighting.path and sighting.step is not None else known.step
            step = self._step_of(sighting) if step is None else step
            measured = replace(known, step=step, size_bytes=sighting.size_bytes, sound=is_sound)
            checkpoints = tuple(measured if other.path == path else other for other in self._checkpoints())
            self._recorder.change(checkpoints=checkpoints, pace=pace)
        else:
            checkpoint = Checkpoint(
                path=path,
                step=self._step_of(sighting),
                saved_at=sighting.modified_at,
                size_bytes=sighting.size_bytes,
                sound=is_sound,
            )
            saved_after = self._running_seconds() - max(0.0, time.time() - sighting.modified_at)
            self._recorder.commit(checkpoints=self._with(checkpoint), pace=pace.saved(max(0.0, saved_after)))
            if is_sound:
                self._record_saved(checkpoint)
        if sighting.unsound is not None:
            self._recorder.record_event("torn_checkpoint", f"{path} {sighting.unsound}", path=path)

    def _step_of(self, sighting: CheckpointFound) -> int | None:
        """The step of a checkpoint: from its content, or from what the log reported around the time it was saved."""
        if sighting.step is not None:
            return sighting.step
        saved_at = sighting.modified_at
        before = [step for reported_at, step in self._steps if reported_at <= saved_at]
        around = [step for reported_at, step in self._steps if reported_at <= saved_at + STEP_DELAY_SECONDS]
        # The log lags behind by what was not read yet: a number in the name that lies between is the step.
        if sighting.number is not None and around and (before or around)[-1] <= sighting.number <= around[-1]:
            return sighting.number
        if before or around:
            return before[-1] if before else around[0]
        return self._recorder.live.step if self._recorder.live.step is not None else sighting.number

    def _announced_path(self, path: str) -> str:
        """The announced path that a file belongs to: scripts may announce the directory that they save into."""
        folder = os.path.dirname(path)
        return folder if path not in self._announced and folder in self._announced else path

    def _remove(self, path: str) -> None:
        known = self._find(path)
        if known is not None:
            self._deleted_bytes += known.size_bytes or 0
            self._recorder.change(checkpoints=tuple(other for other in self._checkpoints() if other.path != path))

    def _checkpoints(self) -> tuple[Checkpoint, ...]:
        return self._recorder.live.checkpoints

    def _find(self, path: str) -> Checkpoint | None:
        return next((checkpoint for checkpoint in self._checkpoints() if checkpoint.path == path), None)

    def _with(self, checkpoint: Checkpoint) -> tuple[Checkpoint, ...]:
        """The record with this checkpoint added, oldest first; a file that is overwritten stays one checkpoint."""
        others = [other for other in self._checkpoints() if other.path != checkpoint.path]
        ordered = sorted([*others, checkpoint], key=lambda saved: saved.saved_at)
        return tuple(ordered[-KEPT_CHECKPOINTS:])

    def _pace(self) -> CheckpointPace:
        return self._recorder.live.pace or CheckpointPace()

    def _running_seconds(self) -> float:
        live = self._recorder.live
        return live.clock.at(time.monotonic(), paused=live.pause is not None).running_seconds

    def _record_saved(self, checkpoint: Checkpoint) -> None:
        step = "" if checkpoint.step is None else f" at step {checkpoint.step}"
        message = f"checkpoint{step}: {checkpoint.path}"
        self._recorder.record_event("checkpoint", message, path=checkpoint.path, step=checkpoint.step)


def _is_same_save(known: Checkpoint, sighting: CheckpointFound) -> bool:
    """Whether the file on disk is the recorded save itself, and not a later one to the same path."""
    is_older = sighting.modified_at <= known.saved_at + SAME_SAVE_SECONDS
    return is_older and known.size_bytes in (None, sighting.size_bytes)


class LiveProgress:
    """The newest progress: each field keeps its value until a later `Progress` contains it."""

    def __init__(self, live: Live) -> None:
        self._latest = {name: getattr(live, name) for name in _LATEST}
        self._metrics = dict(live.metrics)
        self._best = dict(live.best)

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
        update_best(self._best, value.metrics, step)
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
