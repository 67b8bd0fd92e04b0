"""Something asked of a run: a run that waits is edited, and of one that runs its guardian is asked.

Whoever gets the run's lock may write its record. A busy lock means that somebody guards the run: then a request is
appended, and is granted when its effect is recorded.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Generic, TypeVar

from backprop_tui.cli import diagnostics
from backprop_tui.cli.guardians import terminate
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import StorageFailed, UnknownRun
from backprop_tui.domain.live import Live
from backprop_tui.domain.requests import Request, StopRequest
from backprop_tui.domain.run import Ended, Queued, Run
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.values import dataclass
from backprop_tui.store.creation import mark
from backprop_tui.store.run_directory import RunDirectory

ASK_AGAIN_SECONDS = 5.0
ENSURE_SECONDS = 2.0
SLOW_SECONDS = 10.0
PASS_SECONDS = 1.0  # so long a supervisor may look at a queued run before it is asked instead of edited

RequestT = TypeVar("RequestT", bound=Request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The run once what was asked is done; `had_ended` where there was nothing left to do."""

    run: Run
    had_ended: bool = False


class Petition(ABC, Generic[RequestT]):
    """Something asked of one run; `look` until there is an answer."""

    def __init__(self, session: Session, run_id: str, request: RequestT) -> None:
        self._session = session
        self._run_id = run_id
        self.request = request
        self.directory = RunDirectory(session.home.run_folder(run_id))
        self._began = self._call_at = time.monotonic()
        self._asked_at: float | None = None
        self._told = False

    def look(self) -> Answer | None:
        """One step: whether it is granted, and if not, asks by the way that is open.

        Raises:
            UsageError: it cannot be asked of a run in that status, or the run was removed.
            StorageFailed: it could not be written down.
        """
        now = time.monotonic()
        run, live = self._read()
        if run.status in ENDED:
            return self._of_ended(run)
        if run.status is not Status.QUEUED and self.is_granted(run, live):
            return Answer(run=run)
        lock = self.directory.try_lock()
        if lock is not None:
            with lock:
                run = self.directory.read()
                if isinstance(run.state, Queued):
                    return self._edit(run)
            self._call(now)  # ended meanwhile, or without a guardian: a supervisor finds it and gives it one
        elif run.status is not Status.QUEUED or now - self._began > PASS_SECONDS:
            self._ask(run, live, now)
        self._be_patient(run, live, now)
        return None

    @abstractmethod
    def is_granted(self, run: Run, live: Live | None) -> bool:
        """Whether the effect is recorded; asked of active runs alone."""

    @abstractmethod
    def on_queued(self, run: Run) -> Run:
        """The queued run with it done.

        Raises:
            UsageError: it makes no sense for a run that waits.
        """

    def on_ended(self, run: Run) -> Run | None:
        """The ended run with it done; None where there is nothing to do.

        Raises:
            UsageError: it makes no sense for a run that has ended.
        """
        return None

    def _read(self) -> tuple[Run, Live | None]:
        if not os.path.exists(self.directory.path):
            raise UnknownRun(f"run {self._run_id} has no directory any more: it was removed, or never ours")
        run = self.directory.read()
        live = self.directory.read_live() if run.attempts else None
        return run, live if live is not None and live.attempt == run.attempt.number else None

    def _of_ended(self, run: Run) -> Answer | None:
        if self.on_ended(run) is None:
            return Answer(run=run, had_ended=self._asked_at is None)
        lock = self.directory.try_lock()
        if lock is None:
            return None  # its guardian is on its way out, or a supervisor indexes it
        with lock:
            run = self.directory.read()
            changed = self.on_ended(run) if isinstance(run.state, Ended) else None
            if changed is None:
                return None
            mark(self._session.home, run.id)  # so that it is indexed anew
            self.directory.write(changed, durable=True)
        self._session.supervisor.call()
        return Answer(run=changed, had_ended=True)

    def _edit(self, run: Run) -> Answer:
        """Under the run's lock. Durable where it ends the run, like every end."""
        changed = self.on_queued(run)
        if isinstance(changed.state, Ended):
            # What was asked before and never read must not be obeyed by a later attempt.
            changed = replace(changed, requests_offset=self.directory.requests_after(run.requests_offset)[1])
        self.directory.write(changed, durable=isinstance(changed.state, Ended))
        if isinstance(changed.state, Ended):
            self.directory.append_event(
                "ended", changed.state.reason or "", time=changed.state.at, status=changed.state.status
            )
            self.directory.delete_environment()
        self._session.supervisor.call()
        return Answer(run=changed)

    def _ask(self, run: Run, live: Live | None, now: float) -> None:
        if self._asked_at is not None and now - self._asked_at < ASK_AGAIN_SECONDS:
            return
        self._asked_at = now
        try:
            self.directory.append_request(self.request)
        except StorageFailed:
            if not (isinstance(self.request, StopRequest) and live is not None and terminate(self.directory, live)):
                raise

    def _call(self, now: float) -> None:
        if now >= self._call_at:
            self._call_at = now + ENSURE_SECONDS
            self._session.supervisor.call()

    def _be_patient(self, run: Run, live: Live | None, now: float) -> None:
        if now >= self._call_at:
            self._call_at = now + ENSURE_SECONDS
            self._session.supervisor.ensure()
        if not self._told and now - self._began > SLOW_SECONDS:
            self._told = True
            where = "" if run.host == self._session.home.host else f" on {run.host}"
            why = None if live is None else _why_it_takes_time(live)
            diagnostics.say(f"still waiting for run {run.id}{where}" + (f": {why}" if why else ""))


def _why_it_takes_time(live: Live) -> str | None:
    if live.problem is None and live.postponed is not None:
        return "it trains on until its next checkpoint is saved; stop --now does not wait"
    return live.problem
