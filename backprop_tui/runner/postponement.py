"""Ends a run once the checkpoint that is due is saved: recorded first, so that a new guardian waits on."""

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
from backprop_tui.runner.ladder import PERSON, Ladder
from backprop_tui.runner.recorder import Recorder

UNTIL = "until"
_WEIGHT = {PERSON: 2, UNTIL: 1}  # whose reason stands where several want the end


class Postponement:
    """Between the wish to end a run and the first signal."""

    __slots__ = ("_grace_seconds", "_is_saving", "_ladder", "_listens", "_recorder")

    def __init__(
        self,
        recorder: Recorder,
        ladder: Ladder,
        *,
        grace_seconds: float,
        is_saving: Callable[[], bool] = lambda: False,
        listens: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_saving`: a checkpoint is being written. `listens`: the script saves by itself when it is told to stop."""
        self._recorder = recorder
        self._ladder = ladder
        self._grace_seconds = grace_seconds
        self._is_saving = is_saving
        self._listens = listens

    def end(self, status: Status, *, by: str, reason: str, now: float, after_checkpoint: bool = False) -> None:
        """Ends the run, at once where no checkpoint is near; asking again never makes it wait longer.

        `after_checkpoint` waits for the next one whenever it comes, up to a bound. `now` is monotonic.
        """
        live = self._recorder.live
        if live.postponed is not None and live.stopping is None:
            self._hasten(live.postponed, status, by=by, reason=reason, now=now, after_checkpoint=after_checkpoint)
            return
        seconds = 0.0 if live.stopping is not None else self._patience(now, asked=after_checkpoint)
        if seconds <= 0:
            self._ladder.begin(status, by=by, reason=reason, now=now)
            return
        postponed = Postponed(status=status, by=by, reason=reason, since=self._since(), deadline=now + seconds)
        self._recorder.commit(postponed=postponed)
        words = f"{reason}: after its next checkpoint, in {duration(seconds)} at the latest"
        self._recorder.tell("postponed", words, by=by)

    def keep(self, now: float) -> None:
        """Gives the first signal when the checkpoint is saved, or the time is over."""
        postponed = self._recorder.live.postponed
        if postponed is None or self._recorder.live.stopping is not None:
            return
        if now >= postponed.deadline or self._has_saved_since(postponed.since):
            self._ladder.begin(postponed.status, by=postponed.by, reason=postponed.reason, now=now)

    def _hasten(
        self, postponed: Postponed, status: Status, *, by: str, reason: str, now: float, after_checkpoint: bool
    ) -> None:
        """A person overrules the others, a goal that is reached a timebox; not to ask for the wait cuts it short."""
        hastened = postponed
        if _WEIGHT.get(by, 0) > _WEIGHT.get(postponed.by, 0):
            hastened = replace(hastened, status=status, by=by, reason=reason)
        if not after_checkpoint:
            hastened = replace(hastened, deadline=min(postponed.deadline, now + self._grace_seconds))
        if hastened != postponed:
            self._recorder.commit(postponed=hastened)

    def _patience(self, now: float, *, asked: bool) -> float:
        live = self._recorder.live
        if live.pause is not None:
            return 0.0  # what stands still saves nothing
        if not asked and self._listens():
            return 0.0
        at = live.clock.at(now, paused=False).running_seconds
        grace, is_saving = self._grace_seconds, self._is_saving()
        return patience_seconds(live.pace or SavePace(), at, grace_seconds=grace, is_saving=is_saving, asked=asked)

    def _since(self) -> float:
        """One that is being written now may get its last byte before this is recorded: any that is not known counts."""
        if not self._is_saving():
            return time.time()
        return max((one.saved_at for one in self._recorder.live.checkpoints), default=0.0) + SAME_SAVE_SECONDS

    def _has_saved_since(self, since: float) -> bool:
        return any(one.sound and one.saved_at >= since for one in self._recorder.live.checkpoints)
