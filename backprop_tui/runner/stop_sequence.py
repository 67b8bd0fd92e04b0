"""Ends a run: stop signal, grace, TERM, KILL; or after the checkpoint that is due."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from backprop_tui.domain.checkpoint_pace import CheckpointPace, checkpoint_wait_seconds
from backprop_tui.domain.formatting import duration
from backprop_tui.domain.live import PostponedStop, Stopping
from backprop_tui.domain.requests import PERSON
from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import Identity, is_alive
from backprop_tui.runner.late_starts import LateStarts, boot_seconds
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.tree import Tree
from backprop_tui.store.tail import open_log

LISTENERS_BYTES = 64 * 1024  # the newest lines of the file of listeners count
TERM_SECONDS = 5.0
KILL_AGAIN_SECONDS = 1.0
NOTIFIED, SIGNALLED, TERM, KILL = 0, 1, 2, 3  # stages of the stop sequence
UNTIL = "until"
SAME_SAVE_SECONDS = 0.01  # records keep milliseconds
_PRECEDENCE = {PERSON: 2, UNTIL: 1}  # whose reason is recorded if several stop the run


def has_live_listener(path: str) -> bool:
    """Whether a process listed in the file is alive; False if the file is missing or invalid."""
    try:
        with open_log(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LISTENERS_BYTES))
            lines = (file.read(LISTENERS_BYTES) or b"").splitlines()
    except OSError:
        return False
    return any(map(is_alive, {identity for line in lines if (identity := _parse_listener(line)) is not None}))


def _parse_listener(line: bytes) -> Identity | None:
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 20 for field in fields):
        return None
    return Identity(int(fields[0]), int(fields[1]))


class StopSequence:
    """Stops one script. A new guardian continues at the recorded stage and never repeats the stop signal."""

    def __init__(
        self, plan: StopPlan, tree: Tree, recorder: Recorder, listens: Callable[[], bool] = lambda: False
    ) -> None:
        """`listens`: whether the script reads the record and will exit without a signal."""
        self._listens = listens
        self._plan = plan
        self._tree = tree
        self._recorder = recorder
        self.late_starts = LateStarts(tree, recorder)

    @property
    def stopping(self) -> Stopping | None:
        """The recorded intent; None while the script is not being stopped."""
        return self._recorder.live.stopping

    def begin(self, status: Status, *, by: str, reason: str, now: float, cause: str | None = None) -> None:
        """Records the intent, then sends the stop signal. Has no effect on a script that is already being stopped."""
        if self.stopping is not None:
            self._mark_final(by)
            return
        stopping = Stopping(
            status=status,
            by=by,
            reason=reason,
            since=time.time(),
            stage=NOTIFIED,
            deadline=now + self._plan.grace_seconds,
            cause=cause,
            signalled_at=boot_seconds(),
            programs=self.late_starts.programs(),
        )
        # If the disk is full the script cannot read the record, so only a signal reaches it.
        if self._listens() and self._recorder.commit(stopping=stopping, postponed=None):
            self._recorder.record_event("stopping", f"{reason}: the script was asked to save and exit", by=by)
        else:
            self._send_stop_signal(stopping)
        self.release_pause(now)

    def kill_now(self, *, by: str, reason: str, now: float, cause: str | None = None) -> None:
        """Goes straight to KILL; an intent that is already recorded keeps its status."""
        self._mark_final(by)
        recorded = self.stopping
        if recorded is not None and recorded.stage == KILL:
            return
        stopping = recorded or Stopping(
            status=Status.STOPPED, by=by, reason=reason, since=time.time(), stage=KILL, deadline=now, cause=cause
        )
        self._kill(stopping, now)

    def advance(self, now: float) -> None:
        """Goes on to the next stage when it is due; `now` is monotonic."""
        stopping = self.stopping
        if stopping is None:
            return
        if stopping.stage == SIGNALLED:
            self._tree.signal_readers(signal.Signals[self._plan.stop_signal])
        if stopping.stage < KILL:
            self.late_starts.check(stopping)
        if now < stopping.deadline:
            return
        if stopping.stage < SIGNALLED:
            self._send_stop_signal(replace(stopping, deadline=now + TERM_SECONDS))
        elif stopping.stage < TERM:
            self._record_stage(replace(stopping, stage=TERM, deadline=now + TERM_SECONDS), "SIGTERM")
            self._tree.terminate()
            self._tree.thaw()
        else:
            self._kill(stopping, now)

    def _mark_final(self, by: str) -> None:
        """When a person stops a run that is already ending at its timebox, it is not continued in another slice."""
        stopping = self.stopping
        if stopping is not None and by == PERSON and not stopping.is_final:
            self._recorder.commit(stopping=replace(stopping, is_final=True))

    def _send_stop_signal(self, stopping: Stopping) -> None:
        self._record_stage(replace(stopping, stage=SIGNALLED), self._plan.stop_signal)
        self._tree.signal_group(signal.Signals[self._plan.stop_signal])

    def _kill(self, stopping: Stopping, now: float) -> None:
        self._record_stage(replace(stopping, stage=KILL, deadline=now + KILL_AGAIN_SECONDS), "SIGKILL")
        stuck = self._tree.kill()
        if stuck:
            pids = ", ".join(map(str, stuck))
            problem = f"processes stuck in the kernel cannot be killed: pids {pids}; their GPUs stay claimed"
            self._recorder.commit(problem=problem)

    def _record_stage(self, stopping: Stopping, signal_name: str) -> None:
        is_repeated = self.stopping is not None and self.stopping.stage == stopping.stage
        self._recorder.commit(stopping=stopping, postponed=None)
        if not is_repeated:
            message = f"{stopping.reason}: {signal_name}"
            self._recorder.record_event("stopping", message, by=stopping.by, signal=signal_name)

    def release_pause(self, now: float) -> None:
        """Continues a paused script, because a stopped process handles its signals only then."""
        live = self._recorder.live
        if live.pause is not None:
            self._tree.thaw()
            self._recorder.commit(pause=None, clock=live.clock.at(now, paused=True))


class CheckpointWait:
    """Waits for a checkpoint that is due before it begins the stop sequence."""

    def __init__(
        self,
        recorder: Recorder,
        stop_sequence: StopSequence,
        *,
        grace_seconds: float,
        is_saving: Callable[[], bool] = lambda: False,
        listens: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_saving`: a checkpoint is being written. `listens`: the script saves on its own when asked to stop."""
        self._recorder = recorder
        self._stop_sequence = stop_sequence
        self._grace_seconds = grace_seconds
        self._is_saving = is_saving
        self._listens = listens
        self._waits_for_writing = False  # only for the save that was being written when the stop came

    def stop(self, status: Status, *, by: str, reason: str, now: float, after_checkpoint: bool = False) -> None:
        """Stops the run, at once if no checkpoint is due soon. Further calls never extend the wait.

        With `after_checkpoint` it waits for the next checkpoint whenever that comes, up to a limit. `now` is monotonic.
        """
        live = self._recorder.live
        if live.postponed is not None and live.stopping is None:
            self._revise(live.postponed, status, by=by, reason=reason, now=now, after_checkpoint=after_checkpoint)
            return
        self._waits_for_writing = self._is_saving() and not after_checkpoint
        seconds = 0.0 if live.stopping is not None else self._wait_seconds(now, after_checkpoint=after_checkpoint)
        if seconds <= 0:
            self._stop_sequence.begin(status, by=by, reason=reason, now=now)
            return
        postponed = PostponedStop(status=status, by=by, reason=reason, since=self._since(), deadline=now + seconds)
        self._recorder.commit(postponed=postponed)
        message = f"postponed until the next checkpoint ({duration(seconds)} at most): {reason}"
        self._recorder.record_event("postponed", message, by=by)

    def check(self, now: float) -> None:
        """Begins the stop sequence once the checkpoint is saved, is no longer being written, or the time is up."""
        postponed = self._recorder.live.postponed
        if postponed is None or self._recorder.live.stopping is not None:
            return
        is_dropped = self._waits_for_writing and not self._is_saving()  # it was no checkpoint, or was deleted
        if is_dropped or now >= postponed.deadline or self._has_saved_since(postponed.since):
            self._stop_sequence.begin(postponed.status, by=postponed.by, reason=postponed.reason, now=now)

    def _revise(
        self, postponed: PostponedStop, status: Status, *, by: str, reason: str, now: float, after_checkpoint: bool
    ) -> None:
        """Applies a further stop: a person takes precedence, then a goal. Without `after_checkpoint` it waits less."""
        revised = postponed
        if _PRECEDENCE.get(by, 0) > _PRECEDENCE.get(postponed.by, 0):
            revised = replace(revised, status=status, by=by, reason=reason)
        if not after_checkpoint:
            revised = replace(revised, deadline=min(postponed.deadline, now + self._grace_seconds))
        if revised != postponed:
            self._recorder.commit(postponed=revised)

    def _wait_seconds(self, now: float, *, after_checkpoint: bool) -> float:
        live = self._recorder.live
        if live.pause is not None:
            return 0.0  # a paused run saves nothing
        if not after_checkpoint and self._listens():
            return 0.0
        return checkpoint_wait_seconds(
            live.pace or CheckpointPace(),
            live.clock.at(now, paused=False).running_seconds,
            grace_seconds=self._grace_seconds,
            is_saving=self._is_saving(),
            asked=after_checkpoint,
        )

    def _since(self) -> float:
        """The time after which a save counts; one that is being written may be complete before this is recorded."""
        if not self._is_saving():
            return time.time()
        saved_at = (checkpoint.saved_at for checkpoint in self._recorder.live.checkpoints)
        return max(saved_at, default=0.0) + SAME_SAVE_SECONDS

    def _has_saved_since(self, since: float) -> bool:
        checkpoints = self._recorder.live.checkpoints
        return any(checkpoint.sound and checkpoint.saved_at >= since for checkpoint in checkpoints)
