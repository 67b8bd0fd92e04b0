"""The checkpoints of a run: announced by its log or seen on disk, with their steps, and how often it saves."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from backprop_tui.domain.checkpoint_pace import CheckpointPace
from backprop_tui.domain.run import Checkpoint
from backprop_tui.readers.events import CheckpointSaved
from backprop_tui.runner.outputs.checkpoints import CheckpointFound, CheckpointGone, CheckpointsPending, Sighting
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.stop_sequence import SAME_SAVE_SECONDS

KEPT_CHECKPOINTS = 20
STEP_DELAY_SECONDS = 1.0  # within this time of being printed a step is known
REMEMBERED_STEPS = REMEMBERED_PATHS = 1_000


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
