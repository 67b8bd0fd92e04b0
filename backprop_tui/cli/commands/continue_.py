"""`continue`: continues paused runs, and wakes a guardian that somebody stopped."""

from __future__ import annotations

import argparse

from backprop_tui.cli.reports import print_outcomes, print_would
from backprop_tui.cli.session import Session
from backprop_tui.client.control import continue_requests, wait_for_all
from backprop_tui.client.handles import HELP, resolve_in
from backprop_tui.domain.status import ACTIVE

SUMMARY = "continue paused runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    run_ids = resolve_in(session, arguments.runs, ACTIVE)
    if session.dry_run:
        return print_would(session, run_ids, "continued")
    return print_outcomes(session, wait_for_all(continue_requests(session, run_ids)), "continued")
