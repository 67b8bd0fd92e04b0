"""The runs that a command which changes something is about, and asking each of them without one refusal ending all."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.asking import LOOK_SECONDS
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.handles import resolve
from backprop_tui.cli.petition import Answer, Petition
from backprop_tui.cli.records import current
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.values import dataclass
from backprop_tui.store.run_view import read_view


@dataclass(frozen=True, slots=True)
class Refused:
    """One run that it cannot be done to, and why."""

    run_id: str
    error: UsageError


def chosen(session: Session, handles: Iterable[str], wanted: Collection[Status]) -> list[str]:
    """The ids of the runs that handles mean, each once.

    A handle that means several, a group or @running, means those of them that are in one of the wanted statuses, if any
    are: in a group some have ended before others began.

    Raises:
        UnknownRun: a handle means none.
    """
    found: dict[str, None] = {}
    for handle in handles:
        run_ids = resolve(session, handle)
        if len(run_ids) > 1:
            run_ids = [run_id for run_id in run_ids if status_of(session, run_id) in wanted] or run_ids
        found |= dict.fromkeys(run_ids)
    return list(found)


def status_of(session: Session, run_id: str) -> Status | None:
    """None where the run has no directory: the original recorded it, and it has ended."""
    try:
        return read_view(session.home, run_id).status
    except FileNotFoundError:
        return None


def grant_each(petitions: Sequence[Petition[Any]], run_ids: Sequence[str]) -> list[Answer | Refused]:
    """Asks all at once and waits until each is answered or refused; in the order of the petitions.

    Raises:
        StorageFailed: a request could not be written.
    """
    answers: dict[int, Answer | Refused] = {}
    while len(answers) < len(petitions):
        for place, petition in enumerate(petitions):
            if place not in answers and (answer := _look(petition, run_ids[place])) is not None:
                answers[place] = answer
        if len(answers) < len(petitions):
            time.sleep(LOOK_SECONDS)
    return [answers[place] for place in range(len(petitions))]


def _look(petition: Petition[Any], run_id: str) -> Answer | Refused | None:
    try:
        return petition.look()
    except UsageError as error:
        return Refused(run_id, error)


def rehearsed(session: Session, run_ids: Sequence[str], would: str) -> None:
    """`--dry-run`: names each run and what would be done to it."""
    for run_id in run_ids:
        record = current(session, run_id)
        if not session.json:
            output.line(f"{run_id} {record['name']} ({record['status']}): would be {would}")
    if session.json:
        output.json_value([current(session, run_id) for run_id in run_ids])


def reported(session: Session, answers: Sequence[Answer | Refused], done: str, *, of_ended: str | None = None) -> int:
    """Says of each run that it is done, or why not; the exit code.

    `of_ended` is what is done with runs that have ended; None: nothing, their end is told instead.
    """
    granted = [answer.run.id for answer in answers if isinstance(answer, Answer)]
    if session.json:
        output.json_value([current(session, run_id) for run_id in granted])
    for answer in answers:
        if isinstance(answer, Refused):
            diagnostics.complain(str(answer.error))
        elif not session.json:
            output.line(f"{answer.run.id} {answer.run.name}: {_said(answer, done, of_ended)}")
    return OK if len(granted) == len(answers) else UsageError.exit_code


def _said(answer: Answer, done: str, of_ended: str | None) -> str:
    if answer.run.status not in ENDED:
        return done
    if of_ended is not None:
        return of_ended
    return f"had ended already: {answer.run.status}" if answer.had_ended else str(answer.run.status)
