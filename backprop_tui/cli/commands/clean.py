"""`clean`: removes runs that ended long ago, and what killed commands have left."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator

from backprop_tui.cli import diagnostics
from backprop_tui.cli.consent import consents
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.records import created
from backprop_tui.cli.removal import Removable, leftovers, needed, removable, remove, size_of, sweep, told
from backprop_tui.cli.session import Session
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import ENDED, UNFINISHED
from backprop_tui.domain.times import from_iso
from backprop_tui.presentation import numbers
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.index import read_all
from backprop_tui.store.views import marked

SUMMARY = "remove all runs that ended longer ago than given, with their logs; their checkpoints stay"

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How old."""
    parser.add_argument(
        "--older-than",
        metavar="AGE",
        type=_age,
        required=True,
        help="such as 30d, 12h, 2w or 90m, counted from the end of a run",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _age(text: str) -> float:
    """Seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mhdw])", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: a number and m, h, d or w, such as 30d")
    return float(match[1]) * _UNITS[match[2]]


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Asks, then removes."""
    now = time.time()
    runs = list(_runs(session, now - arguments.older_than))
    rubbish = leftovers(session.home, now)
    size = sum(run.bytes for run in runs) + sum(size_of(path) for path in rubbish)
    if session.dry_run:
        return told(session, runs, size)
    if not runs and not rubbish:
        return told(session, runs, 0)
    question = f"Remove {counted(len(runs), 'run')}, {numbers.size(size)} of logs and figures?"
    if not consents(question, given=arguments.yes):
        diagnostics.say("nothing was removed")
        return OK
    return told(session, runs, remove(session, runs) + sweep(rubbish))


def _runs(session: Session, ended_before: float) -> Iterator[Removable]:
    """Oldest first; a run that another one waits for stays."""
    waited_for = needed(session.home)
    for record in sorted(_records(session), key=created):
        ended = from_iso(record["ended_at"] or record["started_at"] or record["created_at"])
        if ended is None or ended >= ended_before or record["status"] not in ENDED:
            continue
        run = removable(session.home, record["id"], record["name"], waited_for.get(record["id"]))
        if isinstance(run, Removable):
            yield run
        else:
            diagnostics.say(str(run))


def _records(session: Session) -> list[JsonObject]:
    """Every run that has ended; one that goes on again is in the index as it was."""
    views = marked(session.home)
    going_on = {one.run.id for one in views if one.status in UNFINISHED}
    known = read_all(session.home) | {one.run.id: one.record for one in views}
    return [record for run_id, record in known.items() if run_id not in going_on]
