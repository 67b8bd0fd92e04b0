"""The checkpoints of a run's record: announced, found on disk or both, each path once, the newest last."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.save_pace import SavePace
from backprop_tui.readers.values import CheckpointSaved
from backprop_tui.runner.found_checkpoints import CheckpointFound, CheckpointGone, CheckpointsPending, Sighting
from backprop_tui.runner.recorder import Recorder

KEPT_CHECKPOINTS = 20
TOLD_WITHIN_SECONDS = 1.0  # of being printed a step is known
REMEMBERED_STEPS = REMEMBERED_PATHS = 1_000
SAME_SAVE_SECONDS = 0.01  # records keep milliseconds


class CheckpointRecord:
    """Recorded by the guardian alone; learns how often and how much the run saves."""

    __slots__ = ("_announced", "_deleted_bytes", "_expect", "_recorder", "_steps", "pending")

    def __init__(self, recorder: Recorder, expect: Callable[[str], None] = lambda _path: None) -> None:
        """`expect` hears of each path that is announced."""
        self._recorder = recorder
        self._expect = expect
        self._announced: dict[str, None] = {}  # the newest last
        self._steps: deque[tuple[float, int]] = deque(maxlen=REMEMBERED_STEPS)  # wall time and step, oldest first
        self._deleted_bytes = 0  # since the last save
        self.pending: frozenset[str] = frozenset()  # checkpoints that are being written

    def announced(self, saved: CheckpointSaved, cwd: str, step: int | None) -> None:
        """The script says that it saved, or is about to; `cwd` is where a relative path starts."""
        path = os.path.normpath(os.path.join(cwd, saved.path))
        at_step = saved.step if saved.step is not None else step
        self._announced.pop(path, None)
        self._announced[path] = None
        if len(self._announced) > REMEMBERED_PATHS:
            del self._announced[next(iter(self._announced))]
        before = self._known(path)
        size_bytes = None if before is None else before.size_bytes
        checkpoint = Checkpoint(path=path, step=at_step, saved_at=time.time(), size_bytes=size_bytes)
        self._recorder.commit(
            checkpoints=self._with(checkpoint),
            told_offset=saved.offset,
            pace=self._pace().saved(self._running_seconds()),
        )
        self._tell(checkpoint)
        self._expect(path)

    def stepped(self, step: int | None) -> None:
        """The log told this step just now."""
        if step is not None and (not self._steps or self._steps[-1][1] != step):
            self._steps.append((time.time(), step))

    def seen(self, sighting: Sighting) -> None:
        """What was seen on disk."""
        match sighting:
            case CheckpointFound():
                self._found(sighting)
            case CheckpointGone(path=path):
                self._gone(path)
            case CheckpointsPending(paths=paths):
                self.pending = paths

    def _found(self, found: CheckpointFound) -> None:
        path = self._announced_as(found.path)
        known = self._known(path)
        growth_bytes = found.size_bytes - self._deleted_bytes - ((known.size_bytes if known else None) or 0)
        self._deleted_bytes = 0
        pace = self._pace().measured(growth_bytes=growth_bytes, duration=found.written_seconds)
        if known is not None and (path in self._announced or _is_same(known, found)):
            step = found.step if path == found.path and found.step is not None else known.step
            step = self._step_of(found) if step is None else step
            measured = replace(known, step=step, size_bytes=found.size_bytes, sound=found.unsound is None)
            others = self._recorder.live.checkpoints
            self._recorder.change(checkpoints=tuple(measured if one.path == path else one for one in others), pace=pace)
            if found.unsound is not None:
                self._tell_torn(path, found.unsound)
            return
        checkpoint = Checkpoint(
            path=path,
            step=self._step_of(found),
            saved_at=found.modified_at,
            size_bytes=found.size_bytes,
            sound=found.unsound is None,
        )
        at = self._running_seconds() - max(0.0, time.time() - found.modified_at)
        self._recorder.commit(checkpoints=self._with(checkpoint), pace=pace.saved(max(0.0, at)))
        if found.unsound is None:
            self._tell(checkpoint)
        else:
            self._tell_torn(path, found.unsound)

    def _step_of(self, found: CheckpointFound) -> int | None:
        if found.step is not None:
            return found.step
        earlier = [step for told_at, step in self._steps if told_at <= found.modified_at]
        later = [step for told_at, step in self._steps if told_at <= found.modified_at + TOLD_WITHIN_SECONDS]
        # What the log said last is behind by what was not read yet: a number between the two is the step.
        if found.number is not None and later and (earlier or later)[-1] <= found.number <= later[-1]:
            return found.number
        if earlier or later:
            return earlier[-1] if earlier else later[0]
        return self._recorder.live.step if self._recorder.live.step is not None else found.number

    def _announced_as(self, path: str) -> str:
        """A script may announce the directory it saves into instead of the file."""
        folder = os.path.dirname(path)
        return folder if path not in self._announced and folder in self._announced else path

    def _gone(self, path: str) -> None:
        known = self._known(path)
        if known is not None:
            self._deleted_bytes += known.size_bytes or 0
            left = tuple(one for one in self._recorder.live.checkpoints if one.path != path)
            self._recorder.change(checkpoints=left)

    def _known(self, path: str) -> Checkpoint | None:
        return next((one for one in self._recorder.live.checkpoints if one.path == path), None)

    def _with(self, checkpoint: Checkpoint) -> tuple[Checkpoint, ...]:
        """The record with one more, oldest first; a file that is written over and over is one checkpoint."""
        others = [one for one in self._recorder.live.checkpoints if one.path != checkpoint.path]
        ordered = sorted([*others, checkpoint], key=lambda one: one.saved_at)
        return tuple(ordered[-KEPT_CHECKPOINTS:])

    def _pace(self) -> SavePace:
        return self._recorder.live.pace or SavePace()

    def _running_seconds(self) -> float:
        live = self._recorder.live
        return live.clock.at(time.monotonic(), paused=live.pause is not None).running_seconds

    def _tell(self, checkpoint: Checkpoint) -> None:
        step = "" if checkpoint.step is None else f" at step {checkpoint.step}"
        message = f"checkpoint{step}: {checkpoint.path}"
        self._recorder.tell("checkpoint", message, path=checkpoint.path, step=checkpoint.step)

    def _tell_torn(self, path: str, unsound: str) -> None:
        self._recorder.tell("torn_checkpoint", f"{path} {unsound}", path=path)


def _is_same(known: Checkpoint, found: CheckpointFound) -> bool:
    """Whether a save that is in the record was seen from its other side, and not one that came later."""
    is_older = found.modified_at <= known.saved_at + SAME_SAVE_SECONDS
    return is_older and known.size_bytes in (None, found.size_bytes)
