"""Finds the files a run writes: those new or changed since the last look, at a cost that does not grow with its cwd.

A directory is listed again only when it changed, and left alone when it holds too many entries; files whose names
interest nobody are not even stat'ed; one look does so much and no more, and the next goes on from there. Links are
never followed.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field

from backprop_tui.domain.values import dataclass
from backprop_tui.runner.writing_places import DEEPEST, OutputLocation, files_written_by, holds, may_belong_to_run

MOST_ENTRIES = 20_000  # of a directory that is known to be written to
MOST_GUESSED_ENTRIES = 2_000  # of one that is only searched: more is a data set
MOST_FOLDERS = 2_000
MOST_FILES = 20_000  # remembered in all of them together
MOST_GUESSED_FILES = 10_000  # so that a data set in many directories leaves room for what is known to be written
MOST_HELD_FILES = 1_000
MOST_WAITING = 100  # places that do not exist yet
UNITS_A_LOOK = 3_000  # entries listed and files stat'ed of guessed places
COARSE_CLOCK_NS = 2_000_000_000  # a directory that changed so short a time ago may change again within one tick

SKIPPED_FOLDERS = frozenset(
    {"node_modules", "__pycache__", "venv", "env", "virtualenv", "site-packages", "wandb", "mlruns", "cache", "caches"}
)
INTERESTING_ENDINGS = (
    *(".pt", ".pth", ".ckpt", ".tar", ".bin", ".keras", ".h5", ".hdf5", ".safetensors", ".npz", ".pkl", ".pickle"),
    *(".msgpack", ".distcp", ".metadata", ".index", ".csv", ".ocdbt", "trainer_state.json", ".index.json"),
    *("_CHECKPOINT_METADATA", "latest", "latest_checkpointed_iteration.txt", "checkpoint"),
)
TENSORBOARD_MARK = "tfevents"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A regular file as it was found; `modified_ns` is its own file system's wall time."""

    path: str
    size_bytes: int
    modified_ns: int


@dataclass(slots=True)
class _Folder:
    """A directory that is known, with what was seen in it; `modified_ns` None: to be listed at the next look."""

    path: str
    depth: int
    guessed: bool
    modified_ns: int | None = None
    crowded: bool = False
    files: dict[str, tuple[int, int] | None] = field(default_factory=dict)  # name -> size and time, None: not yet seen


class OutputFiles:
    """Looks at the directories one attempt writes to; each look blocks as long as the file systems do."""

    def __init__(
        self,
        places: Iterable[OutputLocation],
        *,
        cwd: str,
        since_ns: int,
        pids: Callable[[], Iterable[int]] = tuple,
        is_wanted: Callable[[str], bool] = lambda _path: False,
        is_shared: Callable[[], bool] = lambda: False,
    ) -> None:
        """Searches `places` and then `cwd`, for what was modified at `since_ns` (wall time) or later.

        `pids` are the processes of the run. `is_wanted` says of a path that it is looked for although its name tells
        nothing. `is_shared`: another run may write into the same cwd now; what is found there without other evidence
        is then nobody's.
        """
        self._cwd = cwd
        self._since_ns = since_ns
        self._pids = pids
        self._is_wanted = is_wanted
        self._is_shared = is_shared
        self._was_shared = False
        self._folders: dict[str, _Folder] = {}
        self._file_count = 0  # in these
        self._guessed: deque[str] = deque()  # in the order in which they are looked at
        self._waiting: deque[OutputLocation] = deque(places)  # places that are not looked at yet, or do not exist yet
        self._held: set[str] = set()  # files that its processes were seen to write
        self._real_cwd = ""
        self._waiting.append(OutputLocation(cwd, guessed=True))

    def learn(self, folder: str, *, depth: int = DEEPEST) -> None:
        """The run was seen or heard to write into this directory; may be called while a look goes on elsewhere."""
        self._waiting.append(OutputLocation(folder, depth))

    def look(self, now: float) -> Sequence[OutputFile]:
        """What is new or changed since the last look, oldest first; a file that changes again comes again.

        `now` is the monotonic time of whoever paces the looks.
        """
        self._hear()
        self._was_shared = self._was_shared or self._is_shared()
        found: list[OutputFile] = []
        certain = [path for path, folder in self._folders.items() if not folder.guessed]
        for path in certain:  # grows while it is walked: what a directory was found to hold is looked at at once
            self._check(self._folders[path], found, certain)
        self._look_around(found)
        return sorted(found, key=lambda file: file.modified_ns)

    def _look_around(self, found: list[OutputFile]) -> None:
        """As many of the guessed directories as one look may cost, from where the last look ended."""
        units = UNITS_A_LOOK
        looked_at = []
        while self._guessed and units > 0:
            folder = self._folders.get(self._guessed.popleft())
            if folder is not None and folder.guessed:
                units -= 1 + self._check(folder, found, self._guessed)
                looked_at.append(folder.path)
        self._guessed.extend(path for path in looked_at if path in self._folders)

    def _hear(self) -> None:
        for path in map(self._as_seen_from_cwd, files_written_by(self._pids())):
            if len(self._held) < MOST_HELD_FILES:
                self._held.add(path)
            folder = os.path.dirname(path)
            known = self._folders.get(folder)
            if (known is None or known.guessed) and not _is_passed_over(folder, self._cwd):
                self._waiting.append(OutputLocation(folder, depth=1))
        for _ in range(len(self._waiting)):
            place = self._waiting.popleft()
            if not os.path.isdir(place.folder):
                if len(self._waiting) < MOST_WAITING:
                    self._waiting.append(place)
            elif place.guessed or may_belong_to_run(place.folder):
                guessed = place.guessed or holds(place.folder, self._cwd)
                self._know(place.folder, place.depth, guessed=guessed, found=self._guessed if guessed else [])

    def _as_seen_from_cwd(self, path: str) -> str:
        """The kernel names a file without links; the rest of the record names it by the directory of the run."""
        self._real_cwd = self._real_cwd or os.path.realpath(self._cwd)
        return self._cwd + path[len(self._real_cwd) :] if holds(self._real_cwd, path) else path

    def _know(self, path: str, depth: int, *, guessed: bool, found: list[str] | deque[str]) -> None:
        known = self._folders.get(path)
        if known is None:
            if len(self._folders) < MOST_FOLDERS:
                self._folders[path] = _Folder(path, depth, guessed)
                found.append(path)
        elif depth > known.depth or (known.guessed and not guessed):
            # Listed again, for what is below it is known better now.
            known.depth, known.guessed = max(depth, known.depth), known.guessed and guessed
            known.modified_ns, known.crowded = None, False
            found.append(path)

    def _check(self, folder: _Folder, found: list[OutputFile], folders: list[str] | deque[str]) -> int:
        """Lists a directory if it changed, and looks at its files; returns what that cost, in entries and files."""
        listed = 0
        try:
            modified_ns = os.stat(folder.path).st_mtime_ns
            if folder.modified_ns != modified_ns and not folder.crowded:
                listed = self._list(folder, folders)
                is_settled = time.time_ns() - modified_ns > COARSE_CLOCK_NS
                folder.modified_ns = modified_ns if is_settled else None
        except OSError:
            del self._folders[folder.path]  # removed, or not ours to read; its parent tells when it comes back
            self._file_count -= len(folder.files)
            return 1
        units = listed + len(folder.files)
        for name, before in list(folder.files.items()):
            file = _regular(os.path.join(folder.path, name))
            if file is None:
                del folder.files[name]
                self._file_count -= 1
                continue
            folder.files[name] = seen = (file.size_bytes, file.modified_ns)
            if seen != before and file.modified_ns >= self._since_ns and self._is_its_own(folder, file):
                found.append(file)
        return units

    def _is_its_own(self, folder: _Folder, file: OutputFile) -> bool:
        is_open_to_doubt = folder.guessed and self._was_shared
        return not is_open_to_doubt or file.path in self._held or self._is_wanted(file.path)

    def _list(self, folder: _Folder, folders: list[str] | deque[str]) -> int:
        most = MOST_GUESSED_ENTRIES if folder.guessed else MOST_ENTRIES
        most_files = MOST_GUESSED_FILES if folder.guessed else MOST_FILES
        count = 0
        with os.scandir(folder.path) as entries:
            for count, entry in enumerate(entries, start=1):
                if count > most or self._file_count >= most_files:
                    folder.crowded = True
                    break
                if entry.is_dir(follow_symlinks=False):
                    if folder.depth > 0 and not is_skipped(entry.name):
                        self._know(entry.path, folder.depth - 1, guessed=folder.guessed, found=folders)
                elif entry.name not in folder.files and self._is_interesting(entry.name, entry.path):
                    folder.files[entry.name] = None
                    self._file_count += 1
        return count

    def _is_interesting(self, name: str, path: str) -> bool:
        return name.endswith(INTERESTING_ENDINGS) or TENSORBOARD_MARK in name or self._is_wanted(path)


def is_skipped(name: str) -> bool:
    """Whether a directory of this name holds nothing that a training run is asked about."""
    return name.startswith(".") or name.lower() in SKIPPED_FOLDERS


def _is_passed_over(folder: str, cwd: str) -> bool:
    """Whether a file in it is no output: a cache's, a tool's own."""
    return any(map(is_skipped, os.path.relpath(folder, cwd).split("/"))) if holds(cwd, folder) else "/." in folder


def _regular(path: str) -> OutputFile | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return OutputFile(path=path, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
