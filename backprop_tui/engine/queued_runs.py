"""Runs that wait: what they wait for, and the requests that change or end them before they start."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from backprop_tui.domain.causes.cause import cause_of_stop, cause_of_unmet_dependency
from backprop_tui.domain.governor.snapshot import PendingDependency
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.requests import EditRequest, NoticeRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import Cause, Ended, Queued, Run
from backprop_tui.domain.run_changes import apply_edit, with_timebox
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from backprop_tui.engine.unfinished_runs import UnfinishedRuns

SUCCESSFUL_ENDS = frozenset({Status.COMPLETED, Status.TIMEBOXED})


@lazy_dataclass(frozen=True, slots=True)
class UnmetDependency:
    """The run can never start; `reason` is for people."""

    reason: str


def pending_dependencies(run: Run, unfinished: UnfinishedRuns) -> tuple[PendingDependency, ...] | UnmetDependency:
    """The runs that must still end before this run may start."""
    pending: list[PendingDependency] = []
    for dependency in run.spec.after:
        other = unfinished.find(dependency.run)
        if other is None:
            if not dependency.any_end:
                return UnmetDependency(f"waited for {dependency.run}, which was removed")
        elif other.status not in ENDED:
            pending.append(PendingDependency(name=f"{other.label} ({other.id})", status=other.status))
        elif other.status not in SUCCESSFUL_ENDS and not dependency.any_end:
            return UnmetDependency(f"waited for {other.label} ({other.id}), which ended {other.status}")
    return tuple(pending)


def apply_requests(directory: RunDirectory, run: Run) -> Run:
    """Applies requests that were written while the lock was busy; the run is queued, and the caller holds its lock."""
    requests, offset = directory.requests_after(run.requests_offset)
    if offset == run.requests_offset:
        return run
    run = replace(run, requests_offset=offset)
    for request in requests:
        match request:
            case StopRequest(by=by, reason=reason, cause=kind):
                return stop_queued(directory, run, reason, cause_of_stop(by=by, reason=reason, kind=kind))
            case EditRequest():
                run = apply_edit(run, request)
                directory.append_event("edited", str(request), time=time.time())
            case TimeboxRequest():
                run = with_timebox(run, request)
            case NoticeRequest(message=message):
                directory.append_event("told", message, time=time.time())
    directory.write(run, durable=True)
    return run


def settle_waiting(directory: RunDirectory, run: Run, unfinished: UnfinishedRuns) -> Run:
    """A queued run after the requests to it, ended if it can never start; the caller holds its lock."""
    run = apply_requests(directory, run)
    unmet = pending_dependencies(run, unfinished) if isinstance(run.state, Queued) else None
    if isinstance(unmet, UnmetDependency):
        return stop_queued(directory, run, unmet.reason, cause_of_unmet_dependency(unmet.reason))
    return run


def stop_queued(directory: RunDirectory, run: Run, reason: str, cause: Cause, status: Status = Status.STOPPED) -> Run:
    """Ends a queued run that will never start; the caller may write its record."""
    end = Ended(at=time.time(), status=status, reason=reason, cause=cause)
    run = run.to(end)
    directory.write(run, durable=True)
    directory.append_event("ended", reason, time=end.at, status=end.status)
    directory.delete_environment(run)
    return run
