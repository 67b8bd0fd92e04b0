"""Decides by evidence which of several runs in one directory wrote a file."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import merge_live
from backprop_tui.domain.run import Ended, Queued, Run
from backprop_tui.processes.descriptors import files_written_by
from backprop_tui.processes.identity import DEAD_STATES, Identity, is_alive, state_of
from backprop_tui.processes.linux import birth_time_ns
from backprop_tui.processes.tree import children, descendants
from backprop_tui.runner.outputs.locations import PathPatterns, contains, named_folders
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of

MAX_NEIGHBOURS = 8  # runs in the same directory whose processes are looked at
SAME_SAVE_NS = 10_000_000  # records keep milliseconds
MAX_PROVEN = 1_000  # files that are known to be of this run
MAX_LOOKS_PER_SCAN = 20  # at the neighbors again, for files that were written after the first one
MAX_FOLDERS = 500  # that are known to be of this run, or of another
WATCH_SECONDS = 60.0  # without a break
WATCH_CPU_SHARE = 0.05
MIN_WATCH_PAUSE_SECONDS = 0.004
REFRESH_SECONDS = 0.5  # of the processes that are watched
_EVENT_FILE = re.compile(r"tfevents\.\d+\..+?\.(\d+)\.\d+(?:\.|$)")
# A directory with such a name belongs to the one that it is in: version_0/checkpoints, but not runs/version_0.
_INNER_FOLDER = re.compile(r"(?:checkpoint|ckpt|weight|model|state)s?(?:[-_=]?\d+)?", re.IGNORECASE)


def _overlap(folder: str, other: str) -> bool:
    return contains(folder, other) or contains(other, folder)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another active run that may write where this run does; `script_pid` is None before its script runs.

    `shares_cwd`: its working directory is that of this run, above or below it. It may write into the `named`
    directories of its command line, and what its `patterns` for checkpoints match, which start at its `cwd`.
    """

    run_id: str
    started_at: float
    script_pid: int | None
    shares_cwd: bool = True
    cwd: str = ""
    named: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


class DirectoryNeighbours:
    """Looks at the other unfinished runs; the record of each is read again when it has changed."""

    def __init__(self, home: Home, run_id: str, cwd: str, named: Sequence[str] = ()) -> None:
        """`named` are the directories of output that the command line of this run names."""
        self._home = home
        self._run_id = run_id
        self._cwd = cwd
        self._named = named
        self._records: dict[str, tuple[Signature | None, Run]] = {}  # of those whose script was started

    def is_shared(self) -> bool:
        """Whether another active run works in this run's directory, or above or below it."""
        return bool(self.active())

    def active(self) -> Sequence[Neighbour]:
        try:
            run_ids = set(os.listdir(self._home.active)) - {self._run_id}
        except OSError:
            return ()
        self._records = {run_id: known for run_id, known in self._records.items() if run_id in run_ids}
        neighbours = map(self._neighbour, sorted(run_ids))
        return [neighbour for neighbour in neighbours if neighbour is not None]

    def records_of(self, run_ids: Iterable[str]) -> Iterator[Run]:
        """The other runs as they are recorded, with their checkpoints."""
        for run_id in sorted(run_ids):
            directory = RunDirectory(self._home.run_folder(run_id))
            with contextlib.suppress(BackpropError):  # removed at this moment, or written by another version
                run = directory.read()
                yield merge_live(run, directory.read_live())

    def _neighbour(self, run_id: str) -> Neighbour | None:
        signature, run = self._records.get(run_id, (None, None))
        if run is not None and not self._is_near(run):
            return None
        directory = RunDirectory(self._home.run_folder(run_id))
        # Of a long queue most runs have not started. Of those that have ended most have no environment any more.
        if not (os.path.lexists(directory.script_lock) and os.path.lexists(directory.environment_path)):
            return None
        current = signature_of(directory.record_path)
        if run is None or signature != current:
            try:
                run = directory.read()
            except BackpropError:
                return None  # removed at this moment, or written by another version
            self._records[run_id] = current, run
        if not self._is_near(run) or isinstance(run.state, Queued | Ended):
            return None
        identity = directory.script_identity()
        is_current = identity is not None and bool(run.attempts) and identity[0] == run.attempt.number
        if identity is not None and is_current and _is_over(directory, Identity(*identity[1:])):
            return None
        return Neighbour(
            run_id=run_id,
            started_at=run.attempt.started_at if run.attempts else run.state.since,
            script_pid=identity[1] if identity is not None and is_current else None,
            shares_cwd=_overlap(run.spec.cwd, self._cwd),
            cwd=run.spec.cwd,
            named=named_folders(run.spec),
            patterns=run.spec.checkpoint_globs,
        )

    def _is_near(self, run: Run) -> bool:
        """Whether the run may write where this one does."""
        if _overlap(run.spec.cwd, self._cwd):
            return True
        return bool(self._named) and any(
            _overlap(folder, other) for folder in named_folders(run.spec) for other in self._named
        )


def _is_over(directory: RunDirectory, script: Identity) -> bool:
    """Whether the script is dead and has left no process, so that it writes no more; False if that is not known.

    The next run may have been started by then, while the guardian still writes how this one ended. A guardian is a
    subreaper: what its script left running is its child.
    """
    if is_alive(script):
        return False
    from backprop_tui.launchers.lease import holds_open  # seldom needed

    live = directory.read_live()
    if live is None or not holds_open(live.runner_pid, directory.lock_path):
        return False  # it is gone, or its processes are not visible from here
    return all(state_of(pid) in (*DEAD_STATES, None) for pid in children(live.runner_pid))


def may_write(neighbour: Neighbour, path: str) -> bool:
    """Whether the run says by its options that it writes this path."""
    if any(contains(folder, path) for folder in neighbour.named):
        return True
    return bool(neighbour.patterns) and PathPatterns(neighbour.patterns, neighbour.cwd).path_of(path) is not None


@lazy_dataclass(frozen=True, slots=True)
class WrittenBytes:
    """Bytes written up to a wall-clock time by the processes of this run and of each neighbor; None if unknown."""

    own_bytes: int | None = 0
    others: Mapping[tuple[str, int | None], int | None] = field(default_factory=dict)  # by run and pid
    at_ns: int = 0


@lazy_dataclass(frozen=True, slots=True)
class Written:
    """A file in a shared directory, and how many bytes were written to it since `before`."""

    path: str
    size_bytes: int
    modified_ns: int
    before: WrittenBytes


class DescriptorWatch:
    """Polls the open files of a run, to see short saves; runs only while it is needed."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._files: set[str] = set()
        self._thread: threading.Thread | None = None
        self._may_start_at = 0.0
        self._break_seconds = WATCH_SECONDS
        self._is_needed = False

    def start(self) -> None:
        """Watches until the next scan does not ask for it, and for a limited time without a break."""
        self._is_needed = True
        now = time.monotonic()
        if (self._thread is None or not self._thread.is_alive()) and now >= self._may_start_at:
            self._may_start_at = now + WATCH_SECONDS + self._break_seconds
            self._break_seconds *= 2  # more polling is unlikely to help
            self._thread = threading.Thread(target=self._watch, daemon=True)
            with contextlib.suppress(RuntimeError):  # no more threads: without this evidence
                self._thread.start()

    def take(self) -> set[str]:
        """The files that were seen open for writing since the last call."""
        self._is_needed = False
        files, self._files = self._files, set()
        return files

    def _watch(self) -> None:
        end, refresh_at = time.monotonic() + WATCH_SECONDS, 0.0
        pids: list[int] = []
        needed_until = 0.0
        while (now := time.monotonic()) < end:
            if self._is_needed:
                needed_until = now + WATCH_SECONDS / 10
            elif now > needed_until:
                self._may_start_at, self._break_seconds = 0.0, WATCH_SECONDS
                return
            began = time.thread_time()
            if now >= refresh_at:
                pids, refresh_at = list(self._pids()), now + REFRESH_SECONDS
            self._files |= files_written_by(pids)
            spent = time.thread_time() - began
            time.sleep(max(MIN_WATCH_PAUSE_SECONDS, spent / WATCH_CPU_SHARE))


class FileEvidence:
    """Collects evidence of one attempt; used by the thread that scans its files."""

    def __init__(self, neighbours: Callable[[], Sequence[Neighbour]], pids: Callable[[], Iterable[int]]) -> None:
        self._neighbours = neighbours
        self._pids = pids
        self._own_pids: set[int] = set()
        self._other_pids: set[int] = set()
        self._lives: dict[str, list[float]] = {}  # of each neighbor: its start, and when it was seen last
        self._seen: dict[str, Neighbour] = {}  # each as it was seen last
        self._active: Sequence[Neighbour] = ()
        self._looked_at_ns = 0  # when the neighbors were
        self._looks_left = 0
        self._folders: dict[str, set[bool]] = {}  # True: this run writes there, False: another does
        self._looked_at: set[str] = set()  # directories, in the decision that is being made
        self._births: dict[str, int | None] = {}
        self._proven: dict[str, int] = {}  # by what has been written; with the times of change (ns)
        self.sample = self._previous = WrittenBytes()

    def look(self, pids: Iterable[int]) -> None:
        """Looks at the neighbors at the beginning of a scan; `pids` are the run's processes now."""
        self._look_at_neighbours()
        self._looks_left = MAX_LOOKS_PER_SCAN
        self._own_pids.update(pids)
        self._previous, self.sample = self.sample, self._measure()

    def _look_at_neighbours(self) -> None:
        self._looked_at_ns = time.time_ns()
        before, self._active = self._active, self._neighbours()[:MAX_NEIGHBOURS]
        now = time.time()
        for neighbour in (*before, *self._active):  # one that is gone may have been active until now
            life = self._lives.setdefault(neighbour.run_id, [neighbour.started_at, 0.0])
            life[:] = min(life[0], now), max(life[1], now)  # the clock may be set back meanwhile
            self._seen[neighbour.run_id] = neighbour

    def sample_before(self, folder: str) -> WrittenBytes:
        """The sample of the previous scan if a newly seen directory was created after it; otherwise an empty one."""
        if not self._lives:
            return WrittenBytes()
        birth_ns = self._birth_ns(folder)
        return self._previous if birth_ns is not None and birth_ns >= self._previous.at_ns else WrittenBytes()

    def is_shared_at(self, at_ns: int) -> bool:
        """Whether another run may have been active in the directory at this wall-clock time."""
        return any(self._seen[run_id].shares_cwd for run_id in self.active_at(at_ns))

    def is_named_by_others_at(self, at_ns: int, path: str) -> bool:
        """Whether another run that may have been active then says that it writes there, by its options."""
        return any(may_write(self._seen[run_id], path) for run_id in self.active_at(at_ns))

    def writers_at(self, at_ns: int, path: str) -> set[str]:
        """The other runs that may have written a path at this wall-clock time."""
        seen = ((run_id, self._seen[run_id]) for run_id in self.active_at(at_ns))
        return {run_id for run_id, neighbour in seen if neighbour.shares_cwd or may_write(neighbour, path)}

    def active_at(self, at_ns: int) -> set[str]:
        """The other runs that may have been active at this wall-clock time."""
        if at_ns >= self._looked_at_ns and self._looks_left > 0:  # another may have been started since
            self._looks_left -= 1
            self._look_at_neighbours()
        at = at_ns / 1e9
        active = {neighbour.run_id for neighbour in self._active}
        return {
            run_id for run_id, (start, last) in self._lives.items() if start <= at and (run_id in active or at <= last)
        }

    @property
    def is_shared(self) -> bool:
        return any(neighbour.shares_cwd for neighbour in self._active)

    def is_proven(self, path: str, at_ns: int) -> bool:
        """Whether only this run can have written this file, or a file in this directory, at that time."""
        return any(abs(at - at_ns) <= SAME_SAVE_NS and contains(path, file) for file, at in self._proven.items())

    def claim(self, path: str, *, since_ns: int) -> None:
        """Notes the directory of a file of this run as its own, if it was made in this attempt."""
        folder = os.path.dirname(path)
        while True:
            birth_ns = self._birth_ns(folder)
            if birth_ns is not None and birth_ns >= since_ns:
                self._note(folder, is_own=True)
            if not _INNER_FOLDER.fullmatch(os.path.basename(folder)):
                return
            folder = os.path.dirname(folder)

    def of_this_run(self, files: Sequence[Written], *, since_ns: int) -> Sequence[bool | None]:
        """Whether this run has written each of these files; None if the evidence does not say."""
        now = self._measure() if files else self.sample
        self._looked_at.clear()
        by_bytes = [self._by_written_bytes(file, now) for file in files]
        for file, is_own in zip(files, by_bytes, strict=True):
            if is_own:
                self.claim(file.path, since_ns=since_ns)
                self._proven[file.path] = file.modified_ns
                if len(self._proven) > MAX_PROVEN:
                    del self._proven[next(iter(self._proven))]
            elif is_own is False:
                self._note(os.path.dirname(file.path), is_own=False)
        return [
            self._by_folder(file.path, since_ns) if is_own is None else is_own
            for file, is_own in zip(files, by_bytes, strict=True)
        ]

    def _by_written_bytes(self, file: Written, now: WrittenBytes) -> bool | None:
        """Whether only this run wrote enough bytes for the change; None if others may have."""
        before_bytes = file.before.own_bytes or 0
        if file.size_bytes <= 0 or now.own_bytes is None or now.own_bytes < before_bytes:
            return None  # its processes have ended, or some of them
        if now.own_bytes - before_bytes < file.size_bytes:
            return False
        for process in {**file.before.others, **now.others}:
            total, earlier = now.others.get(process), file.before.others.get(process)
            if total is None or total - (earlier or 0) >= file.size_bytes:
                return None
        # A run that is between two attempts now may have written it in the last one.
        return True if self.active_at(file.modified_ns) <= {run_id for run_id, _ in now.others} else None

    def _by_folder(self, path: str, since_ns: int) -> bool | None:
        """Whose directory it is; None if several runs write there, or below or above it."""
        known: set[bool] = set()
        folder = os.path.dirname(path)
        while True:
            known |= self._look_at_folder(folder, since_ns)
            if not _INNER_FOLDER.fullmatch(os.path.basename(folder)):
                return next(iter(known)) if len(known) == 1 else None
            folder = os.path.dirname(folder)

    def _look_at_folder(self, folder: str, since_ns: int) -> set[bool]:
        """By the process in the name of an event file; or this run was alone when the directory was made."""
        if folder in self._looked_at:
            return self._folders.get(folder, set())
        self._looked_at.add(folder)
        try:
            matches = filter(None, map(_EVENT_FILE.search, os.listdir(folder)))
            pids = {int(match[1]) for match in matches}
        except OSError:
            return set()
        if pids & self._own_pids:
            self._note(folder, is_own=True)
        if pids & self._other_pids:
            self._note(folder, is_own=False)
        birth_ns = self._birth_ns(folder)
        if folder not in self._folders and birth_ns is not None:
            if birth_ns >= since_ns and not self.is_shared_at(birth_ns):
                self._note(folder, is_own=True)
            elif birth_ns < since_ns:
                self._folders[folder] = set()  # it was there before
        return self._folders.get(folder, set())

    def _note(self, folder: str, *, is_own: bool) -> None:
        if folder in self._folders or len(self._folders) < MAX_FOLDERS:
            self._folders.setdefault(folder, set()).add(is_own)

    def _birth_ns(self, folder: str) -> int | None:
        if folder not in self._births and len(self._births) < MAX_FOLDERS:
            self._births[folder] = birth_time_ns(folder)
        return self._births.get(folder)

    def _measure(self) -> WrittenBytes:
        if not self._lives:
            return WrittenBytes(at_ns=time.time_ns())
        at_ns = time.time_ns()
        others: dict[tuple[str, int | None], int | None] = {}
        for neighbour in self._active:
            pid = neighbour.script_pid
            pids = [] if pid is None else [pid, *descendants(pid)]
            self._other_pids.update(pids)
            others[neighbour.run_id, pid] = _written_bytes(pids)
        return WrittenBytes(_written_bytes(self._pids()), others, at_ns)


def _written_bytes(pids: Iterable[int]) -> int | None:
    """What these processes have written, and the children that they have waited for; None if nothing is known."""
    total = None
    for pid in pids:
        try:
            with open(f"/proc/{pid}/io", "rb") as file:
                counters = file.read()
        except OSError:
            continue
        match = re.search(rb"wchar: (\d+)", counters)
        total = (total or 0) + (int(match[1]) if match else 0)
    return total
