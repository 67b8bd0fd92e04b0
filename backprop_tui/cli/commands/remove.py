"""`remove`: removes ended runs with their logs and metrics."""

from __future__ import annotations

import argparse

from backprop_tui.cli import diagnostics
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.reports import print_removed
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve_all
from backprop_tui.client.remove import removable_runs, remove
from backprop_tui.domain.formatting import counted
from backprop_tui.presentation import numbers

SUMMARY = "remove ended runs with their logs and metrics; their checkpoints are kept"

_MOST_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    runs = removable_runs(session, resolve_all(session, arguments.runs))
    size = sum(run.bytes for run in runs)
    if session.dry_run:
        return print_removed(session, runs, size)
    names = ", ".join(f"{run.run_id} ({run.name})" for run in runs[:_MOST_NAMED])
    names += ", ..." if len(runs) > _MOST_NAMED else ""
    question = f"Remove {counted(len(runs), 'run')}, {numbers.size(size)} of logs and metrics: {names}?"
    if not diagnostics.confirm(question, yes=arguments.yes):
        diagnostics.say("nothing was removed")
        return OK
    return print_removed(session, runs, remove(session, runs))
