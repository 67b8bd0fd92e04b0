"""`remove`: removes ended runs with their logs and metrics."""

from __future__ import annotations

import argparse

from backprop_tui.cli.reports import remove_confirmed
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve_all
from backprop_tui.client.remove import removable_runs

SUMMARY = "remove ended runs with their logs and metrics; their checkpoints are kept"

_MAX_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    runs = removable_runs(session, resolve_all(session, arguments.runs))
    names = ", ".join(f"{run.run_id} ({run.name})" for run in runs[:_MAX_NAMED])
    return remove_confirmed(session, runs, names + (", ..." if len(runs) > _MAX_NAMED else ""), yes=arguments.yes)
