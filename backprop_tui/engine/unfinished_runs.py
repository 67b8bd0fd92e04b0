"""The runs that are unfinished or not yet indexed, and their way into the index."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from backprop_tui.domain.errors import AccessDenied, BackpropError, BrokenRecord, StorageFailed
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import LOCAL, Queued, Run
from backprop_tui.domain.run_changes import sort_queue
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.launchers.launcher import LaunchFailed
from backprop_tui.processes.detached_log import note, note_exception
from backprop_tui.store import index
from backprop_tui.store.creation import remove_marker
from backprop_tui.store.failures import Failure, failure_of, forget_failures, note_failure
from backprop_tui.store.home import RUN_ID, Home
from backprop_tui.store.hosts import belongs_here
from backprop_tui.store.locks import Lock, is_locked
from backprop_tui.store.records import public
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of

DAMAGED = (BrokenRecord, AccessDenied)  # of a record; other errors may be gone the next time
UNREADABLE_SECONDS = 1.2  # a guardian writes a damaged record again within a second


@lazy_dataclass(frozen=True, slots=True)
class LoadedRun:
    run: Run
    signature: Signature | None


class RunsByState:
    """The runs at one moment, sorted once: a thousand that wait are not sorted again with each pass."""

    __slots__ = ("active", "positions", "queue", "runs")

    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs
        self.queue: Sequence[Run] = sort_queue(run for run in runs if isinstance(run.state, Queued))
        self.active: Sequence[Run] = [run for run in runs if run.status in (Status.STARTING, Status.RUNNING)]
        self.positions: Mapping[str, int] = {run.id: number for number, run in enumerate(self.queue, start=1)}


class UnfinishedRuns:
    """The runs of one launcher that have a marker in `active/` and belong to this host."""

    def __init__(self, home: Home, launcher: str = LOCAL) -> None:
        self._home = home
        self._launcher = launcher
        self._other: dict[str, Signature] = {}
        self._loaded: dict[str, LoadedRun] = {}
        self._broken: dict[str, Signature] = {}
        self._unreadable: dict[str, float] = {}  # since when each record is missing or damaged (monotonic)
        self._skipped: dict[str, str] = {}  # why each run was left out last, by its id
        self._listed_at: int | None = None  # the time of the folder of markers when it was listed
        self._restless: set[str] = set()  # the ids of those that did not wait then, or do not any more
        self._by_state: RunsByState | None = None

    def refresh(self, guarded: Collection[str] = (), *, waiting: bool = True) -> None:
        """Reads what changed; without `waiting` not the runs that waited before, nor those of another launcher.

        Who changes such a run rings the bell, unless it is on another machine. A run of the `guarded` ones stays as it
        was if its record is gone or damaged.
        """
        changed_at = self._markers_changed_at()
        if waiting or changed_at is None or changed_at != self._listed_at:
            self._listed_at = changed_at
            self._list_and_load(guarded, waiting=waiting)
            return
        for run_id in [*self._restless]:
            before, after = self._loaded.get(run_id), self._refreshed(run_id, guarded)
            if after is not before:
                self._by_state = None
                self._loaded.pop(run_id, None)
                if after is not None:
                    self._loaded[run_id] = after

    def _markers_changed_at(self) -> int | None:
        try:
            return os.stat(self._home.active).st_mtime_ns
        except FileNotFoundError:
            return None  # a dry run before the first run was queued

    def _list_and_load(self, guarded: Collection[str], *, waiting: bool) -> None:
        try:
            run_ids = [run_id for run_id in os.listdir(self._home.active) if RUN_ID.fullmatch(run_id)]
        except FileNotFoundError:
            run_ids = []
        self._other = {run_id: self._other[run_id] for run_id in run_ids if run_id in self._other}
        self._skipped = {run_id: self._skipped[run_id] for run_id in run_ids if run_id in self._skipped}
        self._unreadable = {run_id: self._unreadable[run_id] for run_id in run_ids if run_id in self._unreadable}
        self._broken = {run_id: self._broken[run_id] for run_id in run_ids if run_id in self._broken}
        before, loaded = self._loaded, dict[str, LoadedRun]()
        for run_id in run_ids:
            last = before.get(run_id)
            now = last if not waiting and self._is_waiting(run_id, last) else self._refreshed(run_id, guarded)
            if now is not None:
                loaded[run_id] = now
        if loaded != before:
            self._by_state = None
        self._loaded = loaded
        self._restless = {run_id for run_id in run_ids if not self._is_waiting(run_id, loaded.get(run_id))}

    def _refreshed(self, run_id: str, guarded: Collection[str]) -> LoadedRun | None:
        last = self._loaded.get(run_id)
        loaded = self._load(run_id, last)
        if loaded is None and self._is_unreadable(run_id):
            self._unreadable.setdefault(run_id, time.monotonic())
        else:
            self._unreadable.pop(run_id, None)
        if loaded is None and last is not None and run_id not in self._other:
            loaded = last if run_id in guarded else self._restore(last.run)
        return loaded

    def _is_unreadable(self, run_id: str) -> bool:
        return run_id in self._broken or signature_of(self.directory(run_id).record_path) is None

    def being_repaired(self) -> str | None:
        """A run whose record is damaged and whose guardian lives, so that its GPUs are not known; None if none.

        Only for as long as a guardian takes to write the record again: a bad record must not hold up other runs.
        """
        now = time.monotonic()
        for run_id, since in self._unreadable.items():
            is_new = run_id not in self._loaded and now - since < UNREADABLE_SECONDS
            if is_new and is_locked(self.directory(run_id).lock_path):
                return run_id
        return None

    def _is_waiting(self, run_id: str, last: LoadedRun | None) -> bool:
        return run_id in self._other if last is None else isinstance(last.run.state, Queued)

    def _load(self, run_id: str, last: LoadedRun | None) -> LoadedRun | None:
        """The run as its record is now; None if it cannot be read, or is not one of ours."""
        signature = signature_of(self.directory(run_id).record_path)
        if signature is None:
            return None
        if last is not None and last.signature == signature:
            return last
        if signature in (self._broken.get(run_id), self._other.get(run_id)):
            return None
        self._broken[run_id] = signature
        with self.skipping(run_id) as problems:
            try:
                run = self.directory(run_id).read()
            except StorageFailed as error:
                if not isinstance(error, DAMAGED):
                    del self._broken[run_id]
                raise
            del self._broken[run_id]
            if run.spec.launcher != self._launcher:
                self._other[run_id] = signature
            elif belongs_here(self._home, run):
                return LoadedRun(run, signature)
        # A disk that fails is no fault of the record: it is read again, and until then counts as it was.
        return last if problems and run_id not in self._broken else None

    def _restore(self, run: Run) -> LoadedRun | None:
        """Writes the record of an active run again that is damaged, and whose guardian is gone."""
        directory = self.directory(run.id)
        if run.id not in self._broken or run.status not in (Status.STARTING, Status.RUNNING):
            return None
        with self.skipping(run.id):
            lock = try_lock_run(directory)
            if lock is not None:
                with lock:
                    with suppress(*DAMAGED):  # its guardian may have written it since, and ended
                        return LoadedRun(directory.read(), signature_of(directory.record_path))
                    directory.restore_record(run)
                    message = "its record was damaged and is written again"
                    directory.append_event("directory_damaged", message, time=time.time())
                    return LoadedRun(run, signature_of(directory.record_path))
        return None

    @property
    def has_others(self) -> bool:
        """Whether there are runs of another launcher."""
        return bool(self._other)

    @contextmanager
    def skipping(self, run_id: str) -> Iterator[list[str]]:
        """Leaves out a run that cannot be read, written or decided on, and logs it once: the others continue.

        The list has the problem then.
        """
        problems: list[str] = []
        try:
            yield problems
        except LaunchFailed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a record holds concerns this run alone
            is_expected = isinstance(error, BackpropError | OSError)
            problems.append(str(error) if is_expected else f"{type(error).__name__}: {error}")
            if self._skipped.get(run_id) != problems[0]:
                self._skipped[run_id] = problems[0]
                note(f"skipping run {run_id}: {problems[0]}")
                if not is_expected:
                    note_exception(error)

    def failure_of(self, run_id: str) -> Failure | None:
        """The failures in a row of its guardians."""
        return failure_of(self._home, run_id)

    def note_failure(self, run_id: str, reason: str, after: Failure | None) -> Failure:
        return note_failure(self._home, run_id, reason, after)

    def forget_failures(self, run_id: str) -> None:
        forget_failures(self._home, run_id)

    def directory(self, run_id: str) -> RunDirectory:
        """The directory of any run, finished ones included."""
        return RunDirectory(self._home.run_folder(run_id))

    def current(self, run_id: str) -> Run:
        """A run as its record is now, which is read only if it has changed. The caller holds the run's lock.

        Raises: as `RunDirectory.read`.
        """
        directory, loaded = self.directory(run_id), self._loaded.get(run_id)
        signature = signature_of(directory.record_path)
        if loaded is None or loaded.signature != signature:
            loaded = self._loaded[run_id] = LoadedRun(directory.read(), signature)
            self._by_state = None
        return loaded.run

    def signature(self, run_id: str) -> Signature | None:
        """That of the record of a run as it was read last."""
        loaded = self._loaded.get(run_id)
        return None if loaded is None else loaded.signature

    def put(self, run: Run) -> None:
        """Stores a record that this process has just written itself."""
        self._loaded[run.id] = LoadedRun(run, signature_of(self.directory(run.id).record_path))
        self._by_state = None
        self._restless.add(run.id)

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
        """Any run, finished ones included; None if there is none. Raises: StorageFailed, if it cannot be read."""
        loaded = self._loaded.get(run_id)
        if loaded is not None:
            return loaded.run
        directory = self.directory(run_id)
        return None if signature_of(directory.record_path) is None else directory.read()

    def by_state(self) -> RunsByState:
        """The same object as before if nothing has changed, and so are its lists."""
        if self._by_state is None:
            self._by_state = RunsByState([loaded.run for loaded in self._loaded.values()])
        return self._by_state

    def runs(self) -> list[Run]:
        return self.by_state().runs

    def queued(self) -> Sequence[Run]:
        """The runs that wait, in the order in which they are considered."""
        return self.by_state().queue

    def active(self) -> Sequence[Run]:
        """The runs that were admitted and have not ended."""
        return self.by_state().active


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
                forget_failures(home, run.id)
                directory.delete_environment(run)  # a guardian that was killed at the very end may have left it
                remove_marker(home, run.id)
        except (BackpropError, OSError):
            return
