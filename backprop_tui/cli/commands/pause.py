"""`pause`: stops all processes of runs with SIGSTOP; their timebox is paused too."""

from __future__ import annotations

import argparse

from backprop_tui.cli.reports import print_outcomes, print_would
from backprop_tui.cli.session import Session
from backprop_tui.client.control import pause_requests, wait_for_all
from backprop_tui.client.handles import HELP, resolve_in
from backprop_tui.domain.status import ACTIVE

SUMMARY = "pause runs: their processes stop but keep their memory, and the time does not count"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    run_ids = resolve_in(session, arguments.runs, ACTIVE)
    if session.dry_run:
        return print_would(session, run_ids, "paused")
    return print_outcomes(session, wait_for_all(pause_requests(session, run_ids)), "paused")
