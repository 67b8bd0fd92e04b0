"""What a run executes: a script, by itself or by an interpreter, or a command line."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

from backprop_tui.client.interpreters import Interpreter, find_interpreter, interpreter_advice
from backprop_tui.client.training_source import find_training, source_of
from backprop_tui.domain.command_lines import find_target, is_python, name_of_path
from backprop_tui.domain.errors import NotFound, UsageError
from backprop_tui.domain.invocation import find_original_flags
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.resume_arguments import ResumeMethod
from backprop_tui.domain.similar import nearest
from backprop_tui.processes.programs import is_executable, on_path, path_folders

SHELL = "bash"
_SCRIPT_ENDINGS = (".py", ".sh")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program with its arguments; `script` is None for a command line, `interpreter` None if none is needed.

    `source` is the file of the script or module; None if it was not found.
    """

    words: tuple[str, ...]
    arguments: tuple[str, ...]
    name: str
    script: str | None = None
    interpreter: Interpreter | None = None
    understood_flags: tuple[str, ...] = ()
    source: str | None = None
    resume: ResumeMethod = ResumeMethod()
    advice: str | None = None  # what is wrong with its Python environment


def script_program(
    script: str, arguments: Sequence[str], *, cwd: str, python: Interpreter | None, environment: Mapping[str, str]
) -> Program:
    """A script file: a .py is run by an interpreter, a .sh by bash, anything executable by itself."""
    path = os.path.abspath(script)
    check_script(script)
    _refuse_notebook(script)
    interpreter = find_interpreter(path, python, environment) if path.endswith(".py") else None
    words = (interpreter.path, path) if interpreter is not None else _executable_words(script, path)
    return Program(
        words=words,
        arguments=tuple(arguments),
        name=name_of_path(path),
        script=path,
        source=path,
        interpreter=interpreter,
        understood_flags=find_original_flags(source_of(path)),
        resume=find_training(find_target((*words, *arguments)), cwd, environment)[1],
        advice=None if interpreter is None else interpreter_advice(path, tuple(arguments), interpreter),
    )


def command_program(command: Sequence[str], *, cwd: str, environment: Mapping[str, str]) -> Program:
    """A command line, executed unchanged in the run's directory."""
    if not command or not command[0]:
        raise UsageError("expected a command after --", "type: backprop-tui run -- COMMAND ...")
    program = command[0]
    exists = is_executable(os.path.join(cwd, program)) if os.sep in program else any(on_path(program, environment))
    if not exists:
        raise _missing_command(program, cwd, environment)
    target = find_target(command)
    if is_python(program):
        _refuse_notebook(target.word)
    source, resume = find_training(target, cwd, environment)
    return Program(
        words=(program,),
        arguments=tuple(command[1:]),
        name=target.name,
        source=source,
        resume=resume,
    )


def _refuse_notebook(script: str) -> None:
    if not script.endswith(".ipynb"):
        return
    quoted = shlex.quote(script)
    converted = shlex.quote(os.path.splitext(script)[0] + ".py")
    hint = (
        f"jupyter nbconvert --to script {quoted} converts it, then: backprop-tui run {converted}; or, with its output "
        f"in the notebook alone: backprop-tui run -- jupyter execute --inplace {quoted}"
    )
    raise NotFound(f"script {script}: a notebook, not a script", hint)


def nearest_file(path: str) -> str | None:
    """The file of the same directory with the name most similar to that of a missing one; None if none is similar."""
    folder, name = os.path.split(path)
    return _nearest(name, _names_in(folder))


def check_script(script: str) -> None:
    """Raises NotFound if a script does not exist or is not readable."""
    path = os.path.abspath(script)
    if os.path.isfile(os.path.join(path, "__main__.py")):
        raise NotFound(f"script {script}: is a package", f"backprop-tui run -- python3 {shlex.quote(script)}")
    if os.path.isdir(path):
        raise NotFound(f"script {script}: is a directory", "name the file in it")
    if not os.path.exists(path):
        if "." in script and os.path.isfile(f"{script.replace('.', os.sep)}.py"):
            raise NotFound(f"script {script}: is a module", f"backprop-tui run -- python3 -m {shlex.quote(script)}")
        near = nearest_file(path)
        similar = os.path.join(os.path.dirname(script), near) if near else ""
        advice = f"did you mean {similar}?" if near else f"there is no such file in {os.path.dirname(path)}"
        raise NotFound(f"script {script}: not found", advice)
    if not os.access(path, os.R_OK):
        raise NotFound(f"script {script}: not readable", "its owner can change that with chmod")


def _executable_words(script: str, path: str) -> tuple[str, ...]:
    """A shell script that is not executable or has no first line naming its shell is run by bash."""
    executable = os.access(path, os.X_OK)
    if path.endswith(".sh") and not (executable and source_of(path, 2) == "#!"):
        return (SHELL, path)
    if executable:
        return (path,)
    raise NotFound(
        f"script {script}: neither .py nor .sh nor executable",
        f"chmod +x {script}, or: backprop-tui run -- PROGRAM {script}",
    )


def _missing_command(program: str, cwd: str, environment: Mapping[str, str]) -> NotFound:
    if os.sep in program:
        path = os.path.join(cwd, program)
        if os.path.isfile(path):
            return NotFound(f"command {program}: not executable", f"chmod +x {program}")
        near = nearest_file(os.path.normpath(path))
        advice = f"did you mean {os.path.join(os.path.dirname(program), near)}?" if near else f"there is no {path}"
        return NotFound(f"command {program}: not found", advice)
    scripts = [name for name in _names_in(cwd) if name.startswith(program) and name.endswith(_SCRIPT_ENDINGS)]
    programs = {name for folder in path_folders(environment) for name in _names_in(folder)}
    near = scripts[0] if len(scripts) == 1 else _nearest(program, list(programs))
    return NotFound(f"command {program}: not on PATH", f"did you mean {near}?" if near else None)


def _nearest(name: str, names: Sequence[str]) -> str | None:
    """The name without its extension counts too: train for train.py."""
    return next((known for known in sorted(names) if name and known.startswith(f"{name}.")), None) or nearest(
        name, names
    )


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
