"""`wait`: returns when runs have ended, with the exit code of the first that ended badly."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.ends import Ends
from backprop_tui.cli.exit_codes import first_failure
from backprop_tui.cli.handles import HELP, resolve_all
from backprop_tui.cli.pacing import Pace
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.presentation.run_line import end_line
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.views import active

SUMMARY = "wait until runs have ended; exit with the code of the first that ended badly"

ENSURE_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN... or --all."""
    parser.add_argument("runs", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument("--all", action="store_true", help="every run that is unfinished now")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Waits, saying each end as it comes."""
    run_ids = _wanted(arguments, session)
    records = _wait(session, run_ids)
    if session.json:
        output.json_value([records[run_id] for run_id in run_ids])
    return first_failure(records.values())


def _wanted(arguments: argparse.Namespace, session: Session) -> list[str]:
    if arguments.all and arguments.runs:
        raise UsageError("--all waits for every run: give it or RUN, not both")
    if arguments.all:
        return [one.run.id for one in active(session.home)]
    if not arguments.runs:
        raise UsageError("RUN is missing; or --all for every unfinished run")
    return resolve_all(session, arguments.runs)


def _wait(session: Session, run_ids: Sequence[str]) -> dict[str, JsonObject]:
    ends = Ends(session.home, run_ids)
    pace = Pace(time.monotonic())
    ensure_at = 0.0
    while True:
        now = time.monotonic()
        for record in ends.look():
            pace.changed(now)
            if not session.json:
                diagnostics.say(f"{record['id']} ({record['name']}): {end_line(record)}")
        if not ends.waiting:
            return ends.records
        if now >= ensure_at:
            ensure_at = now + ENSURE_SECONDS
            session.supervisor.ensure()
        diagnostics.status(f"waiting for {len(ends.waiting)} of {len(run_ids)}")
        time.sleep(pace.seconds(now, urgent=False))
