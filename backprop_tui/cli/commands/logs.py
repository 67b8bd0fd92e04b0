"""`logs`: what scripts printed, and with -f what they go on to print."""

from __future__ import annotations

import argparse
import os

from backprop_tui.cli import diagnostics, values
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP, resolve_all
from backprop_tui.cli.log_following import LogFollowing
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import unfinished_views
from backprop_tui.store.tail import offset_of_last_lines, size_of

SUMMARY = "print what a run's script printed, byte for byte; of several runs each line with its run's name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN..., or --all, and how much."""
    parser.add_argument("runs", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument("--all", action="store_true", help="every unfinished run; with -f those too that come later")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as it is printed, until the run has ended")
    parser.add_argument(
        "-n", "--lines", metavar="N", type=values.whole(least=0), help="begin with the last N lines (all of them)"
    )


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Prints, and follows where that is asked."""
    run_ids = _wanted(arguments, session)
    offsets = {run_id: _offset(session, run_id, arguments.lines) for run_id in run_ids}
    following = LogFollowing(session, offsets, discover=arguments.all)
    following.to_the_end(follow=arguments.follow)
    return OK


def _wanted(arguments: argparse.Namespace, session: Session) -> list[str]:
    if arguments.all and arguments.runs:
        raise UsageError("--all is every unfinished run: give it or RUN, not both")
    if not arguments.all and not arguments.runs:
        raise UsageError("RUN is missing; or --all for every unfinished run")
    return (
        [one.run.id for one in unfinished_views(session.home)]
        if arguments.all
        else resolve_all(session, arguments.runs)
    )


def _offset(session: Session, run_id: str, lines: int | None) -> int:
    directory = RunDirectory(session.home.run_folder(run_id))
    if not os.path.exists(directory.path):
        raise UsageError(f"run {run_id} was recorded by the original Backprop, which kept no logs")
    if size_of(directory.log) == 0:
        diagnostics.say(f"run {run_id} is {directory.read().status} and has printed nothing yet")
    return 0 if lines is None else offset_of_last_lines(directory.log, lines)
