"""The ladder by which a run is ended: stop signal, grace, TERM, 5 s, KILL; each recorded before it is taken.

A script that asks whether it should stop (`backprop_tui.report`) reads the record, and has the grace to save and end by
itself: no signal breaks into its save, nor into its data loaders and ranks. Where it does not, the signals follow.
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
TOLD, FIRST, TERM, KILL = 0, 1, 2, 3
PERSON = "person"


class StopSequence:
    """Ends one script; a new guardian goes on at the recorded step and never gives the first signal twice."""

    __slots__ = ("_listens", "_plan", "_recorder", "_tree")

    def __init__(
        self, plan: StopPlan, tree: Tree, recorder: Recorder, listens: Callable[[], bool] = lambda: False
    ) -> None:
        """`listens` says whether the script reads the record and will end without a signal."""
        self._listens = listens
        self._plan = plan
        self._tree = tree
        self._recorder = recorder

    @property
    def stopping(self) -> Stopping | None:
        """The recorded intent; None while nobody wants the script to end."""
        return self._recorder.live.stopping

    def begin(self, status: Status, *, by: str, reason: str, now: float, cause: str | None = None) -> None:
        """Records the intent, then gives the stop signal; asking again while stopping gives no other one."""
        if self.stopping is not None:
            self._insist(by)
            return
        stopping = Stopping(
            status=status,
            by=by,
            reason=reason,
            since=time.time(),
            stage=TOLD,
            deadline=now + self._plan.grace_seconds,
            cause=cause,
        )
        # On a full disk the record cannot be read, so that only a signal reaches the script.
        if self._listens() and self._recorder.commit(stopping=stopping, postponed=None):
            self._recorder.tell("stopping", f"{reason}: it is told to save and end", by=by)
        else:
            self._give_stop_signal(stopping)
        self.release_pause(now)

    def kill_now(self, *, by: str, reason: str, now: float, cause: str | None = None) -> None:
        """Straight to KILL; an intent that is recorded already keeps its status."""
        self._insist(by)
        old = self.stopping
        if old is not None and old.stage == KILL:
            return
        base = old or Stopping(
            status=Status.STOPPED, by=by, reason=reason, since=time.time(), stage=KILL, deadline=now, cause=cause
        )
        self._kill(base, now)

    def climb(self, now: float) -> None:
        """Takes the next step when its time has come; `now` is monotonic."""
        stopping = self.stopping
        if stopping is None or now < stopping.deadline:
            return
        if stopping.stage < FIRST:
            self._give_stop_signal(replace(stopping, deadline=now + TERM_SECONDS))
        elif stopping.stage < TERM:
            self._take(replace(stopping, stage=TERM, deadline=now + TERM_SECONDS), "SIGTERM")
            self._tree.signal_all(signal.SIGTERM)
            self._tree.thaw()
        else:
            self._kill(stopping, now)

    def _insist(self, by: str) -> None:
        """A person stops the run: what ends at its timebox already is not gone on with in another slice."""
        stopping = self.stopping
        if stopping is not None and by == PERSON and not stopping.is_final:
            self._recorder.commit(stopping=replace(stopping, is_final=True))

    def _give_stop_signal(self, stopping: Stopping) -> None:
        self._take(replace(stopping, stage=FIRST), self._plan.stop_signal)
        self._tree.signal_group(signal.Signals[self._plan.stop_signal])

    def _kill(self, stopping: Stopping, now: float) -> None:
        self._take(replace(stopping, stage=KILL, deadline=now + KILL_AGAIN_SECONDS), "SIGKILL")
        stuck = self._tree.kill()
        if stuck:
            problem = f"cannot be killed (in the kernel): pids {', '.join(map(str, stuck))}; their GPUs stay claimed"
            self._recorder.commit(problem=problem)

    def _take(self, stopping: Stopping, name: str) -> None:
        repeated = self.stopping is not None and self.stopping.stage == stopping.stage
        self._recorder.commit(stopping=stopping, postponed=None)
        if not repeated:
            self._recorder.tell("stopping", f"{stopping.reason}: {name}", by=stopping.by, signal=name)

    def release_pause(self, now: float) -> None:
        """A stopped process takes its signal only when it is continued."""
        live = self._recorder.live
        if live.pause is not None:
            self._tree.thaw()
            self._recorder.commit(pause=None, clock=live.clock.at(now, paused=True))
