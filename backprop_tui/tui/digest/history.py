"""Reads what happened to the runs of a snapshot between two moments, from their events and metrics."""

from __future__ import annotations

import os
from collections.abc import Iterable

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import main_loss
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.metrics import read_metrics
from backprop_tui.store.run_directory import RunDirectory, read_lines
from backprop_tui.tui.snapshot import Snapshot

MAX_RUNS_WITH_EVENTS = 300  # other runs are in the digest without their pauses and waits
MAX_RUNS_WITH_LOSS, MAX_METRICS_BYTES = 50, 4 << 20  # whose metrics are read for the best loss


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DigestRun:
    """A run that ended meanwhile or is unfinished, with its events of that time, oldest first.

    `best_loss` is the lowest loss of a completed run; None for others, without a loss, or if there is too much to read.
    """

    run: KnownRun
    events: tuple[JsonObject, ...] = ()
    best_loss: float | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceDigest:
    """What happened from `since` to `until`, wall times; `back_at` is when the absence that began at `since` ended.

    If `back_at` is None nobody was away, and it covers the last day. `unread` counts runs whose events were not read.
    """

    since: float
    until: float
    back_at: float | None = None
    runs: tuple[DigestRun, ...] = ()
    unread: int = 0


def read_digest(home: Home, snapshot: Snapshot, since: float, *, back_at: float | None) -> AbsenceDigest:
    """The digest from `since`, a wall time, to the snapshot's moment."""
    until = snapshot.moment.wall
    runs = [run for run in snapshot.runs if run.status not in ENDED or since <= _ended_at(run) <= until]
    completed = [run.id for run in runs if run.status is Status.COMPLETED][:MAX_RUNS_WITH_LOSS]
    return AbsenceDigest(
        since=since,
        until=until,
        back_at=back_at,
        runs=tuple(
            DigestRun(
                run=run,
                events=_read_events(home, run, since, until) if index < MAX_RUNS_WITH_EVENTS else (),
                best_loss=best_loss(home, run) if run.id in completed else None,
            )
            for index, run in enumerate(runs)
        ),
        unread=max(0, len(runs) - MAX_RUNS_WITH_EVENTS),
    )


def _ended_at(run: KnownRun) -> float:
    """The wall time of the end; 0 if unknown."""
    return _time_of(run.record.get("ended_at"))


def _read_events(home: Home, run: KnownRun, since: float, until: float) -> tuple[JsonObject, ...]:
    try:
        events: Iterable[JsonObject] = read_lines(RunDirectory(home.run_folder(run.id)).events_path)
    except StorageFailed:
        return ()
    return tuple(event for event in events if since <= _time_of(event.get("time")) <= until)


def best_loss(home: Home, run: KnownRun) -> float | None:
    """The lowest loss of a run."""
    name = main_loss(list(run.record.get("metrics") or {}))
    best = (run.record.get("best") or {}).get(name)
    if best is not None:
        return float(best["value"])
    directory = RunDirectory(home.run_folder(run.id))
    try:
        if name is None or os.stat(directory.metrics_path).st_size > MAX_METRICS_BYTES:
            return None
        series = read_metrics(directory).get(name)
    except OSError:
        return None
    return None if series is None or series.least is None else series.least.value


def _time_of(text: str | None) -> float:
    """Seconds since the epoch; 0 for an invalid time."""
    try:
        return from_iso(text) or 0.0
    except (TypeError, ValueError):
        return 0.0
