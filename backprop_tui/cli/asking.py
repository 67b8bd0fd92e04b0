"""What commands ask of runs, each call returning when it is done; several at once by `grant`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from backprop_tui.cli.petition import Answer, Petition
from backprop_tui.cli.petitions import PERSON, Continue, Edit, Pause, SetTimebox, Stop
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.requests import ContinueRequest, EditRequest, PauseRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import Queued, Run
from backprop_tui.store.run_directory import RunDirectory

STOPPED_BY_YOU = "stopped by you"
LOOK_SECONDS = 0.02


def grant(petitions: Sequence[Petition[Any]]) -> list[Answer]:
    """Asks all at once and waits until each is answered; the answers in the order of the petitions.

    Raises:
        UsageError, StorageFailed: as `Petition.look`.
    """
    answers: dict[int, Answer] = {}
    while True:
        for place, petition in enumerate(petitions):
            if place not in answers and (answer := petition.look()) is not None:
                answers[place] = answer
        if len(answers) == len(petitions):
            return [answers[place] for place in range(len(petitions))]
        time.sleep(LOOK_SECONDS)


def stop(
    session: Session, run_id: str, *, kill: bool = False, by: str = PERSON, reason: str = STOPPED_BY_YOU
) -> Answer:
    """Ends a run and returns when it has ended; for several at once: `grant([Stop(...), ...])`."""
    return grant([Stop(session, run_id, StopRequest(by=by, reason=reason, kill=kill))])[0]


def pause(session: Session, run_id: str, *, by: str = PERSON, reason: str = "paused by you") -> Answer:
    """Pauses a run. Raises: UsageError where it is queued, stopping or ended."""
    return grant([Pause(session, run_id, PauseRequest(by=by, reason=reason))])[0]


def continue_(session: Session, run_id: str, *, by: str = PERSON, reason: str = "continued by you") -> Answer:
    """Continues a run. Raises: UsageError where it is queued or ended."""
    return grant([Continue(session, run_id, ContinueRequest(by=by, reason=reason))])[0]


def set_timebox(session: Session, run_id: str, max_run_seconds: float | None) -> Answer:
    """Sets the timebox, counted from the start of the attempt; None is no limit. Raises: UsageError where it ended."""
    return grant([SetTimebox(session, run_id, TimeboxRequest(max_run_seconds=max_run_seconds))])[0]


def edit(session: Session, run_id: str, request: EditRequest) -> Answer:
    """Sets name, tags, note or priority of a run in any status."""
    return grant([Edit(session, run_id, request)])[0]


def edit_queued(session: Session, run_id: str, change: Callable[[Run], Run]) -> Run:
    """Changes a queued run under its lock, its place in the queue for one; returns it changed.

    Raises:
        UsageError: it is not queued, or no longer.
    """
    directory = RunDirectory(session.home.run_folder(run_id))
    while True:
        lock = directory.try_lock()
        if lock is not None:
            with lock:
                run = _queued(directory)
                changed = change(run)
                directory.write(changed, durable=False)
            session.supervisor.call()
            return changed
        _queued(directory)  # a supervisor looks at it for a moment
        time.sleep(LOOK_SECONDS)


def _queued(directory: RunDirectory) -> Run:
    run = directory.read()
    if not isinstance(run.state, Queued):
        raise UsageError(f"run {run.id} is {run.status}, not queued")
    return run
