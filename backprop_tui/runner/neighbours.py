"""Finds out whether another run works in the same directory, so that files there may belong to either."""

from __future__ import annotations

import os

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.run import Ended, Queued
from backprop_tui.runner.writing_places import contains
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory


class DirectoryNeighbours:
    """Looks at the other unfinished runs; the working directory of each is read once."""

    __slots__ = ("_cwd", "_cwds", "_home", "_run_id")

    def __init__(self, home: Home, run_id: str, cwd: str) -> None:
        self._home = home
        self._run_id = run_id
        self._cwd = cwd
        self._cwds: dict[str, str] = {}

    def is_shared(self) -> bool:
        """Whether another active run works in this run's directory, or above or below it."""
        try:
            run_ids = set(os.listdir(self._home.active)) - {self._run_id}
        except OSError:
            return False
        self._cwds = {run_id: cwd for run_id, cwd in self._cwds.items() if run_id in run_ids}
        return any(self._shares_directory(run_id) for run_id in run_ids)

    def _shares_directory(self, run_id: str) -> bool:
        cwd = self._cwds.get(run_id)
        if cwd is not None and not _overlap(cwd, self._cwd):
            return False
        try:
            run = RunDirectory(self._home.run_folder(run_id)).read()
        except BackpropError:
            return False  # removed at this moment, or written by another version
        self._cwds[run_id] = run.spec.cwd
        return _overlap(run.spec.cwd, self._cwd) and not isinstance(run.state, Queued | Ended)


def _overlap(folder: str, other: str) -> bool:
    return contains(folder, other) or contains(other, folder)
