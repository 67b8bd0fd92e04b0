"""Where a run writes, and whether another run works in the same directory."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Ended, Queued
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory

DEEPEST = 6  # levels of directories that are searched
MOST_PROCESSES = 64
MOST_DESCRIPTORS = 256

# Options that name an output directory, compared without case, dashes, dots and underscores.
_OUTPUT_OPTIONS = frozenset(
    (
        *("outputdir", "outputpath", "outdir", "outpath", "out", "output", "trainoutputdir", "hydrarundir"),
        *("savedir", "savepath", "save", "saveto", "resultsdir", "resultdir", "results", "modeldir", "modelsavedir"),
        *("logdir", "loggingdir", "logs", "tensorboarddir", "defaultrootdir", "rootdir", "workdir", "workspace"),
        *("checkpointdir", "checkpointsdir", "checkpointpath", "ckptdir", "ckptpath", "dirpath"),
        *("expdir", "experimentdir", "exproot", "runsdir", "rundir", "project"),
    )
)
_SEPARATORS = re.compile(r"[-_.]")
_STICKY = stat.S_ISVTX  # set for /tmp and the like, where everybody writes


@lazy_dataclass(frozen=True, slots=True)
class OutputLocation:
    """A directory to search this many levels deep; `guessed`: it is not known whether this run writes there."""

    folder: str
    depth: int = DEEPEST
    guessed: bool = False


def locations_in_command(command: Sequence[str], cwd: str) -> Iterator[OutputLocation]:
    """The directories named by options such as `--output_dir out` or `trainer.default_root_dir=out`."""
    for number, word in enumerate(command):
        option, equals, value = word.partition("=")
        if not equals and word.startswith("-"):
            value = "".join(command[number + 1 : number + 2])
        names = [option, option.rpartition(".")[2]]
        if value and not value.startswith("-") and any(_normalized(name) in _OUTPUT_OPTIONS for name in names):
            folder = os.path.normpath(os.path.join(cwd, os.path.expanduser(value)))
            # For the path of a file this is its directory. Directories that do not exist yet are tried again later.
            yield OutputLocation(folder if not os.path.splitext(folder)[1] else os.path.dirname(folder))


def _normalized(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


def files_written_by(pids: Iterable[int]) -> set[str]:
    """The regular files that these processes hold open for writing now."""
    files: set[str] = set()
    for pid, _ in zip(pids, range(MOST_PROCESSES), strict=False):
        descriptors = f"/proc/{pid}/fd"
        try:
            names = os.listdir(descriptors)[:MOST_DESCRIPTORS]
        except OSError:
            continue  # the process is gone, or belongs to another user
        files.update(filter(None, (_written_file(f"{descriptors}/{name}") for name in names)))
    return files


def _written_file(descriptor: str) -> str | None:
    """The file a descriptor refers to; None if it is not open for writing or not a file."""
    try:
        # The link's permissions show how the file was opened; see proc(5), /proc/PID/fd.
        if not os.lstat(descriptor).st_mode & stat.S_IWUSR:
            return None
        target = os.readlink(descriptor)
    except OSError:
        return None
    is_file = target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/sys/"))
    return target if is_file and not target.endswith(" (deleted)") else None


def may_belong_to_run(folder: str) -> bool:
    """Whether a directory may belong to a single run: not the root, the home directory or one such as /tmp."""
    if folder in ("/", os.path.expanduser("~")):
        return False
    try:
        return not os.stat(folder).st_mode & _STICKY
    except OSError:
        return False


def contains(folder: str, path: str) -> bool:
    """Whether a path is the folder itself or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


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
