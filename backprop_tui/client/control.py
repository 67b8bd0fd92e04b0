"""Requests to runs: stop, pause, continue, another timebox, edits; each waits until its effect is recorded.

The holder of a run's lock may write its record. If the lock is free and the run is queued, the request edits the
record itself. A busy lock means that a guardian looks after the run: then the request is appended to the run's
requests, and is done when its effect is recorded. So it is where another machine may write the record at that moment.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from backprop_tui.client.runs import all_records, host_hint, status_of, terminate, wake_guardian, whereabouts
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.causes.cause import cause_of_stop
from backprop_tui.domain.errors import BackpropError, StateUnavailable, StorageFailed, UnknownRun, UsageError
from backprop_tui.domain.formatting import duration, iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.domain.requests import (
    PERSON,
    STOPPED_BY_YOU,
    ContinueRequest,
    EditRequest,
    PauseRequest,
    Request,
    StopRequest,
    TimeboxRequest,
)
from backprop_tui.domain.run import Ended, Queued, Run
from backprop_tui.domain.run_changes import apply_edit, with_timebox
from backprop_tui.domain.slurm import SlurmJob, SlurmOptions, given_options
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.thresholds import Thresholds, after_start, as_options
from backprop_tui.store.creation import mark
from backprop_tui.store.hosts import belongs_here, may_write_here
from backprop_tui.store.locks import wait_for_lock
from backprop_tui.store.run_directory import RunDirectory

POLL_SECONDS = 0.02
ASK_AGAIN_SECONDS = 5.0
ENSURE_SECONDS = 2.0
SLOW_SECONDS = 10.0
LOCK_SECONDS = 5.0  # shorter than a supervisor waits before it ends a run whose claim a dead process holds
ANSWER_SECONDS = 3.0  # a guardian answers within half a second, a network file system shows it within seconds
PASS_SECONDS = 1.0  # how long a supervisor may hold the lock of a queued run before a request is appended instead

RequestT = TypeVar("RequestT", bound=Request)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ControlOutcome:
    """The run once the request is done; `had_ended` if there was nothing left to do."""

    run: Run
    had_ended: bool = False


@lazy_dataclass(frozen=True, slots=True)
class Refusal:
    run_id: str
    error: UsageError


class ControlRequest(ABC, Generic[RequestT]):
    """A request to a run; call `poll` until it returns an outcome."""

    def __init__(self, session: ClientSession, run_id: str, request: RequestT) -> None:
        session.home.require_own()
        self._session = session
        self.run_id = run_id
        self.request = request
        self.directory = RunDirectory(session.home.run_folder(run_id))
        self._began = self._call_at = time.monotonic()
        self._asked_at: float | None = None
        self._live_when_asked: Live | None = None
        self._warned = False

    @property
    def is_recorded(self) -> bool:
        """Whether it was appended to the run's requests: from then on it is carried out even if this process ends."""
        return self._asked_at is not None

    def poll(self) -> ControlOutcome | None:
        """Takes one step: checks whether the request is done, and if not, makes it by edit or by appended request."""
        now = time.monotonic()
        run, live = self._read()
        if run.status in ENDED:
            return self._apply_to_ended(run)
        if run.status is not Status.QUEUED and self.is_done(run, live):
            return ControlOutcome(run=run)
        if run.submitted_job is not None:
            return self._apply_to_submitted(run, run.submitted_job, now)
        if not may_write_here(self._session.home, run):
            return self._ask_writer(run, live, now)
        lock = self.directory.try_lock()
        if lock is not None:
            with lock:
                run = self.directory.read()
                if isinstance(run.state, Queued) and may_write_here(self._session.home, run):
                    return self._apply_to_queued(run)
        if not belongs_here(self._session.home, run):
            self._ask_elsewhere(run, live, now)
        elif lock is not None:
            self._call_supervisor(now)  # it has ended meanwhile, or has no guardian and needs one
        elif run.status is not Status.QUEUED or now - self._began > PASS_SECONDS:
            self._append(live, now)
        self._keep_waiting(run, live, now)
        return None

    def is_done(self, run: Run, live: Live | None) -> bool:
        """Whether the effect is recorded; only called for active runs. Here: the record has the change already."""
        return self.on_queued(run) == run

    def _ask_writer(self, run: Run, live: Live | None, now: float) -> ControlOutcome | None:
        """Makes the request of a Slurm run whose record another process may write, whatever its lock says here."""
        if run.status is Status.QUEUED and self.on_queued(run) == run:
            return ControlOutcome(run=run)
        self._append(live, now)
        if run.status is Status.QUEUED and belongs_here(self._session.home, run):
            self._call_supervisor(now)
        self._keep_waiting(run, live, now)
        return None

    def _apply_to_submitted(self, run: Run, job: SlurmJob, now: float) -> ControlOutcome | None:
        """Makes the request of a run that waits in Slurm's queue: its job reads it when it starts."""
        changed = self.on_queued(run)
        if not isinstance(changed.state, Ended):
            if changed != run:
                self._append(None, now)
            return ControlOutcome(run=changed)
        holder = {"by": "client", "host": self._session.home.host, "time": iso(time.time())}
        if self.directory.claim(job.number, holder):
            lock = wait_for_lock(self.directory.lock_path, seconds=LOCK_SECONDS)
            if lock is None:
                raise StateUnavailable(f"{self.directory.lock_path}: held by another process", "try again")
            with lock:
                self._cancel_job(job)
                return self._apply_to_queued(run)
        self._append(None, now)  # its job has just begun it, or a supervisor ends it
        self._keep_waiting(run, None, now)
        return None

    def _cancel_job(self, job: SlurmJob) -> None:
        """Removes the job from Slurm's queue. If that fails it starts nothing: the run has ended."""
        from backprop_tui.launchers.slurm import slurm_of  # only needed here

        try:
            slurm_of(self.directory).cancel(self.run_id, job)
        except BackpropError as error:
            self._session.warn(f"Slurm job {job.id} could not be cancelled ({error}); it will start nothing")

    @abstractmethod
    def on_queued(self, run: Run) -> Run:
        """The queued run with the change made; UsageError if the request does not apply to queued runs."""

    def on_ended(self, run: Run) -> Run | None:
        """The ended run with the change made; None if there is nothing to do."""
        return None

    def _read(self) -> tuple[Run, Live | None]:
        if not os.path.exists(self.directory.path):
            raise UnknownRun(f"run {self.run_id} has no directory: it was removed, or the original tool recorded it")
        run = self.directory.read()
        live = self.directory.read_live() if run.attempts else None
        return run, live if live is not None and live.attempt == run.attempt.number else None

    def _apply_to_ended(self, run: Run) -> ControlOutcome | None:
        if self.on_ended(run) is None:
            return ControlOutcome(run=run, had_ended=self._asked_at is None)
        lock = self.directory.try_lock()
        if lock is None:
            return None  # its guardian is just exiting, or a supervisor is adding it to the index
        with lock:
            run = self.directory.read()
            changed = self.on_ended(run) if isinstance(run.state, Ended) else None
            if changed is None:
                return None
            mark(self._session.home, run.id)  # so that the index is updated
            self.directory.write(changed, durable=True)
        self._session.wake_supervisor()
        return ControlOutcome(run=changed, had_ended=True)

    def _apply_to_queued(self, run: Run) -> ControlOutcome:
        """Called under the run's lock. The write is durable if it ends the run, as for every end."""
        changed = self.on_queued(run)
        if isinstance(changed.state, Ended):
            # Requests that were never read must not be carried out by a later attempt.
            changed = replace(changed, requests_offset=self.directory.requests_after(changed.requests_offset)[1])
        self.directory.write(changed, durable=isinstance(changed.state, Ended))
        if isinstance(self.request, EditRequest) and changed != run:
            self.directory.append_event("edited", str(self.request), time=time.time())
        if isinstance(changed.state, Ended):
            self.directory.append_event(
                "ended", changed.state.reason or "", time=changed.state.at, status=changed.state.status
            )
            self.directory.delete_environment(changed)
        self._session.wake_supervisor()
        return ControlOutcome(run=changed)

    def _append(self, live: Live | None, now: float) -> None:
        if self._asked_at is not None and now - self._asked_at < ASK_AGAIN_SECONDS:
            return
        self._asked_at = now
        try:
            self.directory.append_request(self.request)
        except StorageFailed:
            if not (isinstance(self.request, StopRequest) and live is not None and terminate(self.directory, live)):
                raise

    def _ask_elsewhere(self, run: Run, live: Live | None, now: float) -> None:
        """Makes the request of a run of another host; UsageError if nothing there answers."""
        if self._asked_at is None:
            self._live_when_asked = live
        self._append(live, now)
        if live == self._live_when_asked and now - self._began > ANSWER_SECONDS:
            raise UsageError(
                f"run {run.id} is {whereabouts(self._session.home, run)}, and nothing there answers. The request is "
                "recorded: its guardian follows it if that host still runs",
                host_hint(run),
            )

    def _call_supervisor(self, now: float) -> None:
        if now >= self._call_at:
            self._call_at = now + ENSURE_SECONDS
            self._session.wake_supervisor()

    def _keep_waiting(self, run: Run, live: Live | None, now: float) -> None:
        if now >= self._call_at:
            self._call_at = now + ENSURE_SECONDS
            self._session.keep_supervisor([run])
        if not self._warned and now - self._began > SLOW_SECONDS:
            self._warned = True
            where = "" if run.current_host == self._session.home.host else f" {whereabouts(self._session.home, run)}"
            reason = None if live is None else live.problem
            if live is not None and reason is None and live.postponed is not None:
                reason = "it continues until its next checkpoint is saved; stop --now does not wait for that"
            if reason is None and run.job is not None:
                from backprop_tui.client.slurm_jobs import suspension  # only needed here

                reason = suspension(run, self.directory)
            self._session.warn(f"still waiting for run {run.id}{where}" + (f": {reason}" if reason else ""))


class StopControl(ControlRequest[StopRequest]):
    def is_done(self, run: Run, live: Live | None) -> bool:
        return False

    def on_queued(self, run: Run) -> Run:
        when = "before its next attempt" if run.attempts else "before it started"
        reason = f"{self.request.reason} {when}"
        cause = cause_of_stop(by=self.request.by, reason=reason, kind=self.request.cause)
        return run.to(Ended(at=time.time(), status=Status.STOPPED, reason=reason, cause=cause))


class PauseControl(ControlRequest[PauseRequest]):
    """Done when a pause is recorded that no guard will end."""

    def is_done(self, run: Run, live: Live | None) -> bool:
        if live is not None and live.stopping is not None:
            raise UsageError(
                f"run {run.id} is stopping and cannot be paused", f"wait for its end: backprop-tui wait {run.id}"
            )
        return live is not None and live.pause is not None and live.pause.by in (self.request.by, PERSON)

    def on_queued(self, run: Run) -> Run:
        hint = "to start nothing new: backprop-tui queue hold"
        if run.submitted_job is not None and run.submitted_job.id is not None:
            hint = f"to keep its job from starting: scontrol hold {run.submitted_job.id}"
        raise UsageError(f"run {run.id} is waiting; only running runs can be paused", hint)

    def on_ended(self, run: Run) -> Run | None:
        raise UsageError(
            f"run {run.id} has ended ({run.status}) and cannot be paused",
            f"to start it again: backprop-tui resume {run.id}",
        )


class ContinueControl(ControlRequest[ContinueRequest]):
    """Done when no pause is recorded."""

    def is_done(self, run: Run, live: Live | None) -> bool:
        if live is not None:
            wake_guardian(self.directory, live)
        return live is not None and live.pause is None

    def on_queued(self, run: Run) -> Run:
        raise UsageError(f"run {run.id} is waiting, not paused", "if the queue is held: backprop-tui queue release")

    def on_ended(self, run: Run) -> Run | None:
        raise UsageError(f"run {run.id} has ended ({run.status})", f"to start it again: backprop-tui resume {run.id}")


class TimeboxControl(ControlRequest[TimeboxRequest]):
    """The job of a Slurm run is given the time limit first: if Slurm refuses it, nothing changes."""

    _is_followed = False

    def poll(self) -> ControlOutcome | None:
        if not self._is_followed:
            run, _ = self._read()
            if run.job is not None:
                from backprop_tui.client.slurm_jobs import follow_timebox  # only needed here

                follow_timebox(run, self.request.max_run_seconds, self.directory)
            self._is_followed = True
        return super().poll()

    def on_queued(self, run: Run) -> Run:
        return with_timebox(run, self.request)

    def on_ended(self, run: Run) -> Run | None:
        raise UsageError(
            f"--max-minutes: run {run.id} has ended ({run.status})",
            f"to start it again with another timebox: backprop-tui resume {run.id} -m MINUTES",
        )


class EditControl(ControlRequest[EditRequest]):
    """Done when the record has the given values; ended runs can be edited too, but for what matters before a start."""

    _is_checked = False
    _refusal: UsageError | None = None

    def poll(self) -> ControlOutcome | None:
        if self.request.slurm is not None and not self._is_checked:
            self._give_to_slurm(self.request.slurm)
            self._is_checked = True
        outcome = super().poll()
        if outcome is not None and self._refusal is not None:
            raise self._refusal
        return outcome

    def _give_to_slurm(self, options: SlurmOptions) -> None:
        """Gives options to the run's job. If Slurm refuses some of them, only what the job has is recorded."""
        from backprop_tui.client.slurm_jobs import (
            OptionsRefused,
            change_options,
            refusal_of_options,
        )  # only needed here

        run, _ = self._read()
        refusal = refusal_of_options(options, run)
        if refusal is not None:
            raise refusal
        try:
            change_options(run, options, self.directory)
        except OptionsRefused as error:
            if not given_options(error.taken):
                raise
            self._refusal, self.request = error, EditRequest(slurm=error.taken)

    def is_done(self, run: Run, live: Live | None) -> bool:
        self._check_thresholds(run)
        return super().is_done(run, live)

    def on_queued(self, run: Run) -> Run:
        return apply_edit(run, self.request)

    def on_ended(self, run: Run) -> Run | None:
        self._check_thresholds(run)
        changed = self.on_queued(run)
        objective = self.request.objective
        if objective is not None and objective.metric not in changed.best:
            from backprop_tui.store.metrics import read_metrics  # only needed here

            series = read_metrics(self.directory).get(objective.metric)
            extreme = None if series is None else series.best_by(objective.direction)
            if extreme is not None:
                changed = replace(changed, best={**changed.best, objective.metric: extreme})
        return None if changed == run else changed

    def _apply_to_submitted(self, run: Run, job: SlurmJob, now: float) -> ControlOutcome | None:
        if self.request.priority not in (None, run.priority):
            raise UsageError(
                f"--priority: run {run.id} waits in Slurm's queue, and Slurm decides the order there",
                f"to let others go first: scontrol update JobId={job.id} Nice=100",
            )
        return super()._apply_to_submitted(run, job, now)

    def _check_thresholds(self, run: Run) -> None:
        refusal = refusal_of(self.request.thresholds, run.id, run.status)
        if refusal is not None:
            raise refusal


def refusal_of(thresholds: Thresholds | None, run_id: str, status: Status) -> UsageError | None:
    """Why a run in this status cannot be given these thresholds; None if it can."""
    if thresholds is None or status is Status.QUEUED:
        return None
    if status in ENDED:
        again = f"to start it again with these: backprop-tui resume {run_id} {as_options(thresholds)}"
        return UsageError(f"{as_options(thresholds)}: run {run_id} has ended ({status})", again)
    if thresholds == after_start(thresholds):
        return None
    problem = f"{as_options(thresholds)}: run {run_id} is {status}, and that only matters before a start"
    return UsageError(problem, "of a run that has started, only --gpu-max-temp can be changed")


AnyControlRequest = ControlRequest[Any]


def stop_requests(
    session: ClientSession, run_ids: Sequence[str], *, now: bool = False, after_checkpoint: bool = False
) -> list[StopControl]:
    """Requests that stop runs by hand, those for queued runs first: none of them may start when another stops.

    A guardian that somebody stopped by a signal reads no requests, so it is woken.
    """
    request = StopRequest(by=PERSON, reason=STOPPED_BY_YOU, kill=now, after_checkpoint=after_checkpoint)
    requests = [StopControl(session, run_id, request) for run_id in run_ids]
    for stop in requests:
        live = stop.directory.read_live()
        if live is not None:
            wake_guardian(stop.directory, live)
    return sorted(requests, key=lambda stop: status_of(session, stop.run_id) is not Status.QUEUED)


def pause_requests(session: ClientSession, run_ids: Sequence[str]) -> list[PauseControl]:
    request = PauseRequest(by=PERSON, reason="paused by you")
    return [PauseControl(session, run_id, request) for run_id in run_ids]


def continue_requests(session: ClientSession, run_ids: Sequence[str]) -> list[ContinueControl]:
    request = ContinueRequest(by=PERSON, reason="continued by you")
    return [ContinueControl(session, run_id, request) for run_id in run_ids]


def edit_requests(
    session: ClientSession, run_ids: Sequence[str], edit: EditRequest | None, timebox: TimeboxRequest | None
) -> list[AnyControlRequest]:
    """Requests that set the timebox and then the other fields of each run; None leaves them as they are."""
    requests: list[AnyControlRequest] = []
    for run_id in run_ids:
        if timebox is not None:
            requests.append(TimeboxControl(session, run_id, timebox))
        if edit is not None:
            requests.append(EditControl(session, run_id, edit))
    return requests


def baseline_requests(session: ClientSession, run_id: str | None, group: str) -> list[AnyControlRequest]:
    """Requests that pin a run as the baseline of its group and unpin any other; None only unpins."""
    records = all_records(session.home).values()
    pinned = [record["id"] for record in records if record.get("group") == group and record.get("baseline")]
    requests = edit_requests(session, [other for other in pinned if other != run_id], EditRequest(baseline=False), None)
    return requests + edit_requests(session, [] if run_id is None else [run_id], EditRequest(baseline=True), None)


def edit_summary(edit: EditRequest | None, timebox: TimeboxRequest | None) -> str:
    """What these requests change, such as `renamed to unet, no note, priority 2, a limit of 20m`."""
    changes = [] if edit is None else [str(edit)]
    if timebox is not None:
        limit = timebox.max_run_seconds
        changes.append("no time limit" if limit is None else f"a limit of {duration(limit)}")
    return ", ".join(changes)


def wait_for_all(
    requests: Sequence[AnyControlRequest], *, on_recorded: Callable[[], None] | None = None
) -> list[ControlOutcome | Refusal]:
    """Makes all requests at once and waits for their outcomes; a refusal of one does not keep back the others.

    `on_recorded` is called once when every request is either recorded or has its outcome.
    """
    outcomes: dict[int, ControlOutcome | Refusal] = {}
    while True:
        for number, request in enumerate(requests):
            if number not in outcomes and (outcome := _poll(request)) is not None:
                outcomes[number] = outcome
        if on_recorded is not None and all(
            number in outcomes or request.is_recorded for number, request in enumerate(requests)
        ):
            on_recorded()
            on_recorded = None
        if len(outcomes) == len(requests):
            return [outcomes[number] for number in range(len(requests))]
        time.sleep(POLL_SECONDS)


def _poll(request: AnyControlRequest) -> ControlOutcome | Refusal | None:
    try:
        return request.poll()
    except UsageError as error:
        return Refusal(request.run_id, error)
