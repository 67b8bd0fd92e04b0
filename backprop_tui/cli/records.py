"""Runs as the public JSON has them, at this moment."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.cli.guardian_state import guardian_problem
from backprop_tui.cli.session import Session
from backprop_tui.domain.status import ENDED, UNFINISHED
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.index import Records
from backprop_tui.store.run_view import RunView, marked_views, public_record, read_view, sorted_views


def split(home: Home) -> tuple[list[RunView], list[RunView]]:
    """The marked runs: those that are unfinished in the order of `in_order`, and those that are not yet indexed."""
    views = marked_views(home)
    unfinished = sorted_views(one for one in views if one.status in UNFINISHED)
    return unfinished, [one for one in views if one.status not in UNFINISHED]


def record_of(home: Home, one: RunView) -> JsonObject:
    """The public JSON of a view; where nothing else is the reason for its status, its guardian's trouble is."""
    record = one.record
    return record if record["reason"] is not None else record | {"reason": guardian_problem(home, one)}


def current(session: Session, run_id: str) -> JsonObject:
    """The public JSON of a run at this moment."""
    try:
        return record_of(session.home, read_view(session.home, run_id))
    except FileNotFoundError:
        return public_record(session.home, run_id)


def ended_newest_first(
    indexed: Records, unfinished: Iterable[RunView], unindexed: Iterable[RunView]
) -> list[JsonObject]:
    """What the index says of ended runs, with those that it does not have yet and without those that go on again."""
    going_on = {one.run.id for one in unfinished}
    records = {run_id: one for run_id, one in indexed.items() if one["status"] in ENDED and run_id not in going_on}
    records |= {one.run.id: one.record for one in unindexed}
    return sorted(records.values(), key=created, reverse=True)


def created(record: JsonObject) -> tuple[str, str]:
    """By the time of queueing; those of one moment by id."""
    return str(record.get("created_at") or ""), str(record["id"])
