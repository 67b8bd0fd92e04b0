"""Where a run says that it writes: directories of its command line, and patterns for its checkpoints."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Spec

DEEPEST = 6  # levels of directories that are searched

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
_WILDCARDS = re.compile(r"[*?\[]")


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


def named_folders(spec: Spec) -> tuple[str, ...]:
    """The directories of output that the command line of a run names."""
    return tuple(location.folder for location in locations_in_command(spec.command, spec.cwd))


def _normalized(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


def contains(folder: str, path: str) -> bool:
    """Whether a path is the folder itself or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class PathPatterns:
    """Shell patterns relative to the working directory; `**` matches any number of directories."""

    def __init__(self, patterns: Iterable[str], cwd: str) -> None:
        self.cwd = cwd
        self._patterns = [os.path.normpath(os.path.join(cwd, os.path.expanduser(pattern))) for pattern in patterns]

    def locations(self) -> Iterator[OutputLocation]:
        """For each pattern, the directory below which what matches appears."""
        for pattern in self._patterns:
            parts = pattern.split("/")
            fixed = next((number for number, part in enumerate(parts) if _WILDCARDS.search(part)), len(parts) - 1)
            yield OutputLocation("/".join(parts[:fixed]) or "/", DEEPEST if "**" in parts else len(parts) - fixed + 1)

    def path_of(self, file: str) -> str | None:
        """The file, or the nearest directory above it, that matches; None if none does."""
        if not self._patterns:
            return None
        path = file
        for _ in range(DEEPEST):
            if any(_matches_parts(path.split("/"), pattern.split("/")) for pattern in self._patterns):
                return path
            path = os.path.dirname(path)
        return None

    def matches(self, file: str) -> bool:
        return self.path_of(file) is not None


def _matches_parts(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches_parts(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches_parts(parts[1:], pattern[1:])
