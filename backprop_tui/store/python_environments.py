"""Python environments on disk: the projects they belong to, and the command that installs a package in one."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence

from backprop_tui.domain.command_lines import is_python
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.programs import on_path
from backprop_tui.processes.regular_files import read_regular
from backprop_tui.store.files import folders_upward

VENV = ".venv"
IN_PROJECT = (VENV, "venv", ".pixi/envs/default", ".conda")  # where environments are kept in a project
_HEAD_BYTES = 4096
_INLINE_METADATA = rb"^# /// script\s*$"  # the packages of a single file, see PEP 723
_TOOL_RECEIPTS = ("pipx_metadata.json", "uv-receipt.toml")  # pipx and uv tool write them


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A directory with the lock file of a package manager, its `add` command, and `MANAGER run` for its Python."""

    folder: str
    lock_file: str
    manager: str
    add: str


_MANAGERS = (
    ("uv", "uv.lock", "uv add"),
    ("poetry", "poetry.lock", "poetry add"),
    ("pdm", "pdm.lock", "pdm add"),
    ("pipenv", "Pipfile.lock", "pipenv install"),
    ("pixi", "pixi.lock", "pixi add --pypi"),
)


def project_of(folder: str) -> Project | None:
    """The nearest project at or above a directory."""
    for above in folders_upward(folder):
        for manager, name, add in _MANAGERS:
            lock_file = os.path.join(above, name)
            if os.path.exists(lock_file):
                return Project(folder=above, lock_file=lock_file, manager=manager, add=add)
    return None


def poetry_environment(folder: str, environment: Mapping[str, str]) -> str | None:
    """The environment that Poetry keeps in its cache for a project's directory; None unless there is exactly one.

    Its name ends with a digest of the directory: `EnvManager.generate_env_name` in Poetry's source.
    """
    if not os.path.exists(os.path.join(folder, "poetry.lock")):
        return None
    import base64
    import hashlib

    digest = hashlib.sha256(os.path.realpath(folder).encode()).digest()
    suffix = re.escape(base64.urlsafe_b64encode(digest).decode()[:8])
    cache = environment.get("XDG_CACHE_HOME") or os.path.join(environment.get("HOME", ""), ".cache")
    cache = environment.get("POETRY_CACHE_DIR") or os.path.join(cache, "pypoetry")
    environments = environment.get("POETRY_VIRTUALENVS_PATH") or os.path.join(cache, "virtualenvs")
    try:
        names = [name for name in os.listdir(environments) if re.search(rf"-{suffix}-py[\d.]+$", name)]
    except OSError:
        return None
    return os.path.join(environments, names[0]) if len(names) == 1 else None


def interpreter_of(command: Sequence[str], cwd: str, environment: Mapping[str, str]) -> str | None:
    """The Python that a command line runs, by itself or in the first line of its program; None if uncertain."""
    program = command[0]
    path = os.path.join(cwd, program) if os.sep in program else next(on_path(program, environment), None)
    if path is None or is_python(program):
        return path
    words = _head(path).partition(b"\n")[0].removeprefix(b"#!").split()
    named = os.fsdecode(words[0]) if words else ""
    return named if os.path.isabs(named) and is_python(named) else None


def install_command(
    package: str, command: Sequence[str], *, script: str | None, cwd: str, environment: Mapping[str, str]
) -> str:
    """The command that installs a package for the Python that a command line runs, or that runs it where it is."""
    folder = cwd if script is None else os.path.dirname(script)
    project = project_of(folder)
    python = interpreter_of(command, cwd, environment)
    if project is not None and (command[0] == project.manager or _is_environment_of(project, python, environment)):
        return f"cd {shlex.quote(project.folder)} && {project.add} {package}"
    if list(command[:2]) == ["uv", "run"]:
        return _queue([*command[:2], "--with", package, *command[2:]])
    if script is not None and _declares_packages(script):
        return _queue(["uv", "run", *command[1:]])
    if python is not None and project is not None and not _is_separate(python):
        return _queue([project.manager, "run", "python", *command[1:]])
    if python is not None:
        return _install_with(python, package, folder)
    index = next((number for number, word in enumerate(command) if is_python(word)), None)
    words = ["python3"] if index is None else command[: index + 1]  # conda run -n NAME python
    return f"{shlex.join(words)} -m pip install {package}"


def _declares_packages(script: str) -> bool:
    """Whether a script names its packages itself, so that `uv run` installs them."""
    return re.search(_INLINE_METADATA, _head(script), re.MULTILINE) is not None


def _install_with(python: str, package: str, folder: str) -> str:
    prefix = _prefix_of(python)
    pip = f"{shlex.quote(python)} -m pip install {package}"
    settings = _head(os.path.join(prefix, "pyvenv.cfg"))
    is_tool = any(os.path.exists(os.path.join(prefix, name)) for name in _TOOL_RECEIPTS)
    if is_tool or (not settings and _is_externally_managed(python)):
        venv = shlex.quote(os.path.join(folder, VENV))
        return f"{shlex.quote(python)} -m venv {venv} && {venv}/bin/pip install {package}, then queue it again"
    if _has_pip(prefix):
        return pip
    if re.search(rb"^uv *=", settings, re.MULTILINE):
        return f"uv pip install --python {shlex.quote(python)} {package}"
    if os.path.isdir(os.path.join(prefix, "conda-meta")):
        parent, name = os.path.split(prefix)
        environment = ["-n", name] if os.path.basename(parent) == "envs" else ["-p", prefix]
        return f"{shlex.join(['conda', 'install', *environment, 'pip'])} && {pip}"
    return f"{shlex.quote(python)} -m ensurepip && {pip}" if settings else pip


def _is_environment_of(project: Project, python: str | None, environment: Mapping[str, str]) -> bool:
    if python is None:
        return False
    own = [os.path.join(project.folder, VENV), poetry_environment(project.folder, environment)]
    return any(prefix is not None and is_within(python, prefix) for prefix in own)


def _is_separate(python: str) -> bool:
    """Whether it is in a virtual environment, or in one of conda's that is not its base."""
    prefix = _prefix_of(python)
    return os.path.exists(os.path.join(prefix, "pyvenv.cfg")) or os.path.basename(os.path.dirname(prefix)) == "envs"


def _prefix_of(python: str) -> str:
    return os.path.dirname(os.path.dirname(python))


def is_within(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, ""))


def _queue(command: Sequence[str]) -> str:
    return shlex.join(["backprop-tui", "run", "--", *command])


def _is_externally_managed(python: str) -> bool:
    """Whether pip refuses to install there, see PEP 668."""
    real = os.path.realpath(python)
    library = os.path.join(os.path.dirname(os.path.dirname(real)), "lib", os.path.basename(real))
    return os.path.exists(os.path.join(library, "EXTERNALLY-MANAGED"))


def _has_pip(prefix: str) -> bool:
    import glob

    return bool(glob.glob(os.path.join(glob.escape(prefix), "lib", "python3*", "site-packages", "pip")))


def _head(path: str) -> bytes:
    """The beginning of a file; empty if it cannot be read."""
    try:
        return read_regular(path, _HEAD_BYTES, cut=True)
    except OSError:
        return b""
