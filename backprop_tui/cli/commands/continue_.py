"""`continue`: lets paused runs go on, and wakes a guardian that somebody stopped."""

from __future__ import annotations

import argparse

from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP
from backprop_tui.cli.petitions import PERSON, Continue
from backprop_tui.cli.session import Session
from backprop_tui.cli.several import chosen, grant_each, rehearsed, reported
from backprop_tui.domain.requests import ContinueRequest
from backprop_tui.domain.status import ACTIVE

SUMMARY = "let paused runs go on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN..."""
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Asks, and returns when they go on."""
    run_ids = chosen(session, arguments.runs, ACTIVE)
    if session.dry_run:
        rehearsed(session, run_ids, "continued")
        return OK
    request = ContinueRequest(by=PERSON, reason="continued by you")
    petitions = [Continue(session, run_id, request) for run_id in run_ids]
    return reported(session, grant_each(petitions, run_ids), "continued")
