"""The kinds of petition: stop, pause, continue, another timebox, other words about the run."""

from __future__ import annotations

import time

from backprop_tui.cli.guardians import awaken
from backprop_tui.cli.petition import Petition
from backprop_tui.domain.causes.ours import cause_of_stop
from backprop_tui.domain.edits import edited, with_timebox
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.live import Live
from backprop_tui.domain.requests import ContinueRequest, EditRequest, PauseRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import Ended, Run
from backprop_tui.domain.status import Status

PERSON = "person"  # a guard continues only its own pauses, a person any


class Stop(Petition[StopRequest]):
    """Granted when the run has ended."""

    def is_granted(self, run: Run, live: Live | None) -> bool:
        return False

    def on_queued(self, run: Run) -> Run:
        when = "before its next attempt" if run.attempts else "before it started"
        reason = f"{self.request.reason} {when}"
        cause = cause_of_stop(by=self.request.by, reason=reason, kind=self.request.cause)
        return run.to(Ended(at=time.time(), status=Status.STOPPED, reason=reason, cause=cause))


class Pause(Petition[PauseRequest]):
    """Granted when the pause is recorded and no guard will end it."""

    def is_granted(self, run: Run, live: Live | None) -> bool:
        if live is not None and live.stopping is not None:
            raise UsageError(f"run {run.id} is stopping; it cannot be paused")
        return live is not None and live.pause is not None and live.pause.by in (self.request.by, PERSON)

    def on_queued(self, run: Run) -> Run:
        raise UsageError(f"run {run.id} is queued; what waits cannot be paused: queue hold starts nothing new")

    def on_ended(self, run: Run) -> Run | None:
        raise UsageError(f"run {run.id} has ended ({run.status}); it cannot be paused")


class Continue(Petition[ContinueRequest]):
    """Granted when no pause is recorded."""

    def is_granted(self, run: Run, live: Live | None) -> bool:
        if live is not None:
            awaken(self.directory, live)
        return live is not None and live.pause is None

    def on_queued(self, run: Run) -> Run:
        raise UsageError(f"run {run.id} is queued, not paused; queue release lets the queue go on")

    def on_ended(self, run: Run) -> Run | None:
        raise UsageError(f"run {run.id} has ended ({run.status}); to go on with it: backprop-tui resume {run.id}")


class SetTimebox(Petition[TimeboxRequest]):
    """Granted when the record has the new timebox."""

    def is_granted(self, run: Run, live: Live | None) -> bool:
        return self.on_queued(run) == run

    def on_queued(self, run: Run) -> Run:
        return with_timebox(run, self.request)

    def on_ended(self, run: Run) -> Run | None:
        raise UsageError(
            f"--max-minutes: run {run.id} has ended ({run.status}); "
            f"to go on with another timebox: backprop-tui resume {run.id} -m MINUTES"
        )


class Edit(Petition[EditRequest]):
    """Granted when the record has what was given; an ended run can be edited too."""

    def is_granted(self, run: Run, live: Live | None) -> bool:
        return self.on_queued(run) == run

    def on_queued(self, run: Run) -> Run:
        return edited(run, self.request)

    def on_ended(self, run: Run) -> Run | None:
        changed = self.on_queued(run)
        return None if changed == run else changed
