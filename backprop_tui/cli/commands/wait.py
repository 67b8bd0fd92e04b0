"""`wait`: returns when runs have ended, with the exit code of the first that ended badly."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.event_stream import EventStream, Pace
from backprop_tui.cli.exit_codes import first_failure
from backprop_tui.cli.session import Session, named_or_all
from backprop_tui.client.handles import HELP
from backprop_tui.presentation.run_line import end_line
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import public_record

SUMMARY = "wait until runs have ended; exit with the code of the first that ended badly"

ENSURE_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument("--all", action="store_true", help="every run that is unfinished now")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    run_ids = named_or_all(arguments, session)
    records = _wait(session, run_ids)
    if session.json:
        output.json_value([records[run_id] for run_id in run_ids])
    return first_failure(records.values())


def _wait(session: Session, run_ids: Sequence[str]) -> dict[str, JsonObject]:
    waiting: dict[str, EventStream | None] = dict.fromkeys(run_ids)
    records: dict[str, JsonObject] = {}
    pace = Pace(time.monotonic())
    ensure_at = 0.0
    while True:
        now = time.monotonic()
        for record in _new_ends(session.home, waiting):
            pace.changed(now)
            records[record["id"]] = record
            if not session.json:
                diagnostics.say(f"{record['id']} ({record['name']}): {end_line(record)}")
        if not waiting:
            return records
        if now >= ensure_at:
            ensure_at = now + ENSURE_SECONDS
            session.keep_supervisor()
        diagnostics.status(f"waiting for {len(waiting)} of {len(run_ids)}")
        time.sleep(pace.seconds(now, urgent=False))


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
