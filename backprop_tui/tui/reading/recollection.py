"""Reads what happened between two moments: of the runs that a snapshot knows, from their stories."""

from __future__ import annotations

import os
from collections.abc import Iterable

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.times import from_iso
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.metrics_file import history
from backprop_tui.store.run_directory import RunDirectory, read_lines
from backprop_tui.tui.recollection import Recalled, Recollection
from backprop_tui.tui.snapshot import Snapshot

MOST_STORIES = 300  # read; what else ended is told without the pauses and waits of it
MOST_CURVES, MOST_BYTES = 50, 4 << 20  # read for their best loss


def recollect(home: Home, snapshot: Snapshot, since: float, *, back_at: float | None) -> Recollection:
    """From `since`, a wall time, until the snapshot's moment."""
    until = snapshot.moment.wall
    concerned = [one for one in snapshot.runs if one.status not in ENDED or since <= ended_at(one) <= until]
    done = [one.id for one in concerned if one.status is Status.COMPLETED][:MOST_CURVES]
    return Recollection(
        since=since,
        until=until,
        back_at=back_at,
        runs=tuple(
            Recalled(
                run=one,
                events=_events(home, one, since, until) if place < MOST_STORIES else (),
                best_loss=_best_loss(home, one) if one.id in done else None,
            )
            for place, one in enumerate(concerned)
        ),
        unread=max(0, len(concerned) - MOST_STORIES),
    )


def ended_at(run: KnownRun) -> float:
    """The wall time of its end; the beginning of time where none is known."""
    try:
        return from_iso(run.record.get("ended_at")) or 0.0
    except (TypeError, ValueError):
        return 0.0


def _events(home: Home, run: KnownRun, since: float, until: float) -> tuple[JsonObject, ...]:
    try:
        story: Iterable[JsonObject] = read_lines(RunDirectory(home.run_folder(run.id)).file("events.jsonl"))
    except StorageFailed:
        return ()
    return tuple(one for one in story if since <= (_time(one) or 0.0) <= until)


def _best_loss(home: Home, run: KnownRun) -> float | None:
    name = main_loss(list(run.record.get("metrics") or {}))
    best = (run.record.get("best") or {}).get(name)
    if best is not None:
        return float(best["value"])
    directory = RunDirectory(home.run_folder(run.id))
    try:
        if name is None or os.stat(directory.file("metrics.jsonl")).st_size > MOST_BYTES:
            return None
        course = history(directory).get(name)
    except OSError:
        return None
    return None if course is None or course.least is None else course.least.value


def _time(event: JsonObject) -> float | None:
    try:
        return from_iso(event.get("time"))
    except (TypeError, ValueError):
        return None
