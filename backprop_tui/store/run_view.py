"""Runs as front ends show them: the record merged with the live record and the governor's last decision."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from backprop_tui.domain.errors import BrokenRecord, StateUnavailable, StorageFailed, UnknownRun
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live, displayed_status
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ACTIVE, UNFINISHED, Status
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import failure, read_object
from backprop_tui.store.home import RUN_ID, Home
from backprop_tui.store.index import read_all, read_newest, read_recent
from backprop_tui.store.records import holds_of, public
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import signature_of


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run at one moment; `record` is its public JSON, including the reasons that hold it."""

    run: Run
    live: Live | None
    record: JsonObject

    @property
    def status(self) -> Status:
        """The public status: also paused and stopping."""
        return displayed_status(self.run, self.live)


_Governors = dict[str, JsonObject | None]  # the decisions of each host's governor, read once at most


def read_view(home: Home, run_id: str, governors: _Governors | None = None) -> RunView:
    """Reads one run, with a cache for reading several. Raises: FileNotFoundError, BrokenRecord."""
    directory = RunDirectory(home.run_folder(run_id))
    if signature_of(directory.record_path) is None:
        raise FileNotFoundError(directory.path)
    run = directory.read()
    # Between attempts and after the end, the record knows more than the last live record.
    live = directory.read_live() if run.status in ACTIVE else None
    if live is not None and live.clock.boot_id == boot_id():
        # The guardian writes the clock at intervals; that of another boot or machine cannot be compared.
        live = replace(live, clock=live.clock.at(time.monotonic(), paused=live.pause is not None))
    holds = _holds(home, run, {} if governors is None else governors)
    return RunView(run=run, live=live, record=public(run, directory.path, live=live, holds=holds))


def public_record(home: Home, run_id: str) -> JsonObject:
    """Returns the public JSON of a run, also of one that only the index knows. Raises: UnknownRun, BrokenRecord."""
    try:
        return read_view(home, run_id).record
    except FileNotFoundError:
        record = read_newest(home).get(run_id) or read_all(home).get(run_id)
    if record is None:
        raise UnknownRun(f"no run {run_id!r}")
    return record


def marked_views(home: Home) -> list[RunView]:
    """Reads every run with a marker: unfinished, or ended and not yet indexed; unreadable ones are left out."""
    governors: _Governors = {}
    views: list[RunView] = []
    for run_id in marked_ids(home):
        path = RunDirectory(home.run_folder(run_id)).record_path
        try:
            views.append(read_view(home, run_id, governors))
        except FileNotFoundError:  # the run was never created, or is being removed
            home.set_unreadable(path, {})
        except StorageFailed as error:
            home.set_unreadable(path, {run_id: str(error)})
        else:
            home.set_unreadable(path, {})
    return views


def marked_ids(home: Home) -> list[str]:
    """Returns the ids of all markers; fast, however long the history. Raises: StateUnavailable."""
    try:
        return sorted(name for name in os.listdir(home.active) if RUN_ID.fullmatch(name))
    except FileNotFoundError:
        return []
    except OSError as error:
        problem = failure(home.active, error)
        ways = filter(None, (problem.hint, "set BACKPROP_HOME to a directory you can use"))
        raise StateUnavailable(problem.message, ", or ".join(ways)) from error


def unfinished_views(home: Home) -> list[RunView]:
    """Reads every unfinished run, in the order of `sorted_views`."""
    return sorted_views(view for view in marked_views(home) if view.status in UNFINISHED)


def sorted_views(views: Iterable[RunView]) -> list[RunView]:
    """Sorts admitted runs first, oldest first, then the queue: higher priority first, then first come."""
    return sorted(views, key=_sort_key)


def _sort_key(view: RunView) -> tuple[int, float, float, str]:
    run = view.run
    if run.status is Status.QUEUED:
        return 1, -run.priority, run.position, run.id
    return 0, run.attempts[-1].started_at if run.attempts else 0.0, 0.0, run.id


def recent_records(home: Home) -> dict[str, JsonObject]:
    """Returns the newest ended runs by id, including those not yet indexed; fast, however long the history."""
    unindexed = {view.run.id: view.record for view in marked_views(home) if view.status not in UNFINISHED}
    return read_recent(home) | unindexed


def governor_record(home: Home, host: str | None = None) -> JsonObject | None:
    """Returns what the governor of a host (None: this one) decided last; None if unknown or its supervisor is gone.

    Keys: time, pid, state, reasons, start_tokens, queue_held, held {run id: reasons}, places {run id: position}.
    """
    host = host or home.host
    try:
        record = read_object(Home(home.root, host).governor)
    except BrokenRecord:
        return None
    if record is None or (host == home.host and not os.path.exists(f"/proc/{record.get('pid')}")):
        return None
    return record


def _holds(home: Home, run: Run, governors: _Governors) -> Sequence[JsonObject]:
    """Returns why a queued run is held; empty if unknown."""
    if run.status is not Status.QUEUED:
        return []
    for host in dict.fromkeys((run.current_host, home.host)):  # a silent machine's jobs are looked after here
        if host not in governors:
            governors[host] = governor_record(home, host)
        held = (governors[host] or {}).get("held")
        reasons = held.get(run.id) if isinstance(held, dict) else None
        if isinstance(reasons, list):
            return [reason for reason in reasons if isinstance(reason, dict)]
    return holds_of(run, ())
