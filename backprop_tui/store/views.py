"""What front ends show: the records on disk merged with the live records and with what the governor last said."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import replace

from backprop_tui.domain.errors import BrokenRecord, StateUnavailable, UnknownRun
from backprop_tui.domain.live import Live, shown_status
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ACTIVE, UNFINISHED, Status
from backprop_tui.domain.values import dataclass
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import read_object
from backprop_tui.store.home import Home
from backprop_tui.store.index import read_all, read_newest, read_recent
from backprop_tui.store.records import public
from backprop_tui.store.run_directory import RunDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One run at one moment; `record` is its public JSON, with the reasons that hold it."""

    run: Run
    live: Live | None
    record: JsonObject

    @property
    def status(self) -> Status:
        """What people see: paused and stopping too."""
        return shown_status(self.run, self.live)


def view(home: Home, run_id: str) -> View:
    """One run that has a directory.

    Raises:
        FileNotFoundError: it has none.
        BrokenRecord: its record is not what it should be.
    """
    return _view(home, run_id, _Governors(home))


def shown_run(home: Home, run_id: str) -> JsonObject:
    """One run as `status RUN --json` shows it; one that only the index knows (the original's) as it stands there.

    Raises:
        UnknownRun: there is no such run.
        BrokenRecord: its record is not what it should be.
    """
    try:
        return view(home, run_id).record
    except FileNotFoundError:
        record = read_newest(home).get(run_id) or read_all(home).get(run_id)
    if record is None:
        raise UnknownRun(f"no run {run_id!r}; backprop-tui list shows the newest")
    return record


def marked(home: Home) -> list[View]:
    """Every run that has a marker: unfinished, or ended and not yet indexed. One that cannot be read is left out."""
    governors = _Governors(home)
    found: list[View] = []
    for run_id in marked_ids(home):
        try:
            found.append(_view(home, run_id, governors))
        except (FileNotFoundError, BrokenRecord):  # a marker whose run was never made, or is being removed
            continue
    return found


def marked_ids(home: Home) -> list[str]:
    """The ids of all markers; quick, whatever the history.

    Raises:
        StateUnavailable: the state directory cannot be read.
    """
    try:
        return sorted(os.listdir(home.active))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateUnavailable(
            f"{home.active}: {error.strerror}; set BACKPROP_HOME to a directory you can use"
        ) from error


def active(home: Home) -> list[View]:
    """Every unfinished run: first what was admitted, oldest first, then the queue in its order."""
    return in_order(one for one in marked(home) if one.status in UNFINISHED)


def in_order(views: Iterable[View]) -> list[View]:
    """What was admitted, oldest first; then the queue: higher priority first, then first come."""
    return sorted(views, key=_place)


def _place(one: View) -> tuple[int, float, float, str]:
    if one.run.status is Status.QUEUED:
        return 1, -one.run.priority, one.run.position, one.run.id
    return 0, one.run.attempts[-1].started_at if one.run.attempts else 0.0, 0.0, one.run.id


def active_runs(home: Home) -> list[JsonObject]:
    """The public JSON of every unfinished run, in the order of `active`."""
    return [one.record for one in active(home)]


def recent_runs(home: Home) -> dict[str, JsonObject]:
    """The newest ended runs by id, those that are not yet indexed among them; quick, whatever the history."""
    unindexed = {one.run.id: one.record for one in marked(home) if one.status not in UNFINISHED}
    return read_recent(home) | unindexed


def governor(home: Home, host: str | None = None) -> JsonObject | None:
    """What the governor of a host (None: this one) last said; None where it said nothing or its supervisor is gone.

    Keys: time, pid, state, reasons, start_tokens, queue_held, held {run id: reasons}, places {run id: place}.
    """
    host = host or home.host
    try:
        source = read_object(Home(home.root, host).governor)
    except BrokenRecord:
        return None
    if source is None or (host == home.host and not _lives(source.get("pid"))):
        return None
    return source


def _lives(pid: object) -> bool:
    return isinstance(pid, int) and os.path.exists(f"/proc/{pid}")


def moved_on(live: Live) -> Live:
    """The live record with its clock at this moment; the guardian writes it down only when it turns.

    As it is where the clock is of another boot or machine.
    """
    if live.clock.boot_id != boot_id():
        return live
    return replace(live, clock=live.clock.at(time.monotonic(), paused=live.pause is not None))


class _Governors:
    """The governors of the hosts, each read once at most."""

    __slots__ = ("_home", "_read")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._read: dict[str, JsonObject | None] = {}

    def holds(self, run: Run) -> list[JsonObject]:
        """Why a queued run is held; empty where nothing is known."""
        if run.status is not Status.QUEUED:
            return []
        if run.host not in self._read:
            self._read[run.host] = governor(self._home, run.host)
        said = self._read[run.host] or {}
        held = said.get("held")
        reasons = held.get(run.id) if isinstance(held, dict) else None
        return [one for one in reasons if isinstance(one, dict)] if isinstance(reasons, list) else []


def _view(home: Home, run_id: str, governors: _Governors) -> View:
    directory = RunDirectory(home.run_folder(run_id))
    if not os.path.exists(directory.record_path):
        raise FileNotFoundError(directory.path)
    run = directory.read()
    # Between attempts and after the end the record knows more than the last live record that was written.
    live = directory.read_live() if run.status in ACTIVE else None
    live = None if live is None else moved_on(live)
    return View(run=run, live=live, record=public(run, directory.path, live=live, holds=governors.holds(run)))
