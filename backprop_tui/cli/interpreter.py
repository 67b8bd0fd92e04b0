"""Which Python runs a script: the one asked for, else that of the active environment, a .venv, or python3."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from backprop_tui.cli.executables import is_executable, on_path
from backprop_tui.domain.errors import NotFound, UsageError
from backprop_tui.domain.values import dataclass

_VENV = ".venv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An interpreter and how it was found, in words."""

    path: str
    origin: str


def asked_interpreter(asked: str, origin: str, environment: Mapping[str, str]) -> Interpreter:
    """The interpreter that somebody named: a path, an environment's directory, or a program on PATH.

    Args:
        asked: What was named; a relative path starts here.
        origin: Where it was named, such as `--python`.
        environment: Whose PATH is searched.

    Raises:
        UsageError: there is none.
    """
    path = os.path.abspath(os.path.expanduser(asked))
    if os.path.isdir(path):
        inside = _python_of(path)
        if inside is None:
            raise UsageError(f"{origin}: {path} is a directory without bin/python")
        return Interpreter(path=inside, origin=origin)
    if os.sep not in asked:
        for found in on_path(asked, environment):
            return Interpreter(path=found, origin=origin)
    if not os.path.exists(path):
        where = "" if os.sep in asked else " here or on PATH"
        raise UsageError(f"{origin}: no interpreter {asked}{where}")
    if not os.access(path, os.X_OK):
        raise UsageError(f"{origin}: {path} is not executable")
    return Interpreter(path=path, origin=origin)


def usual_interpreter(script: str, environment: Mapping[str, str]) -> Interpreter:
    """The interpreter for a script where nobody named one.

    Raises:
        NotFound: this machine has no Python but perhaps our own.
    """
    for found in _candidates(script, environment):
        return found
    raise NotFound("no Python found for the script: activate its environment, or name one with --python")


def _candidates(script: str, environment: Mapping[str, str]) -> Iterator[Interpreter]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = environment.get(variable)
        active = None if not prefix else _python_of(prefix)
        if active is not None:
            yield Interpreter(path=active, origin=f"the active environment ({variable})")
    folder = os.path.dirname(script)
    while True:
        beside = _python_of(os.path.join(folder, _VENV))
        if beside is not None:
            yield Interpreter(path=beside, origin=f"{os.path.join(folder, _VENV)}, found upward from the script")
        if folder == os.path.dirname(folder):
            break
        folder = os.path.dirname(folder)
    for path in on_path("python3", environment):
        if not _is_ours_alone(path):
            yield Interpreter(path=path, origin="python3 on PATH")


def _is_ours_alone(path: str) -> bool:
    """Whether it is the interpreter of a virtual environment that holds this program and nothing to train with.

    Tools such as uvx and pipx make one and put it first on PATH. Whatever trains needs numpy, and this program does
    not: where it is, the environment is shared with us on purpose.
    """
    if sys.prefix == sys.base_prefix or os.path.dirname(path) != os.path.join(sys.prefix, "bin"):
        return False
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return not os.path.exists(os.path.join(sys.prefix, "lib", version, "site-packages", "numpy"))


def _python_of(prefix: str) -> str | None:
    path = os.path.abspath(os.path.join(prefix, "bin", "python"))
    return path if is_executable(path) else None
