"""`pause`: stops all processes of runs with SIGSTOP; their timebox is paused too."""

from __future__ import annotations

import argparse

from backprop_tui.cli.reports import control_active
from backprop_tui.cli.session import Session
from backprop_tui.client.control import pause_requests
from backprop_tui.client.handles import HELP

SUMMARY = "pause runs: their processes stop but keep their memory, and the time does not count"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    return control_active(session, arguments.runs, pause_requests, "paused")
