"""`--checkpoint-glob`: patterns of the files and directories that count as checkpoints of a run."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator

from backprop_tui.runner.writing_places import DEEPEST, OutputLocation

_WILDCARDS = re.compile(r"[*?\[]")


class CheckpointPatterns:
    """Shell patterns relative to the working directory; `**` matches any number of directories."""

    __slots__ = ("_cwd", "_patterns")

    def __init__(self, patterns: Iterable[str], cwd: str) -> None:
        self._cwd = cwd
        self._patterns = [os.path.normpath(os.path.join(cwd, os.path.expanduser(pattern))) for pattern in patterns]

    def locations(self) -> Iterator[OutputLocation]:
        """For each pattern, the directory below which its checkpoints appear."""
        for pattern in self._patterns:
            parts = pattern.split("/")
            fixed = next((number for number, part in enumerate(parts) if _WILDCARDS.search(part)), len(parts) - 1)
            yield OutputLocation("/".join(parts[:fixed]) or "/", DEEPEST if "**" in parts else len(parts) - fixed + 1)

    def checkpoint_of(self, file: str) -> str | None:
        """The checkpoint that a file is or belongs to: the file or nearest directory above that matches; or None."""
        if not self._patterns:
            return None
        path = file
        for _ in range(DEEPEST):
            if any(_matches_parts(path.split("/"), pattern.split("/")) for pattern in self._patterns):
                return path
            path = os.path.dirname(path)
        return None

    def matches(self, file: str) -> bool:
        """Whether a file is part of such a checkpoint."""
        return self.checkpoint_of(file) is not None


def _matches_parts(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches_parts(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches_parts(parts[1:], pattern[1:])
