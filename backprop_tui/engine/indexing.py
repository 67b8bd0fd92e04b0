"""Brings what changed into the index, off the critical path, and unmarks the runs that are ended and indexed."""

from __future__ import annotations

import os
from collections.abc import Iterable

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ENDED
from backprop_tui.store import index
from backprop_tui.store.home import Home
from backprop_tui.store.records import public
from backprop_tui.store.run_directory import RunDirectory


def index_runs(home: Home, runs: Iterable[Run]) -> None:
    """Writes these records, then unmarks the ended ones among them.

    Raises:
        StorageFailed: the index could not be written; every marker stays, so that the next writer does it again.
    """
    runs = list(runs)
    index.update(home, {run.id: public(run, home.run_folder(run.id)) for run in runs})
    for run in runs:
        if run.status in ENDED:
            unmark(home, run)


def unmark(home: Home, run: Run) -> None:
    """Only under the run's lock, and only if it is still that end: `resume` may have queued it again."""
    directory = RunDirectory(home.run_folder(run.id))
    try:
        lock = directory.try_lock()
    except FileNotFoundError:
        lock = None
    if lock is None:
        return
    with lock:
        try:
            now = directory.read()
        except BackpropError:
            return
        if now.state == run.state and len(now.attempts) == len(run.attempts):
            directory.delete_environment()  # a guardian killed at the very end may have left it
            try:
                os.unlink(home.marker(run.id))
            except FileNotFoundError:
                return
