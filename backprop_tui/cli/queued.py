"""After a command has queued runs: prints their ids, opens the dashboard, or follows them; Ctrl-C is counted."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

from backprop_tui.cli import output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.file_sizes import FileSizes
from backprop_tui.domain.run import Run
from backprop_tui.store.run_directory import RunDirectory


class Interrupts:
    """Counts SIGINT while entered: the first stops the runs, the second kills them, the third leaves them."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = signal.SIG_DFL

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


def print_ids(session: Session, run_ids: Sequence[str], *, as_array: bool) -> int:
    """`--detach`: the ids, one a line; with --json the run, or an array of several."""
    if session.json:
        records = [RunDirectory(session.home.run_folder(run_id)).shown() for run_id in run_ids]
        output.json_value(records if as_array else records[0])
    else:
        for run_id in run_ids:
            output.line(run_id)
    return OK


def follow(
    session: Session,
    run_ids: Sequence[str],
    interrupts: Interrupts,
    *,
    starts: Mapping[str, FileSizes] | None = None,
    before: Run | None = None,
    wait_when_held: bool = True,
) -> int:
    """Follows runs to their ends; the exit code of the first that did not end well.

    Args:
        session: This invocation.
        run_ids: The runs that it queued.
        interrupts: Ctrl-C.
        starts: How much of each run's files is old; None: nothing.
        before: The record of the one run before it was resumed; None if it is new.
        wait_when_held: If not, a run that is held is taken out of the queue again, exit code 75.
    """
    from backprop_tui.cli.following import Following  # while the supervisor starts the run
    from backprop_tui.cli.presenters import presenter_for

    starts = {run_id: FileSizes() for run_id in run_ids} if starts is None else starts
    following = Following(session, starts, presenter_for(session, run_ids), interrupts)
    if not wait_when_held:
        from backprop_tui.client.queueing import withdraw

        following.withdraw_when_held(lambda run_id: withdraw(session, run_id, before))
    return following.to_the_end()
