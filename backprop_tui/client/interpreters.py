"""Which Python runs a script: the one that was named, the active environment, the project's, or python3 on PATH."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping

from backprop_tui.domain.errors import NotFound, UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.programs import is_executable, on_path
from backprop_tui.store.files import folders_upward
from backprop_tui.store.python_environments import IN_PROJECT, is_within, poetry_environment, project_of

_BASE_NAMES = ("base", "root")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """`origin` says where it was named or found: by `--python`, in a configuration file, in the environment.

    `is_last_resort`: nothing was named, no environment is active, and none is near the script.
    """

    path: str
    origin: str
    is_last_resort: bool = False


def find_interpreter(script: str, asked: Interpreter | None, environment: Mapping[str, str]) -> Interpreter:
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
    raise NotFound("no Python found for the script", "activate its environment, or name one with --python")


def _candidates(script: str, environment: Mapping[str, str]) -> Iterator[Interpreter]:
    base = _base_prefix(environment)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = environment.get(variable)
        python = None if not prefix or prefix == base else _python_of(prefix)
        if python is not None:
            yield Interpreter(path=python, origin=f"the active environment ({variable})")
    yield from _near(script, environment)
    origin = "from PATH"
    for path in on_path("python3", environment):
        if _is_ours_alone(path):
            origin = "from PATH, without backprop-tui's own environment"
        else:
            if base is not None and is_within(path, base):
                origin += ", in conda's base environment"
            yield Interpreter(path=path, origin=origin, is_last_resort=True)
    python = None if base is None else _python_of(base)
    if python is not None:
        yield Interpreter(path=python, origin="conda's base environment", is_last_resort=True)


def _near(script: str, environment: Mapping[str, str]) -> Iterator[Interpreter]:
    """The environments of the projects that the script is in, the nearest first."""
    for folder in folders_upward(os.path.dirname(script)):
        for name in IN_PROJECT:
            venv = os.path.join(folder, name)
            python = _python_of(venv)
            if python is not None:
                where = "next to the script" if folder == os.path.dirname(script) else "above the script"
                yield Interpreter(path=python, origin=f"{venv}, {where}")
        poetry = poetry_environment(folder, environment)
        python = None if poetry is None else _python_of(poetry)
        if python is not None:
            yield Interpreter(path=python, origin=f"Poetry's environment of {folder}")


def _base_prefix(environment: Mapping[str, str]) -> str | None:
    """Conda's base environment, if that is the active one: it activates itself in every shell, so it says little."""
    prefix = environment.get("CONDA_PREFIX")
    conda = environment.get("CONDA_EXE")
    roots = {environment.get("MAMBA_ROOT_PREFIX"), None if not conda else os.path.dirname(os.path.dirname(conda))}
    is_base = environment.get("CONDA_DEFAULT_ENV") in _BASE_NAMES or prefix in roots
    return prefix if prefix and is_base else None


def interpreter_advice(script: str, arguments: tuple[str, ...], interpreter: Interpreter) -> str | None:
    """What is wrong with the environment near the script, if a Python had to be found elsewhere; None if nothing is."""
    if not interpreter.is_last_resort:
        return None
    elsewhere = f"so it runs with {interpreter.path} ({interpreter.origin})"
    folder = os.path.dirname(script)
    environments = (os.path.join(above, name) for above in folders_upward(folder) for name in IN_PROJECT)
    broken = next((path for path in environments if os.path.exists(os.path.join(path, "pyvenv.cfg"))), None)
    if broken is not None:
        return f"{script}: {broken}/bin/python does not work, {elsewhere}; make that environment again, or use --python"
    project = project_of(folder)
    if project is None:
        return None
    line = shlex.join(["backprop-tui", "run", "--", project.manager, "run", "python", script, *arguments])
    return (
        f"{script}: no environment of its {project.manager} project was found ({project.lock_file}), {elsewhere}; "
        f"to use the project's: {line}"
    )


def _is_ours_alone(path: str) -> bool:
    """Whether it is the interpreter of a virtual environment that holds this program but nothing to train with.

    Tools such as uvx and pipx create one and put it first on PATH. This program needs neither numpy nor torch: if one
    of them is there, the environment is shared with us on purpose.
    """
    if sys.prefix == sys.base_prefix or os.path.dirname(path) != os.path.join(sys.prefix, "bin"):
        return False
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = os.path.join(sys.prefix, "lib", version, "site-packages")
    return not any(os.path.exists(os.path.join(packages, name)) for name in ("numpy", "torch"))


def _python_of(prefix: str) -> str | None:
    path = os.path.abspath(os.path.join(prefix, "bin", "python"))
    return path if is_executable(path) else None
