"""Which runs a handle means: an id, a unique beginning of one, a name, a group, GROUP@best, `@last` or `@running`.

Unfinished runs come before ended ones, exact matches before beginnings. Files are read in the order of their cost, so
that the handle of a recent run does not read the whole history.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from backprop_tui.client.runs import all_records, created, status_of
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import UnknownRun
from backprop_tui.domain.run_names import spelled
from backprop_tui.domain.similar import nearest
from backprop_tui.domain.status import ACTIVE, UNFINISHED, Status
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import RUN_ID, Home
from backprop_tui.store.index import read_all, read_newest
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import marked_views, recent_records, unfinished_views

LAST, RUNNING, BEST = "@last", "@running", "@best"
HELP = "an id, a unique beginning of one, a name, a group's name, GROUP@best, @last or @running"
_MAX_LISTED = 5  # ids that an error names

Records = Mapping[str, JsonObject]


def resolve(session: ClientSession, handle: str) -> list[str]:
    """The ids of the runs that a handle means; UnknownRun if none does, or several and none takes precedence."""
    home = session.home
    if handle.endswith(BEST) and handle != BEST:
        return [_best_of(session, handle.removesuffix(BEST))]
    if handle.startswith("@"):
        return _special(home, handle)
    if RUN_ID.fullmatch(handle) and os.path.exists(RunDirectory(home.run_folder(handle)).record_path):
        return [handle]
    unfinished = {view.run.id: view.record for view in marked_views(home) if view.status in UNFINISHED}
    return (
        _unfinished_by_name(unfinished, handle)
        or _group(home, unfinished, handle)
        or _ended(home, recent_records(home), handle)
        or _by_beginning(_directories(home), handle)
        or _ended(home, read_newest(home), handle)
        or _ended(home, read_all(home), handle)
        or _by_beginning(read_all(home), handle)
        or _refuse(home, handle)
    )


def resolve_all(session: ClientSession, handles: Iterable[str]) -> list[str]:
    """The ids of the runs that several handles mean, each once, in the order of the handles."""
    return list(dict.fromkeys(run_id for handle in handles for run_id in resolve(session, handle)))


def resolve_in(session: ClientSession, handles: Iterable[str], statuses: Collection[Status]) -> list[str]:
    """As `resolve_all`, but a handle that means several runs means those in one of the statuses, if there are any.

    In a group some runs end before others begin: `pause GROUP` is about those that can be paused.
    """
    run_ids: dict[str, None] = {}
    for handle in handles:
        matches = resolve(session, handle)
        if len(matches) > 1:
            matches = [run_id for run_id in matches if status_of(session, run_id) in statuses] or matches
        run_ids |= dict.fromkeys(matches)
    return list(run_ids)


def resolve_one(session: ClientSession, handle: str, *, advice: str = "") -> str:
    """The id of the only run that a handle means; `advice` says what to do if it means several."""
    run_ids = resolve(session, handle)
    if len(run_ids) > 1:
        raise UnknownRun(f"{handle!r} means {len(run_ids)} runs", advice or f"name one of {_listed(run_ids)}")
    return run_ids[0]


def _special(home: Home, handle: str) -> list[str]:
    if handle == LAST:
        records = {view.run.id: view.record for view in unfinished_views(home)} | recent_records(home)
        if not records:
            raise UnknownRun("@last: there is no run yet", "start one: backprop-tui run train.py")
        return [_newest(records.values())]
    if handle == RUNNING:
        run_ids = [view.run.id for view in unfinished_views(home) if view.status in ACTIVE]
        if not run_ids:
            raise UnknownRun("@running: no run is running", "all unfinished runs: backprop-tui list")
        return run_ids
    raise UnknownRun(f"{handle!r} is not a run", "use @last or @running, or GROUP@best")


def _best_of(session: ClientSession, group: str) -> str:
    """The best run of a group by its objective; UnknownRun says why if none can be called the best."""
    from backprop_tui.client.run_metrics import ranked, read_compared_run

    runs = [read_compared_run(session, run_id) for run_id in resolve(session, group)]
    if len(runs) == 1 and runs[0].record["group"] != group:
        raise UnknownRun(f"{group}{BEST}: {group!r} is not a group but a run", f"its id is {runs[0].record['id']}")
    ranking = ranked(runs, None)
    if ranking.best is None:
        raise UnknownRun(f"{group}{BEST}: {ranking.problem}")
    return ranking.best[0]


def _unfinished_by_name(unfinished: Records, handle: str) -> list[str]:
    run_ids = [run_id for run_id, record in unfinished.items() if _is_named(record, handle)]
    if len(run_ids) > 1:
        raise UnknownRun(f"{handle!r} is the name of {len(run_ids)} unfinished runs", f"give an id: {_listed(run_ids)}")
    return run_ids


def _is_named(record: JsonObject, handle: str) -> bool:
    """By its name as it was given, or as it is shown."""
    name = str(record["name"])
    return handle == name or (" " in handle and handle == spelled(name))


def _group(home: Home, records: Records, handle: str) -> list[str]:
    """All runs of a group of which at least one is among `records`, oldest first."""
    if not any(record.get("group") == handle for record in records.values()):
        return []
    members = [record for record in all_records(home).values() if record.get("group") == handle]
    return [str(record["id"]) for record in sorted(members, key=created)]


def _ended(home: Home, records: Records, handle: str) -> list[str]:
    """By id (the original tool's runs are only in the index), the newest of that name, or all runs of a group."""
    if handle in records:
        return [handle]
    namesakes = [record for record in records.values() if _is_named(record, handle)]
    return [_newest(namesakes)] if namesakes else _group(home, records, handle)


def _by_beginning(run_ids: Iterable[str], handle: str) -> list[str]:
    matches = sorted(run_id for run_id in run_ids if run_id.startswith(handle)) if handle else []
    if len(matches) > 1:
        raise UnknownRun(f"{handle!r} is the beginning of {len(matches)} ids", f"give more of one: {_listed(matches)}")
    return matches


def _directories(home: Home) -> list[str]:
    try:
        return [name for name in os.listdir(home.runs) if not name.startswith(".")]
    except FileNotFoundError:
        return []


def _refuse(home: Home, handle: str) -> list[str]:
    problem, word = f"no run {handle!r}", handle.lower()
    if word in set(Status) - {Status.RUNNING}:  # for which there is a handle
        raise UnknownRun(problem, f"runs by status: backprop-tui list --status {word}")
    if word == "all":
        raise UnknownRun(problem, "list, logs, stop and wait take --all")
    records = recent_records(home) | {view.run.id: view.record for view in marked_views(home)}
    near = nearest(handle, {LAST, RUNNING} | {str(record["name"]) for record in records.values()} | set(records))
    raise UnknownRun(problem, f"did you mean {near}?") if near else UnknownRun(problem)


def _newest(records: Iterable[JsonObject]) -> str:
    return str(max(records, key=created)["id"])


def _listed(run_ids: Sequence[str]) -> str:
    return ", ".join(run_ids[:_MAX_LISTED]) + (", ..." if len(run_ids) > _MAX_LISTED else "")
