"""Stops a run only after the checkpoint that is due is saved; recorded first, so a new guardian keeps waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from backprop_tui.domain.formatting import duration
from backprop_tui.domain.live import Postponed
from backprop_tui.domain.patience import patience_seconds
from backprop_tui.domain.save_pace import SavePace
from backprop_tui.domain.status import Status
from backprop_tui.runner.checkpoint_book import SAME_SAVE_SECONDS
from backprop_tui.runner.ladder import PERSON, StopSequence
from backprop_tui.runner.recorder import Recorder

UNTIL = "until"
_PRECEDENCE = {PERSON: 2, UNTIL: 1}  # whose reason is recorded where several stop the run


class DeferredStop:
    """The wait between the decision to stop a run and the start of its stop sequence."""

    __slots__ = ("_grace_seconds", "_is_saving", "_listens", "_recorder", "_stop_sequence")

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

    def stop(self, status: Status, *, by: str, reason: str, now: float, after_checkpoint: bool = False) -> None:
        """Stops the run, at once if no checkpoint is due soon. Further calls never extend the wait.

        With `after_checkpoint` it waits for the next checkpoint whenever that comes, up to a limit. `now` is monotonic.
        """
        live = self._recorder.live
        if live.postponed is not None and live.stopping is None:
            self._revise(live.postponed, status, by=by, reason=reason, now=now, after_checkpoint=after_checkpoint)
            return
        seconds = 0.0 if live.stopping is not None else self._wait_seconds(now, after_checkpoint=after_checkpoint)
        if seconds <= 0:
            self._stop_sequence.begin(status, by=by, reason=reason, now=now)
            return
        postponed = Postponed(status=status, by=by, reason=reason, since=self._since(), deadline=now + seconds)
        self._recorder.commit(postponed=postponed)
        message = f"{reason}: after its next checkpoint, in {duration(seconds)} at the latest"
        self._recorder.record_event("postponed", message, by=by)

    def check(self, now: float) -> None:
        """Begins the stop sequence once the checkpoint is saved or the time is up."""
        postponed = self._recorder.live.postponed
        if postponed is None or self._recorder.live.stopping is not None:
            return
        if now >= postponed.deadline or self._has_saved_since(postponed.since):
            self._stop_sequence.begin(postponed.status, by=postponed.by, reason=postponed.reason, now=now)

    def _revise(
        self, postponed: Postponed, status: Status, *, by: str, reason: str, now: float, after_checkpoint: bool
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
        pace, running_seconds = live.pace or SavePace(), live.clock.at(now, paused=False).running_seconds
        grace, saving = self._grace_seconds, self._is_saving()
        return patience_seconds(pace, running_seconds, grace_seconds=grace, is_saving=saving, asked=after_checkpoint)

    def _since(self) -> float:
        """The time after which a save counts; one that is being written may be complete before this is recorded."""
        if not self._is_saving():
            return time.time()
        saved_at = (checkpoint.saved_at for checkpoint in self._recorder.live.checkpoints)
        return max(saved_at, default=0.0) + SAME_SAVE_SECONDS

    def _has_saved_since(self, since: float) -> bool:
        checkpoints = self._recorder.live.checkpoints
        return any(checkpoint.sound and checkpoint.saved_at >= since for checkpoint in checkpoints)
