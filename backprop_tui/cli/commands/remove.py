"""`remove`: removes ended runs with their logs and metrics, and with --lost those of hosts that never come back."""

from __future__ import annotations

import argparse

from backprop_tui.cli import diagnostics
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.reports import remove_confirmed
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve_all
from backprop_tui.client.remove import lost_runs, removable_runs
from backprop_tui.domain.errors import UsageError

SUMMARY = "remove ended runs with their logs and metrics; their checkpoints are kept"

_MAX_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument(
        "--lost",
        action="store_true",
        help="unfinished runs of another machine that has not been seen for minutes; without RUN all of them",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    if not arguments.runs and not arguments.lost:
        hint = "type: backprop-tui remove RUN; for old runs: backprop-tui clean --older-than 30d"
        raise UsageError("RUN is missing", hint)
    run_ids = resolve_all(session, arguments.runs)
    runs = lost_runs(session, run_ids) if arguments.lost else removable_runs(session, run_ids)
    if arguments.lost and not runs and not session.json:
        diagnostics.say("no run is lost: every host with unfinished runs was seen within minutes")
        return OK
    names = ", ".join(f"{run.run_id} ({run.name})" for run in runs[:_MAX_NAMED])
    names += ", ..." if len(runs) > _MAX_NAMED else ""
    return remove_confirmed(session, runs, names, yes=arguments.yes)
