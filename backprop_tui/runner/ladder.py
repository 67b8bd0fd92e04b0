"""The sequence that stops a run: stop signal, grace, TERM, 5 s, KILL; each stage is recorded before it is carried out.

A script that uses `backprop_tui.report` asks whether it should stop by reading the record. It gets the grace to save
and exit on its own, so no signal interrupts its save, its data loaders or its ranks. If it does not exit, the signals
follow.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace

from backprop_tui.domain.live import Stopping
from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.tree import Tree

TERM_SECONDS = 5.0
KILL_AGAIN_SECONDS = 1.0
NOTIFIED, SIGNALLED, TERM, KILL = 0, 1, 2, 3  # stages
PERSON = "person"


class StopSequence:
    """Stops one script. A new guardian continues at the recorded stage and never repeats the stop signal."""

    __slots__ = ("_listens", "_plan", "_recorder", "_tree")

    def __init__(
        self, plan: StopPlan, tree: Tree, recorder: Recorder, listens: Callable[[], bool] = lambda: False
    ) -> None:
        """`listens` tells whether the script reads the record and will exit without a signal."""
        self._listens = listens
        self._plan = plan
        self._tree = tree
        self._recorder = recorder

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
        if stopping is None or now < stopping.deadline:
            return
        if stopping.stage < SIGNALLED:
            self._send_stop_signal(replace(stopping, deadline=now + TERM_SECONDS))
        elif stopping.stage < TERM:
            self._record_stage(replace(stopping, stage=TERM, deadline=now + TERM_SECONDS), "SIGTERM")
            self._tree.signal_all(signal.SIGTERM)
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
            problem = f"cannot be killed (in the kernel): pids {', '.join(map(str, stuck))}; their GPUs stay claimed"
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
