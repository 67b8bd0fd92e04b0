"""`continue`: continues paused runs, and wakes a guardian that somebody stopped."""

from __future__ import annotations

import argparse

from backprop_tui.cli.reports import control_active
from backprop_tui.cli.session import Session
from backprop_tui.client.control import continue_requests
from backprop_tui.client.handles import HELP

SUMMARY = "continue paused runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    return control_active(session, arguments.runs, continue_requests, "continued")
