"""Which Python runs a script: the one asked for, else that of the active environment, a .venv, or python3."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from backprop_tui.domain.errors import NotFound, UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass

_VENV = ".venv"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class AskedPython:
    """An interpreter that was named, and where: by `--python` or in a configuration file."""

    path: str
    origin: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An interpreter, and a phrase that says how it was found."""

    path: str
    origin: str


def find_interpreter(script: str, asked: AskedPython | None, environment: Mapping[str, str]) -> Interpreter:
    if asked is not None:
        return asked_interpreter(asked.path, asked.origin, environment)
    return default_interpreter(script, environment)


def asked_interpreter(asked: str, origin: str, environment: Mapping[str, str]) -> Interpreter:
    """The interpreter that the user named in `origin`: a path, an environment's directory, or a program on PATH."""
    path = os.path.abspath(os.path.expanduser(asked))
    if os.path.isdir(path):
        python = _python_of(path)
        if python is None:
            raise UsageError(f"{origin}: {path} is a directory without bin/python")
        return Interpreter(path=python, origin=origin)
    if os.sep not in asked:
        for program in on_path(asked, environment):
            return Interpreter(path=program, origin=origin)
    if not os.path.exists(path):
        where = "" if os.sep in asked else " here or on PATH"
        raise UsageError(f"{origin}: no interpreter {asked}{where}")
    if not os.access(path, os.X_OK):
        raise UsageError(f"{origin}: {path} is not executable")
    return Interpreter(path=path, origin=origin)


def default_interpreter(script: str, environment: Mapping[str, str]) -> Interpreter:
    for interpreter in _candidates(script, environment):
        return interpreter
    raise NotFound("no Python found for the script: activate its environment, or name one with --python")


def _candidates(script: str, environment: Mapping[str, str]) -> Iterator[Interpreter]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = environment.get(variable)
        python = None if not prefix else _python_of(prefix)
        if python is not None:
            yield Interpreter(path=python, origin=f"the active environment ({variable})")
    folder = os.path.dirname(script)
    while True:
        venv = os.path.join(folder, _VENV)
        python = _python_of(venv)
        if python is not None:
            yield Interpreter(path=python, origin=f"{venv}, found upward from the script")
        if folder == os.path.dirname(folder):
            break
        folder = os.path.dirname(folder)
    for path in on_path("python3", environment):
        if not _is_ours_alone(path):
            yield Interpreter(path=path, origin="python3 on PATH")


def _is_ours_alone(path: str) -> bool:
    """Whether it is the interpreter of a virtual environment that holds this program but nothing to train with.

    Tools such as uvx and pipx create one and put it first on PATH. Every training needs numpy, and this program does
    not: if numpy is there, the environment is shared with us on purpose.
    """
    if sys.prefix == sys.base_prefix or os.path.dirname(path) != os.path.join(sys.prefix, "bin"):
        return False
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return not os.path.exists(os.path.join(sys.prefix, "lib", version, "site-packages", "numpy"))


def _python_of(prefix: str) -> str | None:
    path = os.path.abspath(os.path.join(prefix, "bin", "python"))
    return path if is_executable(path) else None


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
