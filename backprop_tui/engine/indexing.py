"""Updates the index with changed runs, and removes the markers of runs that have ended and are indexed."""

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
    """Writes these runs to the index, then removes the markers of those that have ended.

    Raises:
        StorageFailed: the index could not be written; all markers stay, so the next supervisor does it again.
    """
    runs = list(runs)
    index.update(home, {run.id: public(run, home.run_folder(run.id)) for run in runs})
    for run in runs:
        if run.status in ENDED:
            unmark(home, run)


def unmark(home: Home, run: Run) -> None:
    """Removes an ended run's marker under its lock, unless the record changed: `resume` may have queued it again."""
    directory = RunDirectory(home.run_folder(run.id))
    try:
        lock = directory.try_lock()
    except FileNotFoundError:
        lock = None
    if lock is None:
        return
    with lock:
        try:
            current = directory.read()
        except BackpropError:
            return
        if current.state == run.state and len(current.attempts) == len(run.attempts):
            directory.delete_environment()  # a guardian that was killed at the very end may have left it
            try:
                os.unlink(home.marker(run.id))
            except FileNotFoundError:
                return
