"""The runs that are unfinished or not yet indexed, and their way into the index."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from backprop_tui.domain.errors import BackpropError, BrokenRecord
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import LOCAL, Queued, Run
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.processes.detached_log import note
from backprop_tui.store import index
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import belongs_here
from backprop_tui.store.locks import Lock
from backprop_tui.store.records import public
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of


@lazy_dataclass(frozen=True, slots=True)
class LoadedRun:
    run: Run
    signature: Signature | None


class UnfinishedRuns:
    """The runs of one launcher that have a marker in `active/` and belong to this host."""

    def __init__(self, home: Home, launcher: str = LOCAL) -> None:
        self._home = home
        self._launcher = launcher
        self._other: dict[str, Signature] = {}
        self._loaded: dict[str, LoadedRun] = {}
        self._broken: dict[str, Signature] = {}
        self._skipped: dict[str, str] = {}  # why each run was left out last, by its id

    def refresh(self, *, waiting: bool = True) -> None:
        """Reads what changed; without `waiting` not the runs that waited before, nor those of another launcher.

        Who changes such a run rings the bell, unless it is on another machine.
        """
        try:
            run_ids = os.listdir(self._home.active)
        except FileNotFoundError:
            run_ids = []  # a dry run before the first run was queued
        self._loaded = {run_id: self._loaded[run_id] for run_id in run_ids if run_id in self._loaded}
        self._other = {run_id: self._other[run_id] for run_id in run_ids if run_id in self._other}
        for run_id in run_ids:
            if waiting or not self._is_waiting(run_id):
                self._load(run_id)

    def _is_waiting(self, run_id: str) -> bool:
        loaded = self._loaded.get(run_id)
        return run_id in self._other if loaded is None else isinstance(loaded.run.state, Queued)

    def _load(self, run_id: str) -> None:
        signature = signature_of(self.directory(run_id).record_path)
        if signature is None:
            self._loaded.pop(run_id, None)
            return
        loaded = self._loaded.get(run_id)
        is_unchanged = loaded is not None and loaded.signature == signature
        if is_unchanged or signature in (self._broken.get(run_id), self._other.get(run_id)):
            return
        self._loaded.pop(run_id, None)
        self._broken[run_id] = signature
        with self.skipping(run_id):
            run = self.directory(run_id).read()
            del self._broken[run_id]
            if run.spec.launcher != self._launcher:
                self._other[run_id] = signature
            elif belongs_here(self._home, run):
                self._loaded[run_id] = LoadedRun(run, signature)

    @property
    def has_others(self) -> bool:
        """Whether there are runs of another launcher."""
        return bool(self._other)

    @contextmanager
    def skipping(self, run_id: str) -> Iterator[None]:
        """Leaves out a run with a broken or inaccessible file, and logs it once: the others continue."""
        try:
            yield
        except BrokenRecord as error:
            if self._skipped.get(run_id) != str(error):
                self._skipped[run_id] = str(error)
                note(f"skipping run {run_id}: {error}")

    def directory(self, run_id: str) -> RunDirectory:
        """The directory of any run, finished ones included."""
        return RunDirectory(self._home.run_folder(run_id))

    def put(self, run: Run) -> None:
        """Stores a record that this process has just written itself."""
        self._loaded[run.id] = LoadedRun(run, signature_of(self.directory(run.id).record_path))

    def take_over(self, run: Run) -> Run:
        """The run as one of this host; its record is changed if the machine had another name. Needs the run's lock."""
        if run.host == self._home.host:
            return run
        directory, message = self.directory(run.id), f"its host was {run.host} and is now {self._home.host}"
        run = replace(run, host=self._home.host)
        directory.write(run, durable=True)
        directory.append_event("host_changed", message, time=time.time())
        return run

    def find(self, run_id: str) -> Run | None:
        """Any run, finished ones included; None if there is none, or its record cannot be read."""
        loaded = self._loaded.get(run_id)
        try:
            return self.directory(run_id).read() if loaded is None else loaded.run
        except BackpropError:
            return None

    def runs(self) -> list[Run]:
        return [loaded.run for loaded in self._loaded.values()]

    def queued(self) -> list[Run]:
        return [run for run in self.runs() if run.status is Status.QUEUED]

    def active(self) -> list[Run]:
        """The runs that were admitted and have not ended."""
        return [run for run in self.runs() if run.status in (Status.STARTING, Status.RUNNING)]


def index_runs(home: Home, runs: Iterable[Run]) -> None:
    """Writes these runs to the index, then removes the markers of those that have ended.

    If the index cannot be written all markers stay, so that the next supervisor does it again.
    """
    runs = list(runs)
    index.update(home, {run.id: public(run, home.run_folder(run.id)) for run in runs})
    for run in runs:
        if run.status in ENDED:
            unmark(home, run)


def try_lock_run(directory: RunDirectory) -> Lock | None:
    """The run's lock; None if another process holds it, or the run was removed at this moment."""
    try:
        return directory.try_lock()
    except FileNotFoundError:
        return None


def unmark(home: Home, run: Run) -> None:
    """Removes an ended run's marker under its lock, unless the record changed: `resume` may have queued it again."""
    directory = RunDirectory(home.run_folder(run.id))
    lock = try_lock_run(directory)
    if lock is None:
        return
    with lock:
        try:
            current = directory.read()
            if current.state == run.state and len(current.attempts) == len(run.attempts):
                directory.delete_environment()  # a guardian that was killed at the very end may have left it
                os.unlink(home.marker(run.id))
        except (BackpropError, FileNotFoundError):
            return
