"""What a run executes: a script by its interpreter, a script by itself, or a command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from backprop_tui.cli.executables import folders, is_executable, on_path
from backprop_tui.cli.interpreter import Interpreter, asked_interpreter, usual_interpreter
from backprop_tui.domain.errors import NotFound, UsageError
from backprop_tui.domain.invocation import mentioned_flags
from backprop_tui.domain.resume_flags import resume_template, script_among, template_of_program
from backprop_tui.domain.values import dataclass

LONGEST_SOURCE_BYTES = 4 << 20
SHELL = "bash"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPython:
    """An interpreter that was named, and where: `--python` or a configuration file."""

    path: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is executed, its arguments apart.

    `script` is None for a command line, `interpreter` None where none is needed.
    """

    words: tuple[str, ...]
    arguments: tuple[str, ...]
    name: str
    script: str | None = None
    interpreter: Interpreter | None = None
    understood_flags: tuple[str, ...] = ()
    resume_arg: str | None = None  # by its source, or by what the program is known to be


def script_program(
    script: str, arguments: Sequence[str], *, python: AskedPython | None, environment: Mapping[str, str]
) -> Program:
    """A script file: .py by an interpreter, anything executable by itself, .sh by bash.

    Raises:
        NotFound: it is not there, not readable or not executable.
        UsageError: the interpreter that was named is none.
    """
    path = os.path.abspath(script)
    check_script(script)
    name = os.path.splitext(os.path.basename(path))[0]
    if path.endswith(".py"):
        interpreter = interpreter_for(path, python, environment)
        source = source_of(path)
        return Program(
            words=(interpreter.path, path),
            arguments=tuple(arguments),
            name=name,
            script=path,
            interpreter=interpreter,
            understood_flags=mentioned_flags(source),
            resume_arg=resume_template(source),
        )
    return Program(
        words=_by_itself(script, path),
        arguments=tuple(arguments),
        name=name,
        script=path,
        understood_flags=mentioned_flags(source_of(path)),
    )


def command_program(command: Sequence[str], *, cwd: str, environment: Mapping[str, str]) -> Program:
    """A command line, executed as it stands in the run's directory.

    Raises:
        UsageError: it is empty.
        NotFound: its program is not there or not executable.
    """
    if not command or not command[0]:
        raise UsageError("after -- a command is wanted: backprop-tui run -- COMMAND ...")
    program = command[0]
    found = is_executable(os.path.join(cwd, program)) if os.sep in program else any(on_path(program, environment))
    if not found:
        raise NotFound(_no_command(program, cwd, environment))
    return Program(
        words=(program,),
        arguments=tuple(command[1:]),
        name=_name_of(command),
        resume_arg=resume_arg_of_command(command, cwd),
    )


def resume_arg_of_command(command: Sequence[str], cwd: str) -> str | None:
    """As the source of the script in it says, or the program; None where neither is known to say it."""
    script = script_among(command)
    found = None if script is None else resume_template(source_of(os.path.join(cwd, script)))
    return found or template_of_program(command)


def interpreter_for(script: str, python: AskedPython | None, environment: Mapping[str, str]) -> Interpreter:
    """The interpreter that was named, else the usual one. Raises: UsageError, NotFound where there is none."""
    if python is not None:
        return asked_interpreter(python.path, python.origin, environment)
    return usual_interpreter(script, environment)


def source_of(path: str) -> str:
    """The beginning of a script as text, however it is encoded; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(LONGEST_SOURCE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def nearest_file(path: str) -> str | None:
    """The file of the same directory whose name is nearest to that of a missing one; None where none is near."""
    import difflib  # only to mend a mistake

    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    near = difflib.get_close_matches(name, names, n=1)
    return near[0] if near else None


def check_script(script: str) -> None:
    """Refuses what cannot be run.

    Raises:
        NotFound: the script is not there or not readable.
    """
    path = os.path.abspath(script)
    if os.path.isdir(path):
        raise NotFound(f"script {script}: is a directory; name the file in it")
    if not os.path.exists(path):
        near = nearest_file(path)
        place = os.path.join(os.path.dirname(script), near) if near else ""
        advice = f"did you mean {place}?" if near else f"there is no such file in {os.path.dirname(path)}"
        raise NotFound(f"script {script}: not found; {advice}")
    if not os.access(path, os.R_OK):
        raise NotFound(f"script {script}: not readable by you; its owner can change that by chmod")


def _by_itself(script: str, path: str) -> tuple[str, ...]:
    """A shell script without a first line that names its shell, or without the right to be executed, is bash's."""
    executable = os.access(path, os.X_OK)
    if path.endswith(".sh") and not (executable and source_of(path).startswith("#!")):
        return (SHELL, path)
    if executable:
        return (path,)
    raise NotFound(
        f"script {script}: neither .py nor .sh nor executable; chmod +x {script}, or: run -- PROGRAM {script}"
    )


def _no_command(program: str, cwd: str, environment: Mapping[str, str]) -> str:
    import difflib

    if os.sep in program:
        path = os.path.join(cwd, program)
        if os.path.isfile(path):
            return f"command {program}: not executable; chmod +x {program}"
        near = nearest_file(os.path.normpath(path))
        advice = f"did you mean {os.path.join(os.path.dirname(program), near)}?" if near else f"there is no {path}"
        return f"command {program}: not found; {advice}"
    names = {name for folder in folders(environment) for name in _listed(folder)}
    near_names = difflib.get_close_matches(program, names, n=1)
    return f"command {program}: not on PATH" + (f"; did you mean {near_names[0]}?" if near_names else "")


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _name_of(command: Sequence[str]) -> str:
    """The first script in a command line says more than the program that starts it."""
    scripts = [word for word in command if word.endswith((".py", ".sh")) and not word.startswith("-")]
    return os.path.splitext(os.path.basename(scripts[0] if scripts else command[0]))[0]
