"""`clean`: removes runs that ended long ago, and files that killed commands left."""

from __future__ import annotations

import argparse
import re
import time

from backprop_tui.cli import diagnostics
from backprop_tui.cli.reports import remove_confirmed
from backprop_tui.cli.session import Session
from backprop_tui.client.remove import Removable, leftovers, removable_before

SUMMARY = "remove all runs that ended longer ago than given, with their logs; their checkpoints are kept"

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--older-than",
        metavar="AGE",
        type=_age,
        required=True,
        help="such as 30d, 12h, 2w or 90m, counted from the end of a run",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _age(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mhdw])", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age: a number and m, h, d or w, such as 30d")
    return float(match[1]) * _UNITS[match[2]]


def execute(arguments: argparse.Namespace, session: Session) -> int:
    now = time.time()
    runs: list[Removable] = []
    for run in removable_before(session, now - arguments.older_than):
        if isinstance(run, Removable):
            runs.append(run)
        else:
            diagnostics.say(str(run))
    return remove_confirmed(session, runs, None, leftovers=leftovers(session.home, now), yes=arguments.yes)
