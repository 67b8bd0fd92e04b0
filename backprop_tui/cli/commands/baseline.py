"""`baseline`: pins the run with which the others of its group are compared, or unpins it."""

from __future__ import annotations

import argparse

from backprop_tui.cli import diagnostics
from backprop_tui.cli.reports import print_outcomes, print_would
from backprop_tui.cli.session import Session
from backprop_tui.client.control import baseline_requests, wait_for_all
from backprop_tui.client.handles import HELP, resolve, resolve_one
from backprop_tui.client.runs import current, status_of
from backprop_tui.domain.errors import UsageError

SUMMARY = "pin the run with which the others of its group are compared"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument("--clear", action="store_true", help="unpin the baseline of the group; RUN may be the group")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    if arguments.clear:
        record = current(session, resolve(session, arguments.run)[0])
    else:
        record = current(session, resolve_one(session, arguments.run, advice="pin one run, such as GROUP@best"))
    run_id, group = str(record["id"]), record.get("group")
    if group is None:
        hint = "give runs a group with: backprop-tui run --group NAME"
        raise UsageError(f"run {run_id} is in no group, so nothing is compared with it", hint)
    if status_of(session, run_id) is None:
        raise UsageError(f"run {run_id} was recorded by the original Backprop; its records are read-only")
    change = "unpinned" if arguments.clear else f"the baseline of {group}"
    if session.dry_run:
        return print_would(session, [run_id], change)
    outcomes = wait_for_all(baseline_requests(session, None if arguments.clear else run_id, str(group)))
    if not outcomes:
        diagnostics.say(f"no run of {group} is pinned")
    return print_outcomes(session, outcomes if arguments.clear else outcomes[-1:], change, of_ended=change)
