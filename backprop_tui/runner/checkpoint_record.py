"""The checkpoints of a run: announced by its log or seen on disk, with their steps, and how often it saves."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from backprop_tui.domain.checkpoint_names import FileRole, may_be_checkpoint, parse_checkpoint_name
from backprop_tui.domain.checkpoint_pace import CheckpointPace
from backprop_tui.domain.checkpoint_saves import add_save, without
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Checkpoint
from backprop_tui.readers.events import CheckpointSaved
from backprop_tui.runner.outputs.checkpoints import (
    CheckpointContested,
    CheckpointFound,
    CheckpointGone,
    CheckpointsPending,
    CheckpointUnwritten,
    Sighting,
)
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.repeated_saves import RepeatedSaves, is_near
from backprop_tui.runner.stop_sequence import SAME_SAVE_SECONDS

KEPT_CHECKPOINTS = 20
STEP_DELAY_SECONDS = 1.0  # from printing a step until it is read
REMEMBERED_STEPS = REMEMBERED_PATHS = 1_000
STEPS_OF_EPOCH_RATIO = 1.5  # a step in a name that is this far behind the log counts within its epoch


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Announcement:
    """`step` is the announced step of the save, `log_step` the last step that the log reported before."""

    path: str  # as it was announced, made absolute with the run's own directory
    relative: str | None
    at: float
    step: int | None
    log_step: int | None


class CheckpointRecord:
    """Used by the guardian alone. Also records how often and how much the run saves."""

    def __init__(
        self,
        recorder: Recorder,
        expect: Callable[[str], None] = lambda _path: None,
        *,
        folders: Callable[[], Sequence[str]] = tuple,
        log_path: str | None = None,
    ) -> None:
        """`expect` is called with each path that may have been announced.

        `folders` returns the directories in which the script's processes work, where these are not the run's own.
        The time at which the log was last written shows when a step was printed.
        """
        self._recorder = recorder
        self._expect = expect
        self._folders = folders
        self._log_path = log_path
        self._announced: dict[str, _Announcement] = {}  # by each path that may be meant, the newest last
        self._steps: deque[tuple[float, int]] = deque(maxlen=REMEMBERED_STEPS)  # wall-clock time and step, oldest first
        self._repeated = RepeatedSaves(self._step_at)
        self._deleted_bytes = 0  # since the last save
        self._new: dict[str, None] = {}  # recorded in this scan, and without an event yet
        self.pending: frozenset[str] = frozenset()  # checkpoints that are being written

    def announce(self, saved: CheckpointSaved, cwd: str, step: int | None) -> None:
        """Notes a checkpoint that the script reports as saved, or about to be; relative paths start at `cwd`.

        It counts once this run is seen to write it: until then there may be an older file at that path.
        """
        path = os.path.normpath(os.path.join(cwd, saved.path))
        named = parse_checkpoint_name(path)
        if named.role is FileRole.PART and may_be_checkpoint(os.path.basename(path)):
            return
        relative = None if os.path.isabs(saved.path) else os.path.normpath(saved.path)
        is_bare = named.step is None and saved.step == named.number
        announced = self._believed(saved.step) if is_bare else saved.step
        announcement = _Announcement(path=path, relative=relative, at=time.time(), step=announced, log_step=step)
        folders = self._folders() if relative is not None else ()
        for possible in (path, *(os.path.join(folder, relative or "") for folder in folders)):
            self._announced.pop(possible, None)
            self._announced[possible] = announcement
            self._expect(possible)
        while len(self._announced) > REMEMBERED_PATHS:
            del self._announced[next(iter(self._announced))]
        known = self._find(path)
        if known is None or not known.written:
            announced_step = self._step_of_announcement(announcement, named.step, self._believed(named.number))
            unseen = Checkpoint(path=path, step=announced_step, saved_at=announcement.at, written=False)
            others = [other for other in self._checkpoints() if other.path != path]
            self._recorder.change(checkpoints=tuple([*others, unseen][-KEPT_CHECKPOINTS:]))
        self._recorder.change(told_offset=saved.offset)

    def note_step(self, step: int | None) -> None:
        if step is not None and (not self._steps or self._steps[-1][1] != step):
            self._steps.append((self._printed_at(), step))

    def _printed_at(self) -> float:
        """When the last line of the log was printed, a moment before it was read."""
        now = time.time()
        try:
            return now if self._log_path is None else min(now, os.stat(self._log_path).st_mtime)
        except OSError:
            return now

    def handle(self, sighting: Sighting) -> None:
        match sighting:
            case CheckpointFound():
                for confirmed in [sighting] if sighting.is_certain else self._repeated.confirm(sighting):
                    self._record_sighting(confirmed)
            case CheckpointGone(path=path):
                self._remove(path)
            case CheckpointContested(path=path, runs=runs):
                known = self._find(path)
                if known is not None:
                    self._recorder.change(checkpoints=self._replaced(replace(known, shared_with=runs)))
            case CheckpointUnwritten(path=path):
                self._forget_unwritten(path)
            case CheckpointsPending(paths=paths):
                self.pending = paths
                self._report_new()

    def _record_sighting(self, sighting: CheckpointFound) -> None:
        announcement = self._announcement_of(sighting)
        path = self._recorded_path(sighting, announcement)
        if announcement is not None and announcement.path != path:
            self._forget_unwritten(announcement.path)
        known = self._find(path)
        growth_bytes = sighting.size_bytes - self._deleted_bytes - ((known.size_bytes if known else None) or 0)
        self._deleted_bytes = 0
        pace = self._pace().measured(growth_bytes=growth_bytes, duration=sighting.written_seconds)
        is_sound = sighting.unsound is None
        if known is not None and known.written and _is_same_save(known, sighting):
            measured = replace(known, size_bytes=sighting.size_bytes, sound=is_sound)
            self._recorder.change(checkpoints=self._replaced(measured), pace=pace)
        else:
            checkpoint = Checkpoint(
                path=path,
                step=self._step_of(sighting, announcement, known),
                saved_at=sighting.modified_at,
                size_bytes=sighting.size_bytes,
                sound=is_sound,
            )
            saved_after = self._running_seconds() - max(0.0, time.time() - sighting.modified_at)
            checkpoints = add_save(self._checkpoints(), checkpoint)[-KEPT_CHECKPOINTS:]
            self._recorder.commit(checkpoints=checkpoints, pace=pace.saved(max(0.0, saved_after)))
            if is_sound:
                self._new[path] = None
        if sighting.unsound is not None:
            self._recorder.record_event("torn_checkpoint", f"{path} {sighting.unsound}", path=path)

    def _step_of(
        self, sighting: CheckpointFound, announcement: _Announcement | None, known: Checkpoint | None
    ) -> int | None:
        """The step of a save: as its content, its name, the script or the log say, in this order."""
        logged = self._step_at(sighting.modified_at)
        if sighting.step is not None and not _is_within_epoch(sighting, logged):
            return sighting.step
        is_announced = announcement is not None and (
            known is None or not known.written or announcement.at > known.saved_at
        )
        if announcement is not None and is_announced and announcement.step is not None:
            return announcement.step
        before, around = self._steps_around(sighting.modified_at)
        # The log is read with a delay: a number in the name that lies in between is the step.
        number, nearest = self._believed(sighting.number), (before or around)[-1:]
        if number is not None and nearest and (nearest[0] <= number <= around[-1] or is_near(number, nearest[0])):
            return number
        if announcement is not None and announcement.log_step is not None:
            return announcement.log_step
        if known is not None and not known.written and known.step is not None:
            return known.step  # it was announced to an earlier guardian
        return logged if logged is not None or self._recorder.live.step is not None else number

    def _believed(self, number: int | None) -> int | None:
        """A bare number in a name, if it may be a step: one far beyond the total is another number, such as a pid."""
        total = self._recorder.live.total_steps
        is_beyond = number is not None and total is not None and number > total and not is_near(number, total)
        return None if is_beyond else number

    def _step_of_announcement(self, announcement: _Announcement, named: int | None, number: int | None) -> int | None:
        """As `_step_of`, before the file has been seen."""
        step = announcement.log_step
        if named is not None or announcement.step is not None:
            return named if named is not None else announcement.step
        return number if number is not None and (step is None or is_near(number, step)) else step

    def _step_at(self, at: float) -> int | None:
        """The step that the log had reported at a wall-clock time, or reported just after."""
        before, around = self._steps_around(at)
        if before or around:
            return before[-1] if before else around[0]
        return self._recorder.live.step

    def _steps_around(self, at: float) -> tuple[list[int], list[int]]:
        before = [step for reported_at, step in self._steps if reported_at <= at]
        return before, [step for reported_at, step in self._steps if reported_at <= at + STEP_DELAY_SECONDS]

    def _announcement_of(self, sighting: CheckpointFound) -> _Announcement | None:
        """The announcement of a file: of its path, of its directory, or of a path relative to another directory."""
        for path in (sighting.announced_as or sighting.path, sighting.path, os.path.dirname(sighting.path)):
            if path in self._announced:
                return self._announced[path]
        for announcement in reversed(self._announced.values()):
            if announcement.relative is not None and sighting.path.endswith("/" + announcement.relative):
                known = self._find(announcement.path)
                return announcement if known is None or not known.written else None
        return None

    def _recorded_path(self, sighting: CheckpointFound, announcement: _Announcement | None) -> str:
        """Scripts may announce the directory that they save into: then that is the checkpoint."""
        folder = os.path.dirname(sighting.path)
        is_folder_announced = announcement is not None and sighting.path not in self._announced
        return folder if is_folder_announced and folder in self._announced else sighting.path

    def _remove(self, path: str) -> None:
        known = self._find(path)
        if known is not None:
            self._deleted_bytes += known.size_bytes or 0
        remaining = [without(other, path) for other in self._checkpoints() if other.path != path]
        self._recorder.change(checkpoints=tuple(remaining))

    def _forget_unwritten(self, path: str) -> None:
        known = self._find(path)
        if known is not None and not known.written:
            self._recorder.change(checkpoints=tuple(other for other in self._checkpoints() if other is not known))

    def _checkpoints(self) -> tuple[Checkpoint, ...]:
        return self._recorder.live.checkpoints

    def _find(self, path: str) -> Checkpoint | None:
        return next((checkpoint for checkpoint in self._checkpoints() if checkpoint.path == path), None)

    def _replaced(self, checkpoint: Checkpoint) -> tuple[Checkpoint, ...]:
        return tuple(checkpoint if other.path == checkpoint.path else other for other in self._checkpoints())

    def _pace(self) -> CheckpointPace:
        return self._recorder.live.pace or CheckpointPace()

    def _running_seconds(self) -> float:
        live = self._recorder.live
        return live.clock.at(time.monotonic(), paused=live.pause is not None).running_seconds

    def _report_new(self) -> None:
        """Reports the saves of a scan, each by the file to resume from."""
        new, self._new = self._new, {}
        for checkpoint in self._checkpoints():
            if checkpoint.path in new:
                step = "" if checkpoint.step is None else f" at step {checkpoint.step}"
                message = f"checkpoint{step}: {checkpoint.path}"
                self._recorder.record_event("checkpoint", message, path=checkpoint.path, step=checkpoint.step)


def _is_within_epoch(sighting: CheckpointFound, logged: int | None) -> bool:
    """Whether the step in a name such as epoch_3_step_9 counts within the epoch: the log is much further."""
    if sighting.epoch is None or sighting.step is None or logged is None:
        return False
    return logged > STEPS_OF_EPOCH_RATIO * sighting.step


def _is_same_save(known: Checkpoint, sighting: CheckpointFound) -> bool:
    """Whether the file on disk is the recorded save itself, and not a later one to the same path."""
    is_older = sighting.modified_at <= known.saved_at + SAME_SAVE_SECONDS
    return is_older and known.size_bytes in (None, sighting.size_bytes)
