"""After queueing: what is printed where the runs are left to themselves, and how they are shown where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from backprop_tui.cli import output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.interrupts import Interrupts
from backprop_tui.cli.session import Session
from backprop_tui.cli.tails import From
from backprop_tui.domain.run import Run
from backprop_tui.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from backprop_tui.cli.presenters import Presenter


def detach(session: Session, run_ids: Sequence[str], *, as_array: bool) -> int:
    """`-d`: the ids, one a line; with --json the run, or the array of a sweep."""
    if session.json:
        shown = [RunDirectory(session.home.run_folder(run_id)).shown() for run_id in run_ids]
        output.json_value(shown if as_array else shown[0])
    else:
        for run_id in run_ids:
            output.line(run_id)
    return OK


def follow(
    session: Session,
    run_ids: Sequence[str],
    interrupts: Interrupts,
    *,
    starts: Mapping[str, From] | None = None,
    before: Run | None = None,
    wait_when_held: bool = True,
) -> int:
    """Follows runs to their ends; the exit code of the first that did not end well.

    Args:
        session: This invocation.
        run_ids: What it queued.
        interrupts: Ctrl-C.
        starts: From where on the files of each are news; None: from the beginning.
        before: The record of the one run before it was resumed; None where it is new.
        wait_when_held: Else a run that is held leaves the queue as if it had never been in it, exit code 75.
    """
    from backprop_tui.cli.following import Following

    begun = {run_id: From() if starts is None else starts[run_id] for run_id in run_ids}
    following = Following(session, begun, presenter_for(session, run_ids), interrupts)
    if not wait_when_held:
        from backprop_tui.cli.withdrawal import withdraw

        following.leave_when_held(lambda run_id: withdraw(session, run_id, before))
    return following.to_the_end()


def presenter_for(session: Session, run_ids: Sequence[str]) -> Presenter:
    """How these runs are shown to whoever follows them here."""
    from backprop_tui.cli.presenters import JsonEvents, PlainOutput, PrefixedOutput

    if session.json:
        return JsonEvents()
    names = {run_id: RunDirectory(session.home.run_folder(run_id)).read().name for run_id in run_ids}
    titles = {run_id: f"{run_id} ({name})" for run_id, name in names.items()}
    if len(names) == 1:
        return PlainOutput(titles)
    return PrefixedOutput(titles, labels(names))


def labels(names: Mapping[str, str]) -> dict[str, str]:
    """What stands before each run's lines: its name, where it is the only one of that name, else its id."""
    told = list(names.values())
    return {run_id: name if told.count(name) == 1 else run_id for run_id, name in names.items()}
