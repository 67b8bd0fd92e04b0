"""`edit`: another name, tags, note, timebox or priority for runs that wait, run or have ended."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence

from backprop_tui.cli import values
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import HELP, resolve
from backprop_tui.cli.petition import Petition
from backprop_tui.cli.petitions import Edit, SetTimebox
from backprop_tui.cli.session import Session
from backprop_tui.cli.several import grant_each, rehearsed, reported, status_of
from backprop_tui.cli.values import NoLimit
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.status import ENDED

SUMMARY = "change what a run is called, its note, its timebox or its priority; of a group all of its runs"

AnyPetition = Petition[EditRequest] | Petition[TimeboxRequest]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN and what to change."""
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument("--name", type=values.handle_label, help="its name from now on")
    parser.add_argument(
        "--tag",
        metavar="TAG",
        action="append",
        type=_label_or_nothing,
        help="its tags from now on, in place of those it had; may be given again, '' for none",
    )
    parser.add_argument("--note", metavar="TEXT", type=_label_or_nothing, help="its note from now on, '' for none")
    parser.add_argument(
        "--max-minutes",
        metavar="MIN",
        type=values.minutes_or_none,
        help="its timebox from now on, counted from the start of the attempt; none: no limit",
    )
    parser.add_argument("--priority", metavar="N", type=values.whole(), help="higher goes first")


def _label_or_nothing(text: str) -> str:
    return text and values.label(text)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Changes it, and returns when that is recorded."""
    run_ids = resolve(session, arguments.run)
    request = _request(arguments)
    _check(session, run_ids, arguments, request)
    said = ", ".join(_changes(arguments))
    if session.dry_run:
        rehearsed(session, run_ids, f"given {said}")
        return OK
    asked = [(run_id, one) for run_id in run_ids for one in _petitions(session, run_id, arguments, request)]
    answers = grant_each([petition for _, petition in asked], [run_id for run_id, _ in asked])
    # Of several petitions about one run the last tells it.
    last = {run_id: answer for (run_id, _), answer in zip(asked, answers, strict=True)}
    return reported(session, list(last.values()), said, of_ended=said)


def _request(arguments: argparse.Namespace) -> EditRequest | None:
    """None where only the timebox is to change."""
    given = (arguments.name, arguments.tag, arguments.note, arguments.priority)
    if all(one is None for one in given):
        return None
    tags = None if arguments.tag is None else tuple(dict.fromkeys(tag for tag in arguments.tag if tag))
    return EditRequest(name=arguments.name, tags=tags, note=arguments.note, priority=arguments.priority)


def _check(
    session: Session, run_ids: Sequence[str], arguments: argparse.Namespace, request: EditRequest | None
) -> None:
    """Before anything is changed.

    Raises:
        UsageError: nothing is given, or something that makes no sense for one of the runs.
    """
    if request is None and arguments.max_minutes is None:
        raise UsageError("nothing to change: give --name, --tag, --note, --max-minutes or --priority")
    if arguments.name is not None and len(run_ids) > 1:
        raise UsageError(f"--name: {arguments.run!r} means {len(run_ids)} runs; one name is for one of them")
    for run_id in run_ids:
        status = status_of(session, run_id)
        if status is None:
            raise UsageError(f"run {run_id} was recorded by the original Backprop; its records are only read")
        if status in ENDED and arguments.max_minutes is not None:
            limit = shlex.quote(_minutes(arguments.max_minutes))
            raise UsageError(
                f"--max-minutes: run {run_id} has ended ({status}); backprop-tui resume {run_id} -m {limit} goes on"
            )


def _petitions(
    session: Session, run_id: str, arguments: argparse.Namespace, request: EditRequest | None
) -> Iterator[AnyPetition]:
    if arguments.max_minutes is not None:
        limit = None if isinstance(arguments.max_minutes, NoLimit) else arguments.max_minutes
        yield SetTimebox(session, run_id, TimeboxRequest(max_run_seconds=limit))
    if request is not None:
        yield Edit(session, run_id, request)


def _changes(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.name is not None:
        yield f"name {arguments.name}"
    if arguments.tag is not None:
        yield f"tags {', '.join(filter(None, arguments.tag)) or 'none'}"
    if arguments.note is not None:
        yield "a note" if arguments.note else "no note"
    if arguments.max_minutes is not None:
        limit = _minutes(arguments.max_minutes)
        yield "no time limit" if limit == "none" else f"a limit of {limit} min"
    if arguments.priority is not None:
        yield f"priority {arguments.priority}"


def _minutes(value: float | NoLimit) -> str:
    return "none" if isinstance(value, NoLimit) else minutes(value)
