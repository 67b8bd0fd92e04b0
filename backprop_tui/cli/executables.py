"""Programs on PATH, looked up as a shell does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping


def on_path(program: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Every executable of that name in the directories of PATH, in their order; absolute."""
    for folder in folders(environment):
        path = os.path.join(folder, program)
        if is_executable(path):
            yield path


def folders(environment: Mapping[str, str]) -> list[str]:
    """The directories of PATH, absolute; an empty entry is the one we are in."""
    return [os.path.abspath(folder or ".") for folder in environment.get("PATH", os.defpath).split(os.pathsep)]


def is_executable(path: str) -> bool:
    """Whether it is a file that we may execute."""
    return os.path.isfile(path) and os.access(path, os.X_OK)
