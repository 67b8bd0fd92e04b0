"""Runs as they are at this moment: status, public JSON, sizes of their files, and their guardian seen from outside."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict

from backprop_tui.client.session import ClientSession
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ENDED, UNFINISHED, Status
from backprop_tui.launchers.lease import holds_open
from backprop_tui.presentation.durations import clock_of_day
from backprop_tui.processes.identity import signal_and_close, state_of
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.failures import repeated_failure
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import belongs_here, is_silent, last_sign, seen_at
from backprop_tui.store.index import Records, read_all
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import RunView, marked_views, public_record, read_view, sorted_views
from backprop_tui.store.tail import size_of

_STOPPED = (b"T", b"t")
_DIGITS = 20  # to which numbers in a name are filled up, so that they are sorted as numbers


def split(home: Home) -> tuple[list[RunView], list[RunView]]:
    """The marked runs: the unfinished ones in their order, and the ended ones that are not in the index yet."""
    views = marked_views(home)
    unfinished = sorted_views(view for view in views if view.status in UNFINISHED)
    return unfinished, [view for view in views if view.status not in UNFINISHED]


def status_of(session: ClientSession, run_id: str) -> Status | None:
    """None for a run without a directory: the original tool recorded it, and it has ended."""
    try:
        return read_view(session.home, run_id).status
    except FileNotFoundError:
        return None


def record_of(home: Home, view: RunView) -> JsonObject:
    """The public JSON of a run, with its age if another host wrote it.

    A problem of its guardian is the reason if there is no other.
    """
    record, run = view.record, view.run
    if view.status in UNFINISHED and run.current_host != home.host:
        sign = seen_at(home, run) if view.status is Status.QUEUED else last_sign(home, run)
        record = record | {"age_seconds": round(max(0.0, time.time() - sign), 1)}
    if not belongs_here(home, run) and view.status in UNFINISHED:
        return record_elsewhere(home, record, run)
    return record if record["reason"] is not None else record | {"reason": guardian_problem(home, view)}


def record_elsewhere(home: Home, record: JsonObject, run: Run) -> JsonObject:
    """The public JSON of a run of another host: if that is silent, this is the reason, and no other is known."""
    if is_silent(home, run):
        from backprop_tui.domain.governor.reasons import Check, HoldReason  # rarely needed

        message = whereabouts(home, run)
        held = [asdict(HoldReason(check=Check.HOST, message=message))] if run.status is Status.QUEUED else []
        return record | {"reason": message, "hold_reasons": held}
    return record if record["reason"] is not None else record | {"reason": whereabouts(home, run)}


def whereabouts(home: Home, run: Run) -> str:
    """`on gpu2`; if its host is silent, also when it was last seen."""
    if not is_silent(home, run):
        return f"on {run.current_host}"
    return f"on {run.current_host}, not seen since {clock_of_day(seen_at(home, run), time.time())}"


def lost_hint(run_id: str) -> str:
    return f"if that host never comes back: backprop-tui remove --lost {run_id}"


def host_hint(run: Run) -> str:
    """What to do about a run of another host that does not answer."""
    renamed = f"if this machine had that name before: BACKPROP_HOST={run.host} backprop-tui list"
    return f"{renamed}; {lost_hint(run.id)}"


def current(session: ClientSession, run_id: str) -> JsonObject:
    try:
        return record_of(session.home, read_view(session.home, run_id))
    except FileNotFoundError:
        return public_record(session.home, run_id)


def all_records(home: Home) -> dict[str, JsonObject]:
    """The public JSON of every run by id, those with a marker as they are now."""
    # Read first: a run that ends meanwhile loses its marker only when the index has its end.
    marked = {view.run.id: record_of(home, view) for view in marked_views(home)}
    return read_all(home) | marked


def ended_newest_first(
    indexed: Records, unfinished: Iterable[RunView], unindexed: Iterable[RunView]
) -> list[JsonObject]:
    """The ended runs of the index and those not in it yet, without the runs that were resumed since."""
    resumed = {view.run.id for view in unfinished}
    records = {
        run_id: record for run_id, record in indexed.items() if record["status"] in ENDED and run_id not in resumed
    }
    records |= {view.run.id: view.record for view in unindexed}
    return sorted(records.values(), key=created, reverse=True)


def created(record: JsonObject) -> tuple[str, str, str]:
    """A sort key: when it was queued, then its name with numbers as numbers, then its id.

    Earlier versions recorded the same moment for all runs of a sweep, whose names have its values.
    """
    name = re.sub(r"\d+", lambda number: number[0].zfill(_DIGITS), str(record.get("name")))
    return str(record.get("created_at") or ""), name, str(record["id"])


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class FileSizes:
    """Sizes in bytes; all 0 is the run's beginning."""

    log: int = 0
    events: int = 0
    metrics: int = 0


def current_sizes(directory: RunDirectory) -> FileSizes:
    log, events, metrics = map(size_of, (directory.log, directory.events_path, directory.metrics_path))
    return FileSizes(log=log, events=events, metrics=metrics)


def guardian_problem(home: Home, view: RunView) -> str | None:
    """Why a run is not supervised, or what its guardian cannot do; None if there is no problem or nothing is known."""
    live = view.live
    if live is None or view.run.host != home.host or live.clock.boot_id != boot_id():
        return None
    lock = RunDirectory(home.run_folder(view.run.id)).lock_path
    if state_of(live.runner_pid) in _STOPPED and holds_open(live.runner_pid, lock):
        return f"guardian stopped, so its timebox is not enforced; backprop-tui continue {view.run.id} wakes it"
    failure = None if live.problem is None else repeated_failure(home, view.run.id)
    return live.problem if failure is None else f"its guardian {failure}"


def terminate(directory: RunDirectory, live: Live) -> bool:
    """Sends SIGUSR1, which a guardian takes as a person's request to stop; returns whether the guardian was there."""
    return signal_and_close(open_guardian(directory, live.runner_pid), signal.SIGUSR1)


def wake_guardian(directory: RunDirectory, live: Live) -> bool:
    """Sends SIGCONT to a guardian that somebody stopped; returns whether it was stopped and there."""
    return state_of(live.runner_pid) in _STOPPED and signal_and_close(
        open_guardian(directory, live.runner_pid), signal.SIGCONT
    )


def open_guardian(directory: RunDirectory, pid: int) -> int | None:
    """A pidfd of the process with this pid if it holds the run's lock open, which only its guardian does.

    The check comes after opening: from then on the descriptor cannot mean another process.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, OverflowError, ValueError):
        return None
    if holds_open(pid, directory.lock_path):
        return pidfd
    os.close(pidfd)
    return None
