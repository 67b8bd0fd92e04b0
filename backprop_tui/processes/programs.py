"""Programs in the directories of PATH, and Python packages: whether they are there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping


def on_path(program: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The absolute path of every executable of that name in the directories of PATH, in their order."""
    for folder in path_folders(environment):
        path = os.path.join(folder, program)
        if is_executable(path):
            yield path


def path_folders(environment: Mapping[str, str]) -> list[str]:
    """The directories of PATH, absolute; an empty entry is the current directory."""
    return [os.path.abspath(folder or ".") for folder in environment.get("PATH", os.defpath).split(os.pathsep)]


def is_executable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def is_installed(package: str) -> bool:
    """Whether this Python has a package, which is not imported."""
    from importlib.machinery import PathFinder

    return PathFinder.find_spec(package) is not None
