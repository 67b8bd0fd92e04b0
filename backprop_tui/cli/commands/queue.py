"""`queue`: shows the queue, changes its order, holds and releases it."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from backprop_tui.cli import diagnostics, output, tables, values
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.reports import print_outcomes, print_would
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve_in, resolve_one
from backprop_tui.client.queueing import (
    hold_queue,
    is_queue_held,
    move,
    queue_positions,
    release_queue,
    still_starts,
    waiting_here,
)
from backprop_tui.client.runs import current, record_of, split
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import UNFINISHED, Status

SUMMARY = "show the queue, change its order, hold it or release it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", title="actions (none: show it)")
    move_parser = actions.add_parser("move", help="move a queued run; it takes the priority of its new position")
    move_parser.add_argument("run", metavar="RUN", help=HELP)
    move_parser.add_argument(
        "--to", metavar="N", type=values.whole(least=1), required=True, help="its new position; 1 is the first"
    )
    priority = actions.add_parser("priority", help="higher goes first, also for later attempts of an active run")
    priority.add_argument("run", metavar="RUN", help=HELP)
    priority.add_argument("number", metavar="N", type=values.whole(), help="0 is the default")
    actions.add_parser("hold", help="start nothing new; running runs continue")
    actions.add_parser("release", help="start runs again")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    actions: dict[str | None, Callable[[argparse.Namespace, Session], int]] = {
        None: _show,
        "move": _move,
        "priority": _set_priority,
        "hold": _hold_or_release,
        "release": _hold_or_release,
    }
    return actions[arguments.action](arguments, session)


def _show(_arguments: argparse.Namespace, session: Session) -> int:
    unfinished, unindexed = split(session.home)
    session.ensure_supervisor([*unfinished, *unindexed])
    queued = [view for view in unfinished if view.status is Status.QUEUED]
    if session.json:
        output.json_value([record_of(session.home, view) for view in queued])
        return OK
    if queued:
        tables.show_queue(session.home, queued, queue_positions(unfinished))
    else:
        diagnostics.say("the queue is empty")
    if is_queue_held(session.home):
        diagnostics.say("held by you, nothing new starts; backprop-tui queue release lets it continue")
    return OK


def _move(arguments: argparse.Namespace, session: Session) -> int:
    run_id = resolve_one(session, arguments.run)
    if session.dry_run:
        return print_would(session, [run_id], f"moved to position {arguments.to}")
    moved = move(session, run_id, arguments.to)
    if session.json:
        output.json_value(current(session, run_id))
    else:
        output.line(f"{run_id} {moved.run.label}: {moved}")
    return OK


def _set_priority(arguments: argparse.Namespace, session: Session) -> int:
    from backprop_tui.client.control import edit_requests, wait_for_all
    from backprop_tui.domain.requests import EditRequest

    run_ids = resolve_in(session, [arguments.run], UNFINISHED)
    for run_id in run_ids:
        record = current(session, run_id)
        if record["status"] not in UNFINISHED:
            raise UsageError(
                f"run {run_id} has ended ({record['status']}) and is not waiting", "the queue: backprop-tui queue"
            )
    change = f"priority {arguments.number}"
    if session.dry_run:
        return print_would(session, run_ids, f"given {change}")
    requests = edit_requests(session, run_ids, EditRequest(priority=arguments.number), None)
    return print_outcomes(session, wait_for_all(requests), change)


def _hold_or_release(arguments: argparse.Namespace, session: Session) -> int:
    held = arguments.action == "hold"
    if session.dry_run:
        changed = is_queue_held(session.home) != held
    else:
        changed = hold_queue(session) if held else release_queue(session)
    unchanged = "was held already" if held else "was not held"
    done = ("held" if held else "released") if changed else unchanged
    waiting = waiting_here(session)
    if session.json:
        output.json_value({"queue_held": held, "queued": len(waiting)})
        return OK
    would = "would be " if session.dry_run and changed else ""
    output.line(f"queue of {session.home.host} {would}{done}; {counted(len(waiting), 'run')} waiting")
    if held:
        diagnostics.complain(still_starts(waiting) or None)
    return OK
