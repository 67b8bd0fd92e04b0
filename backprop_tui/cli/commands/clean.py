"""`clean`: removes runs that ended long ago, and files that killed commands left."""

from __future__ import annotations

import argparse
import time

from backprop_tui.cli import diagnostics
from backprop_tui.cli.reports import remove_confirmed
from backprop_tui.cli.session import Session
from backprop_tui.client.remove import Removable, leftovers, removable_before
from backprop_tui.config.kinds import MAX_NUMBER
from backprop_tui.domain.formatting import shortened
from backprop_tui.domain.quantities import TIMES, parse_amount

SUMMARY = "remove all runs that ended longer ago than AGE, with their logs; their checkpoints are kept"


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
    seconds = parse_amount(text, TIMES)
    if seconds is None or seconds > MAX_NUMBER:
        rule = f"a number and m, h, d or w, such as 30d, at most {MAX_NUMBER:.0f}s"
        raise argparse.ArgumentTypeError(f"{shortened(text)} is not an age: {rule}")
    return seconds


def execute(arguments: argparse.Namespace, session: Session) -> int:
    now = time.time()
    runs: list[Removable] = []
    for run in removable_before(session, now - arguments.older_than):
        if isinstance(run, Removable):
            runs.append(run)
        else:
            diagnostics.say(str(run))
    return remove_confirmed(session, runs, None, leftovers=leftovers(session.home, now), yes=arguments.yes)
