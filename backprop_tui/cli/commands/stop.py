"""`stop`: ends runs gracefully, or at once, and returns when they have ended."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.asking import STOPPED_BY_YOU
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.guardians import awaken
from backprop_tui.cli.handles import HELP
from backprop_tui.cli.petitions import PERSON, Stop
from backprop_tui.cli.records import split
from backprop_tui.cli.session import Session
from backprop_tui.cli.several import chosen, grant_each, rehearsed, reported, status_of
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.status import UNFINISHED, Status

SUMMARY = "stop runs gracefully and return when they have ended; one that waits leaves the queue"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN... or --all, and how."""
    parser.add_argument("runs", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument("--all", action="store_true", help="every unfinished run of this machine")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--now", action="store_true", help="kill at once, without the grace to save")
    how.add_argument(
        "--after-checkpoint",
        action="store_true",
        help="let each train on until its next checkpoint is saved, twice the usual time between two at most",
    )


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Asks, waits, and says how each ended."""
    run_ids = _wanted(arguments, session)
    if session.dry_run:
        rehearsed(session, run_ids, "killed" if arguments.now else "stopped")
        return OK
    # Those that wait go first: none of them shall start in the place of one that was stopped.
    run_ids = sorted(run_ids, key=lambda run_id: status_of(session, run_id) is not Status.QUEUED)
    petitions = [_petition(session, run_id, arguments) for run_id in run_ids]
    try:
        answers = grant_each(petitions, run_ids)
    except KeyboardInterrupt:
        diagnostics.say("not waiting any longer; what was asked to stop goes on stopping")
        raise
    return reported(session, answers, "killed" if arguments.now else "stopped")


def _petition(session: Session, run_id: str, arguments: argparse.Namespace) -> Stop:
    request = StopRequest(
        by=PERSON, reason=STOPPED_BY_YOU, kill=arguments.now, after_checkpoint=arguments.after_checkpoint
    )
    petition = Stop(session, run_id, request)
    live = petition.directory.read_live()
    if live is not None:
        awaken(petition.directory, live)  # a guardian that stands still hears nobody
    return petition


def _wanted(arguments: argparse.Namespace, session: Session) -> list[str]:
    if arguments.all and arguments.runs:
        raise UsageError("--all is every unfinished run: give it or RUN, not both")
    if not arguments.all and not arguments.runs:
        raise UsageError("RUN is missing; or --all for every unfinished run of this machine")
    return _all(session) if arguments.all else _named(session, arguments.runs)


def _named(session: Session, handles: Sequence[str]) -> list[str]:
    """Without those that the original recorded, which have no directory and ended long ago."""
    run_ids = chosen(session, handles, UNFINISHED)
    for run_id in run_ids:
        if status_of(session, run_id) is None and not session.json:
            output.line(f"{run_id}: had ended already, recorded by the original Backprop")
    return [run_id for run_id in run_ids if status_of(session, run_id) is not None]


def _all(session: Session) -> list[str]:
    unfinished, _ = split(session.home)
    here = [one.run.id for one in unfinished if one.run.host == session.home.host]
    elsewhere = len(unfinished) - len(here)
    if elsewhere:
        diagnostics.say(f"{elsewhere} on other machines go on; to stop those, name them")
    if not here:
        diagnostics.say("nothing is unfinished on this machine")
    return here
