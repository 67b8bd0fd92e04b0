"""`stop`: stops runs gracefully, or at once, and returns when they have ended."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.reports import print_outcomes, print_would
from backprop_tui.cli.session import Session, require_named_or_all
from backprop_tui.client.control import stop_requests, wait_for_all
from backprop_tui.client.handles import HELP, resolve_in
from backprop_tui.client.runs import split, status_of, whereabouts
from backprop_tui.domain.run_changes import stopped_too
from backprop_tui.domain.status import UNFINISHED, Status
from backprop_tui.store.hosts import belongs_here

SUMMARY = "stop runs gracefully and return when they have ended; a queued run leaves the queue"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument("--all", action="store_true", help="every unfinished run of this machine")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--now", action="store_true", help="kill at once, without time to save")
    how.add_argument(
        "--after-checkpoint",
        action="store_true",
        help="let each continue until its next checkpoint is saved, at most twice the usual time between two",
    )


def execute(arguments: argparse.Namespace, session: Session) -> int:
    run_ids = _run_ids(arguments, session)
    done = "killed" if arguments.now else "stopped"
    if session.dry_run:
        return _print_would(session, run_ids, done)
    requests = stop_requests(session, run_ids, now=arguments.now, after_checkpoint=arguments.after_checkpoint)
    try:
        outcomes = wait_for_all(requests)
    except KeyboardInterrupt:
        diagnostics.say("not waiting any longer; the runs are still being stopped")
        raise
    return print_outcomes(session, outcomes, done)


def _print_would(session: Session, run_ids: Sequence[str], done: str) -> int:
    """Names also the queued runs that are stopped because they wait for a success of these."""
    code = print_would(session, run_ids, done)
    unfinished, _ = split(session.home)
    queued = [view.run for view in unfinished if view.status is Status.QUEUED]
    for run in () if session.json else stopped_too(frozenset(run_ids), queued):
        awaited = ", ".join(dependency.run for dependency in run.spec.after)
        output.line(f"{run.id} {run.label} ({run.status}): would be stopped too, waits for {awaited}")
    return code


def _run_ids(arguments: argparse.Namespace, session: Session) -> list[str]:
    require_named_or_all(arguments)
    return _all(session) if arguments.all else _with_directory(session, arguments.runs)


def _with_directory(session: Session, handles: Sequence[str]) -> list[str]:
    """Leaves out runs that the original tool recorded: they have no directory and have ended."""
    run_ids = resolve_in(session, handles, UNFINISHED)
    recorded = [run_id for run_id in run_ids if status_of(session, run_id) is None]
    for run_id in () if session.json else recorded:
        output.line(f"{run_id}: had ended already, recorded by the original Backprop")
    return [run_id for run_id in run_ids if run_id not in recorded]


def _all(session: Session) -> list[str]:
    unfinished, _ = split(session.home)
    run_ids = [view.run.id for view in unfinished if belongs_here(session.home, view.run)]
    elsewhere = [view for view in unfinished if view.run.id not in run_ids]
    if elsewhere:
        places = "; ".join(f"{view.run.id} {whereabouts(session.home, view.run)}" for view in elsewhere)
        diagnostics.say(f"runs of other machines continue: {places}; name them to stop them")
    if not run_ids:
        diagnostics.say("nothing is unfinished on this machine")
    return run_ids
