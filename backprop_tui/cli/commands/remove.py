"""`remove`: runs that have ended, with their logs and figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from backprop_tui.cli import diagnostics
from backprop_tui.cli.consent import consents
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP, resolve_all
from backprop_tui.cli.removal import Removable, needed, removable, remove, told
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.formatting import counted
from backprop_tui.presentation import numbers
from backprop_tui.store.views import shown_run

SUMMARY = "remove runs that have ended, with their logs and figures; their checkpoints stay"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN..."""
    parser.add_argument("runs", metavar="RUN", nargs="+", help=HELP)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Asks, then removes."""
    runs = _runs(session, resolve_all(session, arguments.runs))
    size = sum(run.bytes for run in runs)
    if session.dry_run:
        return told(session, runs, size)
    names = ", ".join(f"{run.run_id} ({run.name})" for run in runs[:5]) + (", ..." if len(runs) > 5 else "")
    question = f"Remove {counted(len(runs), 'run')}, {numbers.size(size)} of logs and figures: {names}?"
    if not consents(question, given=arguments.yes):
        diagnostics.say("nothing was removed")
        return OK
    return told(session, runs, remove(session, runs))


def _runs(session: Session, run_ids: Sequence[str]) -> list[Removable]:
    """All of them, or none.

    Raises:
        UsageError: one has to stay.
    """
    waited_for = needed(session.home)
    found: list[Removable] = []
    for run_id in run_ids:
        run = removable(session.home, run_id, _name(session, run_id), waited_for.get(run_id))
        if not isinstance(run, Removable):
            raise run
        found.append(run)
    return found


def _name(session: Session, run_id: str) -> str:
    try:
        return str(shown_run(session.home, run_id)["name"])
    except BrokenRecord:
        return run_id
