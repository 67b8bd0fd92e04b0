"""`pause`: stops all processes of runs with SIGSTOP; their timebox stands still too."""

from __future__ import annotations

import argparse

from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP
from backprop_tui.cli.petitions import PERSON, Pause
from backprop_tui.cli.session import Session
from backprop_tui.cli.several import chosen, grant_each, rehearsed, reported
from backprop_tui.domain.requests import PauseRequest
from backprop_tui.domain.status import ACTIVE

SUMMARY = "pause runs: all their processes stand still and keep their memory, their timebox does not count"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN..."""
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Asks, and returns when they stand still."""
    run_ids = chosen(session, arguments.runs, ACTIVE)
    if session.dry_run:
        rehearsed(session, run_ids, "paused")
        return OK
    request = PauseRequest(by=PERSON, reason="paused by you")
    return reported(session, grant_each([Pause(session, run_id, request) for run_id in run_ids], run_ids), "paused")
