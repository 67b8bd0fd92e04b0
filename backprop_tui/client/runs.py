"""Runs as they are at this moment: their status, and their public JSON with what is known of their guardian."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.client.guardians import guardian_problem
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.status import ENDED, UNFINISHED, Status
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.index import Records
from backprop_tui.store.run_view import RunView, marked_views, public_record, read_view, sorted_views


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
    """The public JSON of a run; a problem of its guardian is the reason if there is no other."""
    record = view.record
    return record if record["reason"] is not None else record | {"reason": guardian_problem(home, view)}


def current(session: ClientSession, run_id: str) -> JsonObject:
    try:
        return record_of(session.home, read_view(session.home, run_id))
    except FileNotFoundError:
        return public_record(session.home, run_id)


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


def created(record: JsonObject) -> tuple[str, str]:
    """A sort key: when it was queued, then its id."""
    return str(record.get("created_at") or ""), str(record["id"])
