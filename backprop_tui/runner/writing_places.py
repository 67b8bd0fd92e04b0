"""Where a run writes: what its command line names, what its processes hold open, where its checkpoints lie, its cwd."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from backprop_tui.domain.values import dataclass

DEEPEST = 6  # directories below a place that are searched
MOST_PROCESSES = 64
MOST_DESCRIPTORS = 256

# Options that name a directory to write into, compared without case, dashes, dots and underscores.
_OUTPUT_OPTIONS = frozenset(
    (
        *("outputdir", "outputpath", "outdir", "outpath", "out", "output", "trainoutputdir", "hydrarundir"),
        *("savedir", "savepath", "save", "saveto", "resultsdir", "resultdir", "results", "modeldir", "modelsavedir"),
        *("logdir", "loggingdir", "logs", "tensorboarddir", "defaultrootdir", "rootdir", "workdir", "workspace"),
        *("checkpointdir", "checkpointsdir", "checkpointpath", "ckptdir", "ckptpath", "dirpath"),
        *("expdir", "experimentdir", "exproot", "runsdir", "rundir", "project"),
    )
)
_NOT_IN_NAMES = re.compile(r"[-_.]")
_SHARED = stat.S_ISVTX  # /tmp and its like, where everybody writes


@dataclass(frozen=True, slots=True)
class OutputLocation:
    """A directory that is searched so many levels deep; `guessed`: nothing says that this run writes there."""

    folder: str
    depth: int = DEEPEST
    guessed: bool = False


def locations_in_command(command: Sequence[str], cwd: str) -> Iterator[OutputLocation]:
    """The directories that options such as `--output_dir out` or `trainer.default_root_dir=out` name."""
    for number, word in enumerate(command):
        option, equals, value = word.partition("=")
        if not equals and word.startswith("-"):
            value = "".join(command[number + 1 : number + 2])
        names = [option, option.rpartition(".")[2]]
        if value and not value.startswith("-") and any(_plain(name) in _OUTPUT_OPTIONS for name in names):
            folder = os.path.normpath(os.path.join(cwd, os.path.expanduser(value)))
            # A file that does not exist yet: its directory; a directory that does not exist yet is looked for again.
            yield OutputLocation(folder if not os.path.splitext(folder)[1] else os.path.dirname(folder))


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name).lower()


def files_written_by(pids: Iterable[int]) -> set[str]:
    """The regular files that these processes hold open for writing at this moment."""
    files: set[str] = set()
    for pid, _ in zip(pids, range(MOST_PROCESSES), strict=False):
        descriptors = f"/proc/{pid}/fd"
        try:
            names = os.listdir(descriptors)[:MOST_DESCRIPTORS]
        except OSError:
            continue  # gone, or another user's
        files.update(filter(None, (_written_through(f"{descriptors}/{name}") for name in names)))
    return files


def _written_through(descriptor: str) -> str | None:
    """What a descriptor is open on; None where it is not open for writing, or on no file."""
    try:
        # The link's own permissions tell how it was opened; see proc(5), /proc/PID/fd.
        if not os.lstat(descriptor).st_mode & stat.S_IWUSR:
            return None
        target = os.readlink(descriptor)
    except OSError:
        return None
    is_file = target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/sys/"))
    return target if is_file and not target.endswith(" (deleted)") else None


def may_belong_to_run(folder: str) -> bool:
    """Whether a directory may be one run's own: neither the root, nor a home directory, nor one such as /tmp."""
    if folder in ("/", os.path.expanduser("~")):
        return False
    try:
        return not os.stat(folder).st_mode & _SHARED
    except OSError:
        return False


def holds(folder: str, path: str) -> bool:
    """Whether a path is a directory or something below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
