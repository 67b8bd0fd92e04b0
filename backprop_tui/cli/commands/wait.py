"""`wait`: returns when runs have ended, with the exit code of the first that ended badly."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Iterator, Sequence

from backprop_tui.cli import diagnostics, output, values
from backprop_tui.cli.event_stream import EventStream, Pace
from backprop_tui.cli.exit_codes import TIMED_OUT, first_failure
from backprop_tui.cli.session import Session, named_or_all
from backprop_tui.client.handles import HELP
from backprop_tui.client.runs import current, lost_hint, whereabouts
from backprop_tui.domain.formatting import duration
from backprop_tui.domain.quantities import SECONDS
from backprop_tui.presentation.run_line import end_line
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import belongs_here, is_silent
from backprop_tui.store.run_view import public_record

SUMMARY = "wait until runs have ended; exit with the code of the first that ended badly"

ENSURE_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument(
        "--all",
        action="store_true",
        help="every run that is unfinished now, except those of machines that were not seen for minutes",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=values.at_least_zero(SECONDS),
        help="wait at most that long, such as 90, 45m or 2h; exit with 124 if a run is still unfinished",
    )


def execute(arguments: argparse.Namespace, session: Session) -> int:
    run_ids = named_or_all(arguments, session)
    seconds = math.inf if arguments.timeout is None else arguments.timeout
    records, unfinished = _wait(session, run_ids, seconds, leave_out=arguments.all)
    if session.json:
        named = [run_id for run_id in run_ids if run_id in records or run_id in unfinished]
        output.json_value([records.get(run_id) or current(session, run_id) for run_id in named])
    if unfinished:
        diagnostics.say(f"still unfinished after {duration(arguments.timeout)}: {', '.join(unfinished)}")
        return TIMED_OUT
    return first_failure(records.values())


def _wait(
    session: Session, run_ids: Sequence[str], seconds: float, *, leave_out: bool
) -> tuple[dict[str, JsonObject], list[str]]:
    """The records of the runs that ended within this time, by id, and the ids of the others."""
    end = time.monotonic() + seconds
    waiting: dict[str, EventStream | None] = dict.fromkeys(run_ids)
    records: dict[str, JsonObject] = {}
    announced: set[str] = set()
    pace = Pace(time.monotonic())
    ensure_at = 0.0
    while True:
        now = time.monotonic()
        for record in _new_ends(session.home, waiting):
            pace.changed(now)
            records[record["id"]] = record
            if not session.json:
                diagnostics.say(f"{record['id']} ({record['name']}): {end_line(record)}")
        is_due = now >= ensure_at
        if is_due:
            _announce_silent(session.home, waiting, announced, leave_out=leave_out)
        if not waiting or now >= end:
            return records, list(waiting)
        if is_due:
            ensure_at = now + ENSURE_SECONDS
            session.keep_supervisor(stream.run for stream in waiting.values() if stream is not None)
        diagnostics.status(f"waiting for {len(waiting)} of {len(run_ids)}")
        time.sleep(min(pace.seconds(now, urgent=False), max(0.0, end - now)))


def _announce_silent(
    home: Home, waiting: dict[str, EventStream | None], announced: set[str], *, leave_out: bool
) -> None:
    """Says once which runs are on hosts that have not been seen for minutes; removes them, if they are left out."""
    for run_id, stream in [*waiting.items()]:
        if stream is None or run_id in announced or belongs_here(home, stream.run) or not is_silent(home, stream.run):
            continue
        announced.add(run_id)
        if leave_out:
            del waiting[run_id]
        consequence = "is not waited for" if leave_out else "may never end; --timeout SECONDS limits the wait"
        diagnostics.say(f"run {run_id} is {whereabouts(home, stream.run)}, and {consequence}; {lost_hint(run_id)}")


def _new_ends(home: Home, waiting: dict[str, EventStream | None]) -> Iterator[JsonObject]:
    """The records of the runs that have ended since; removes these from `waiting`."""
    for run_id, known_stream in [*waiting.items()]:
        if known_stream is None and not os.path.exists(home.run_folder(run_id)):
            del waiting[run_id]
            yield public_record(home, run_id)  # the original tool recorded it: only the index knows it
            continue
        stream = known_stream or EventStream(home, run_id, metrics_offset=None)
        waiting[run_id] = stream
        if stream.refresh() and stream.has_ended:
            del waiting[run_id]
            yield stream.record()
