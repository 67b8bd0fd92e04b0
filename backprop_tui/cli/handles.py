"""Which runs a handle means: an id, a unique beginning of one, a name, a group's name or its best, `@last`, `@running`.

What is unfinished comes before what has ended, and what is exact before what only begins so. Files are opened from
the cheapest to the dearest, so that the handle of a run of today costs nothing of the history.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UnknownRun
from backprop_tui.domain.status import ACTIVE, UNFINISHED
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import RUN_ID, Home
from backprop_tui.store.index import read_all, read_newest
from backprop_tui.store.views import active, marked, recent_runs

LAST, RUNNING, BEST = "@last", "@running", "@best"
HELP = "an id, a unique beginning of one, a name, a group's name, GROUP@best, @last or @running"
_LISTED = 5  # ids that an error names

Records = Mapping[str, JsonObject]


def resolve(session: Session, handle: str) -> list[str]:
    """The ids of the runs a handle means; never empty.

    Raises:
        UnknownRun: none answers to it, or several of which none is meant more than the others.
    """
    home = session.home
    if handle.endswith(BEST) and handle != BEST:
        return [_best_of(session, handle.removesuffix(BEST))]
    if handle.startswith("@"):
        return _special(home, handle)
    if RUN_ID.fullmatch(handle) and os.path.exists(os.path.join(home.run_folder(handle), "run.json")):
        return [handle]
    unfinished = {one.run.id: one.record for one in marked(home) if one.status in UNFINISHED}
    return (
        _unfinished_by_name(unfinished, handle)
        or _group(home, unfinished, handle)
        or _ended(home, recent_runs(home), handle)
        or _by_beginning(_directories(home), handle)
        or _ended(home, read_newest(home), handle)
        or _ended(home, read_all(home), handle)
        or _refuse(home, handle)
    )


def resolve_all(session: Session, handles: Iterable[str]) -> list[str]:
    """The ids of the runs that several handles mean, each once, in the order they were named.

    Raises:
        UnknownRun: as `resolve`, for the first handle that means none.
    """
    return list(dict.fromkeys(run_id for handle in handles for run_id in resolve(session, handle)))


def resolve_one(session: Session, handle: str) -> str:
    """The id of the one run a handle means.

    Raises:
        UnknownRun: as `resolve`, or it means several.
    """
    found = resolve(session, handle)
    if len(found) > 1:
        raise UnknownRun(f"{handle!r} means {len(found)} runs, and only one is wanted: {_listed(found)}")
    return found[0]


def _special(home: Home, handle: str) -> list[str]:
    if handle == LAST:
        records = {one.run.id: one.record for one in active(home)} | recent_runs(home)
        if not records:
            raise UnknownRun("@last: there is no run yet")
        return [_newest(records.values())]
    if handle == RUNNING:
        found = [one.run.id for one in active(home) if one.status in ACTIVE]
        if not found:
            raise UnknownRun("@running: no run is running")
        return found
    raise UnknownRun(f"{handle!r}: after @ comes last or running; after a group's name @best")


def _best_of(session: Session, group: str) -> str:
    """The run of a group that did best by its loss, or by the first metric that it has."""
    from backprop_tui.cli.measured import measured, metric_to_compare  # reads all they measured
    from backprop_tui.presentation.compare import best_first, best_value  # reads all they measured

    run_ids = resolve(session, group)
    if len(run_ids) == 1:
        record = measured(session, run_ids[0]).record
        if record["group"] != group:
            raise UnknownRun(f"{group}{BEST}: {group!r} is no group but run {run_ids[0]}")
    found = [measured(session, run_id) for run_id in run_ids]
    metric = metric_to_compare(found, None)
    best = best_first(found, metric)[0]
    if best_value(best, metric) is None:
        raise UnknownRun(f"{group}{BEST}: no run of it has measured anything yet")
    return str(best.record["id"])


def _unfinished_by_name(unfinished: Records, handle: str) -> list[str]:
    found = [run_id for run_id, record in unfinished.items() if record["name"] == handle]
    if len(found) > 1:
        raise UnknownRun(f"{handle!r} is the name of {len(found)} unfinished runs; say which by id: {_listed(found)}")
    return found


def _group(home: Home, records: Records, handle: str) -> list[str]:
    """All runs of a group of which at least one is among `records`, oldest first."""
    if not any(record.get("group") == handle for record in records.values()):
        return []
    known = read_all(home) | {one.run.id: one.record for one in marked(home)}
    members = [record for record in known.values() if record.get("group") == handle]
    return [str(record["id"]) for record in sorted(members, key=_place_in_group)]


def _ended(home: Home, records: Records, handle: str) -> list[str]:
    """By id where only the index has it (the original's records), by name the newest, by group all."""
    if handle in records:
        return [handle]
    named = [record for record in records.values() if record["name"] == handle]
    return [_newest(named)] if named else _group(home, records, handle)


def _by_beginning(run_ids: Iterable[str], handle: str) -> list[str]:
    found = sorted(run_id for run_id in run_ids if run_id.startswith(handle)) if handle else []
    if len(found) > 1:
        raise UnknownRun(f"{handle!r} is the beginning of {len(found)} ids: {_listed(found)}")
    return found


def _directories(home: Home) -> list[str]:
    try:
        return [name for name in os.listdir(home.runs) if not name.startswith(".")]
    except FileNotFoundError:
        return []


def _refuse(home: Home, handle: str) -> list[str]:
    found = _by_beginning(read_all(home), handle)
    if found:
        return found
    import difflib  # only to mend a mistake

    records = recent_runs(home) | {one.run.id: one.record for one in marked(home)}
    known = {str(record["name"]) for record in records.values()} | set(records)
    near = difflib.get_close_matches(handle, known, n=1)
    advice = f"did you mean {near[0]}?" if near else "backprop-tui list shows the newest"
    raise UnknownRun(f"no run {handle!r}; {advice}")


def _age(record: JsonObject) -> tuple[str, str]:
    return str(record.get("created_at") or ""), str(record["id"])


def _place_in_group(record: JsonObject) -> tuple[str, list[tuple[bool, int, str]], str]:
    """By age; the runs of a sweep are of one moment, and by name in the order of its numbers."""
    parts = re.split(r"(\d+)", str(record["name"]))
    created, run_id = _age(record)
    return created, [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts], run_id


def _newest(records: Iterable[JsonObject]) -> str:
    return str(max(records, key=_age)["id"])


def _listed(run_ids: Sequence[str]) -> str:
    return ", ".join(run_ids[:_LISTED]) + (", ..." if len(run_ids) > _LISTED else "")
