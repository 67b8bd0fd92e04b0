"""`queue`: what waits and in which order; moves it, holds it, lets it go on."""

from __future__ import annotations

import argparse
import getpass
import os
import time
from collections.abc import Callable

from backprop_tui.cli import diagnostics, output, rows, tables, values
from backprop_tui.cli.asking import edit_queued
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.governor_view import QUEUE_HELD, is_queue_held
from backprop_tui.cli.handles import HELP, resolve_one
from backprop_tui.cli.petitions import Edit
from backprop_tui.cli.places import places, queue_of
from backprop_tui.cli.records import current, record_of, split
from backprop_tui.cli.session import Session
from backprop_tui.cli.several import chosen, grant_each, rehearsed, reported
from backprop_tui.cli.waking import wake
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.queue_order import moved
from backprop_tui.domain.requests import EditRequest
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import UNFINISHED, Status
from backprop_tui.domain.times import iso
from backprop_tui.store.files import storage, write_atomically

SUMMARY = "show the queue, change its order, hold it or let it go on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with it; nothing shows it."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", title="actions (none: show it)")
    move = actions.add_parser("move", help="put a queued run at a place; it takes the priority it needs there")
    move.add_argument("run", metavar="RUN", help=HELP)
    move.add_argument("--to", metavar="N", type=values.whole(least=1), required=True, help="its place; 1 is the first")
    priority = actions.add_parser("priority", help="higher goes first, also for later attempts of an active run")
    priority.add_argument("run", metavar="RUN", help=HELP)
    priority.add_argument("number", metavar="N", type=values.whole(), help="0 is the usual one")
    actions.add_parser("hold", help="start nothing new; what runs goes on")
    actions.add_parser("release", help="start runs again")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Does it."""
    actions: dict[str | None, Callable[[argparse.Namespace, Session], int]] = {
        None: _show,
        "move": _move,
        "priority": _set_priority,
        "hold": _hold,
        "release": _release,
    }
    return actions[arguments.action](arguments, session)


def _show(_arguments: argparse.Namespace, session: Session) -> int:
    unfinished, _ = split(session.home)
    wake(session, unfinished)
    queued = [one for one in unfinished if one.status is Status.QUEUED]
    records = [record_of(session.home, one) for one in queued]
    if session.json:
        output.json_value(records)
        return OK
    numbers = places(session.home, unfinished)
    if records:
        tables.show(rows.QUEUE_COLUMNS, [rows.queue_row(one, numbers[one["id"]], session.home.host) for one in records])
    else:
        diagnostics.say("nothing waits")
    if is_queue_held(session.home):
        diagnostics.say("held by you, nothing new starts; backprop-tui queue release lets it go on")
    return OK


def _move(arguments: argparse.Namespace, session: Session) -> int:
    run_id = resolve_one(session, arguments.run)
    place: int = arguments.to

    def change(run: Run) -> Run:
        return moved(run, _queue(session, run.host), place)

    if session.dry_run:
        rehearsed(session, [run_id], f"moved to place {place}")
        return OK
    run = edit_queued(session, run_id, change)
    queue = _queue(session, run.host)
    if session.json:
        output.json_value(current(session, run_id))
    elif run_id in (ids := [other.id for other in queue]):
        output.line(f"{run.id} {run.name}: number {ids.index(run_id) + 1} of {len(ids)}, priority {run.priority}")
    else:
        output.line(f"{run.id} {run.name}: moved, and started")
    return OK


def _queue(session: Session, host: str) -> list[Run]:
    return queue_of(host, split(session.home)[0])


def _set_priority(arguments: argparse.Namespace, session: Session) -> int:
    run_ids = chosen(session, [arguments.run], UNFINISHED)
    for run_id in run_ids:
        record = current(session, run_id)
        if record["status"] not in UNFINISHED:
            raise UsageError(f"run {run_id} has ended ({record['status']}), it waits for nothing")
    said = f"priority {arguments.number}"
    if session.dry_run:
        rehearsed(session, run_ids, f"given {said}")
        return OK
    request = EditRequest(priority=arguments.number)
    return reported(session, grant_each([Edit(session, run_id, request) for run_id in run_ids], run_ids), said)


def _hold(_arguments: argparse.Namespace, session: Session) -> int:
    home = session.home
    held_already = is_queue_held(home)
    if not session.dry_run and not held_already:
        home.prepare()
        word = f"{iso(time.time())} {getpass.getuser()}\n"
        write_atomically(home.host_file(QUEUE_HELD), word.encode("utf-8", "surrogateescape"), durable=False)
        session.supervisor.ring()
    return _told(session, "was held already" if held_already else "held", held=True)


def _release(_arguments: argparse.Namespace, session: Session) -> int:
    home = session.home
    held = is_queue_held(home)
    if not session.dry_run and held:
        path = home.host_file(QUEUE_HELD)
        with storage(path):
            os.unlink(path)
        session.supervisor.ring()
        wake(session, split(home)[0])
    return _told(session, "released" if held else "was not held", held=False)


def _told(session: Session, done: str, *, held: bool) -> int:
    waiting = len(_queue(session, session.home.host))
    if session.json:
        output.json_value({"queue_held": held, "queued": waiting})
        return OK
    would = "would be " if session.dry_run else ""
    output.line(f"queue of {session.home.host} {would}{done}; {counted(waiting, 'run')} waiting")
    return OK
