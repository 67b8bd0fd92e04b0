"""Finds the files a run writes: those new or changed since the last scan, at a cost independent of the cwd's size.

A directory is listed again only when it changed, and skipped when it has too many entries. Files with uninteresting
names are not even stat'ed. The work of one scan is limited, and the next one continues from there. Links are never
followed.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from backprop_tui.domain.checkpoint_names import may_be_checkpoint
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.descriptors import files_written_by
from backprop_tui.readers.files import tensorboard
from backprop_tui.runner.outputs.locations import DEEPEST, OutputLocation, contains
from backprop_tui.runner.outputs.ownership import (
    DescriptorWatch,
    FileEvidence,
    Neighbour,
    Written,
    WrittenBytes,
)

_STICKY = stat.S_ISVTX  # set for /tmp and the like, where everybody writes
MAX_ENTRIES = 20_000  # entries of a directory that the run is known to write to
MAX_GUESSED_ENTRIES = 2_000  # entries of a guessed directory; one with more is taken for a data set
MAX_FOLDERS = 2_000
MAX_FILES = 20_000  # files remembered in all directories together
MAX_GUESSED_FILES = 10_000  # a data set in many directories must leave room for known output files
MAX_OPEN_FILES = 1_000
OPEN_SECONDS = 5.0  # for which a file that was open may have been written on: until two scans later
MAX_DOUBTFUL = 200  # files in a shared directory
MAX_PENDING = 100  # output locations that do not exist yet
UNITS_PER_SCAN = 3_000  # entries listed and files stat'ed in guessed directories
COARSE_CLOCK_NS = 2_000_000_000  # a directory that changed this recently may change again within one clock tick
SKIPPED_FOLDERS = frozenset(
    {"node_modules", "__pycache__", "venv", "env", "virtualenv", "site-packages", "wandb", "mlruns", "cache", "caches"}
)
# Files that matter besides those that may be checkpoints by their names: parts of checkpoints, and metrics.
INTERESTING_ENDINGS = (
    *(".distcp", ".metadata", ".index", ".csv", ".ocdbt", "trainer_state.json", ".index.json", "saved_model.pb"),
    *("_CHECKPOINT_METADATA", "latest", "latest_checkpointed_iteration.txt"),
)


def may_belong_to_run(folder: str) -> bool:
    """Whether a directory may belong to a single run: not the root, the home directory or one such as /tmp."""
    if folder in ("/", os.path.expanduser("~")):
        return False
    try:
        return not os.stat(folder).st_mode & _STICKY
    except OSError:
        return False


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A regular file as it was found; `modified_ns` is in the wall-clock time of its file system."""

    path: str
    size_bytes: int
    modified_ns: int


@lazy_dataclass(slots=True)
class _Folder:
    """A known directory and the interesting files in it; `modified_ns` None: to be listed at the next scan."""

    path: str
    depth: int
    guessed: bool
    modified_ns: int | None = None
    crowded: bool = False
    is_watched: bool = False  # its files were looked at before, or it appeared while its parent was
    files: dict[str, tuple[int, int] | None] = field(default_factory=dict)  # size and time, None: not checked yet
    sample: WrittenBytes = field(default_factory=WrittenBytes)  # at the scan before


class OutputFiles:
    """Scans the directories one attempt writes to; each scan blocks as long as the file systems do."""

    def __init__(
        self,
        locations: Iterable[OutputLocation],
        *,
        cwd: str,
        since_ns: int,
        pids: Callable[[], Iterable[int]] = tuple,
        is_relevant: Callable[[str], bool] = lambda _path: False,
        neighbours: Callable[[], Sequence[Neighbour]] = tuple,
        store: str | None = None,
    ) -> None:
        """Scans `locations` and then `cwd` for files that were modified at `since_ns` (wall-clock time) or later.

        `pids` returns the run's processes. `is_relevant` selects paths whose names are not interesting in themselves.
        While there are `neighbors`, other runs may write into `cwd`, or where they say: files there need evidence to
        count as this run's.
        A `store` in `cwd` is no part of it: it has the directories of all runs.
        """
        self._cwd = cwd
        self._since_ns = since_ns
        self.earliest_ns = since_ns  # below that after the clock was set back
        self._pids = pids
        self._is_relevant = is_relevant
        self._evidence = FileEvidence(neighbours, pids)
        self._descriptors = DescriptorWatch(pids)
        self._doubtful: dict[str, Written] = {}  # files that may be of another run
        self._folders: dict[str, _Folder] = {}
        self._file_count = 0  # in all of them
        self._guessed: deque[str] = deque()  # in the order in which they are scanned
        self._pending: deque[OutputLocation] = deque(locations)  # not scanned yet, or not existing yet
        self._opened: dict[str, int] = {}  # when its processes had each file open for writing (ns), the latest last
        self._real_cwd = ""
        self._given_store = store
        self._pending.append(OutputLocation(cwd, guessed=True))

    def add_folder(self, folder: str, *, depth: int = DEEPEST) -> None:
        """Adds a directory that the run is known to write to; may be called while another thread scans."""
        self._pending.append(OutputLocation(folder, depth))

    def scan(self) -> Sequence[OutputFile]:
        """The files that are new or changed since the last scan, oldest first."""
        pids = tuple(self._pids())
        self._evidence.look(pids)
        self._add_open_files(pids)
        self._add_pending()
        changed: list[OutputFile] = []
        certain = [path for path, folder in self._folders.items() if not folder.guessed]
        for path in certain:  # grows during the loop, because subdirectories are scanned at once
            self._check(self._folders[path], changed, certain)
        self._scan_guessed(changed)
        changed += self._decide_doubtful()
        return sorted(changed, key=lambda file: file.modified_ns)

    def _scan_guessed(self, changed: list[OutputFile]) -> None:
        """Scans as many guessed directories as one scan may cost, continuing where the last one ended."""
        units = UNITS_PER_SCAN
        scanned = []
        while self._guessed and units > 0:
            folder = self._folders.get(self._guessed.popleft())
            if folder is not None and folder.guessed:
                units -= 1 + self._check(folder, changed, self._guessed)
                scanned.append(folder.path)
        self._guessed.extend(path for path in scanned if path in self._folders)

    def _add_open_files(self, pids: Iterable[int]) -> None:
        now_ns = time.time_ns()
        for path in map(self._relative_to_cwd, files_written_by(pids) | self._descriptors.take()):
            self._opened.pop(path, None)
            self._opened[path] = now_ns
            if len(self._opened) > MAX_OPEN_FILES:
                del self._opened[next(iter(self._opened))]
            folder = os.path.dirname(path)
            known = self._folders.get(folder)
            if self._evidence.is_shared and contains(self._cwd, folder) and not contains(self._store, folder):
                self._evidence.claim(path, since_ns=self._since_ns)  # the others in it may be of another run
            elif (known is None or known.guessed) and not _is_tool_folder(folder, self._cwd):
                self._pending.append(OutputLocation(folder, depth=1))

    def _add_pending(self) -> None:
        for _ in range(len(self._pending)):
            location = self._pending.popleft()
            if not os.path.isdir(location.folder):
                if len(self._pending) < MAX_PENDING:
                    self._pending.append(location)
            elif location.guessed or may_belong_to_run(location.folder):
                guessed = location.guessed or contains(location.folder, self._cwd)
                queue: deque[str] = self._guessed if guessed else deque()  # the others are scanned in any case
                self._add_directory(location.folder, location.depth, guessed=guessed, queue=queue)

    def _relative_to_cwd(self, path: str) -> str:
        """The path as seen from the cwd: the kernel resolves links, but records use the cwd as it was given."""
        self._real_cwd = self._real_cwd or os.path.realpath(self._cwd)
        return self._cwd + path[len(self._real_cwd) :] if contains(self._real_cwd, path) else path

    @cached_property
    def _store(self) -> str:
        return self._relative_to_cwd(os.path.realpath(self._given_store)) if self._given_store else os.devnull

    def _add_directory(
        self, path: str, depth: int, *, guessed: bool, queue: list[str] | deque[str], is_watched: bool = False
    ) -> None:
        """Adds a directory, or improves what is known of it; `queue` are the paths still to be scanned."""
        known = self._folders.get(path)
        if known is None:
            if len(self._folders) < MAX_FOLDERS:
                sample = self._evidence.sample_before(path) if guessed else WrittenBytes()
                self._folders[path] = _Folder(path, depth, guessed, sample=sample, is_watched=is_watched)
                queue.append(path)
        elif depth > known.depth or (known.guessed and not guessed):
            # List it again, because what is below it is searched more deeply or with more certainty now.
            known.depth, known.guessed = max(depth, known.depth), known.guessed and guessed
            known.modified_ns, known.crowded = None, False
            queue.append(path)

    def _check(self, folder: _Folder, changed: list[OutputFile], queue: list[str] | deque[str]) -> int:
        """Lists a directory if it changed, and checks its files; returns the cost in entries and files."""
        listed = 0
        try:
            modified_ns = os.stat(folder.path).st_mtime_ns
            if folder.modified_ns != modified_ns and not folder.crowded:
                listed = self._list(folder, queue)
                is_settled = time.time_ns() - modified_ns > COARSE_CLOCK_NS
                folder.modified_ns = modified_ns if is_settled else None
        except OSError:
            del self._folders[folder.path]  # removed or not readable; found again in its parent if it reappears
            self._file_count -= len(folder.files)
            return 1
        units = listed + len(folder.files)
        for name, before in list(folder.files.items()):
            file, changed_ns = _stat_regular_file(os.path.join(folder.path, name))
            if file is None:
                del folder.files[name]
                self._file_count -= 1
                continue
            folder.files[name] = current = (file.size_bytes, file.modified_ns)
            # After the clock was set back, what was there before may have the same times as what is new.
            earliest_ns = self._since_ns if before is None and not folder.is_watched else self.earliest_ns
            # A script may set the time of modification, but not that of the last change.
            is_new = min(file.modified_ns, changed_ns) >= earliest_ns
            if current != before and is_new and self._belongs_to_run(folder, file, before):
                changed.append(file)
        folder.sample, folder.is_watched = self._evidence.sample, True
        return units

    def _belongs_to_run(self, folder: _Folder, file: OutputFile, before: tuple[int, int] | None) -> bool:
        """Whether it is known at once that this run has written the file; notes it as doubtful if that is not known."""
        is_named = not folder.guessed or self._is_relevant(file.path)
        if is_named and not self._evidence.is_named_by_others_at(file.modified_ns, file.path):
            return True
        if self._was_open(file) or not (is_named or self._evidence.is_shared_at(file.modified_ns)):
            self._evidence.claim(file.path, since_ns=self._since_ns)
            return True
        if file.path in self._doubtful or len(self._doubtful) < MAX_DOUBTFUL:
            added = (
                file.size_bytes - before[0] if before is not None and before[0] < file.size_bytes else file.size_bytes
            )
            self._doubtful[file.path] = Written(file.path, added, file.modified_ns, folder.sample)
        return False

    def _was_open(self, file: OutputFile | Written) -> bool:
        """Whether a process of this run had it open about when it was changed: later, another run may have."""
        opened_ns = self._opened.get(file.path)
        return opened_ns is not None and file.modified_ns <= opened_ns + OPEN_SECONDS * 1e9

    def _decide_doubtful(self) -> list[OutputFile]:
        """The doubtful files that this run has written according to the evidence; the others are tried again."""
        doubtful = list(self._doubtful.values())
        if doubtful:
            self._descriptors.start()
        own = []
        for file, is_own in zip(doubtful, self._evidence.of_this_run(doubtful, since_ns=self._since_ns), strict=True):
            belongs = self._was_open(file) or is_own
            status = None if belongs is False else _stat_regular_file(file.path)[0]
            # Later writes are no evidence.
            self._doubtful[file.path] = replace(file, size_bytes=0)
            if status is None or belongs:
                del self._doubtful[file.path]
            if status is not None and belongs:
                own.append(status)
        return own

    def undecided(self) -> Mapping[str, int]:
        """The files of which it is not known whether this run has written them, with the time of change (ns)."""
        return {path: file.modified_ns for path, file in self._doubtful.items()}

    def others_at(self, at_ns: int, path: str) -> Sequence[str]:
        """The other runs that may have written a path at this wall-clock time."""
        return sorted(self._evidence.writers_at(at_ns, path))

    def is_proven(self, path: str, at_ns: int) -> bool:
        """Whether only this run can have written a checkpoint that last changed then."""
        return self._evidence.is_proven(path, at_ns)

    def look(self) -> None:
        """Looks at the other runs, before the first scan: one may end until then."""
        self._evidence.look(self._pids())

    def _list(self, folder: _Folder, queue: list[str] | deque[str]) -> int:
        """Adds the subdirectories and interesting files of a directory; returns how many entries were read."""
        most = MAX_GUESSED_ENTRIES if folder.guessed else MAX_ENTRIES
        most_files = MAX_GUESSED_FILES if folder.guessed else MAX_FILES
        count = 0
        with os.scandir(folder.path) as entries:
            for count, entry in enumerate(entries, start=1):
                if count > most or self._file_count >= most_files:
                    folder.crowded = True
                    break
                if entry.is_dir(follow_symlinks=False):
                    if folder.depth > 0 and not is_skipped(entry.name) and entry.path != self._store:
                        watched, depth = folder.is_watched, folder.depth - 1
                        self._add_directory(entry.path, depth, guessed=folder.guessed, queue=queue, is_watched=watched)
                elif entry.name not in folder.files and self._is_interesting(entry.name, entry.path):
                    folder.files[entry.name] = None
                    self._file_count += 1
        return count

    def _is_interesting(self, name: str, path: str) -> bool:
        is_of_interest = name.endswith(INTERESTING_ENDINGS) or tensorboard.MARK in name
        return is_of_interest or may_be_checkpoint(name) or self._is_relevant(path)


def is_skipped(name: str) -> bool:
    """Whether a directory of this name never contains a run's outputs."""
    return name.startswith(".") or name.lower() in SKIPPED_FOLDERS


def _is_tool_folder(folder: str, cwd: str) -> bool:
    """Whether it belongs to a cache or a tool, so that files in it are no outputs."""
    return any(map(is_skipped, os.path.relpath(folder, cwd).split("/"))) if contains(cwd, folder) else "/." in folder


def _stat_regular_file(path: str) -> tuple[OutputFile | None, int]:
    """The file and the time (ns) of its last change; None if it is gone or not regular."""
    try:
        status = os.lstat(path)
    except OSError:
        return None, 0
    if not stat.S_ISREG(status.st_mode):
        return None, 0
    file = OutputFile(path=path, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
    return file, status.st_ctime_ns
