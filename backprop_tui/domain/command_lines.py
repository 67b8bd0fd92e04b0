"""Finds the script or module that a command line runs, behind interpreters, launchers, wrappers and shells."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import islice

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.word_set import word_set

_PYTHON = r"(?:i?python|pypy)[0-9.]*w?"
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
# What a shell does by itself.
SHELL_WORDS = word_set("cd export set source . exec for while until if then do done fi ulimit exit trap")
# Programs that start a script, or with -m a module. Any other program before an interpreter is treated as a wrapper.
_LAUNCHERS = word_set("torchrun accelerate deepspeed composer horovodrun colossalai fabric uv")
_WRAPPERS = word_set("env nohup nice ionice time timeout srun mpirun stdbuf numactl taskset setsid chrt exec")
_SUBCOMMANDS = frozenset({"run", "launch"})
_LAUNCHER_MODULES = word_set(
    "torch.distributed.run torch.distributed.launch accelerate.commands.launch torch.utils.bottleneck cProfile "
    "profile pdb ipdb trace debugpy viztracer scalene kernprof coverage memory_profiler IPython line_profiler "
    "deepspeed.launcher.runner pyinstrument"
)
_SUFFIXES = (".py", ".sh", ".bash", ".ipynb")
_MODULE = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_VARIABLE = r"(?s)([A-Za-z_]\w*)=(.*)"
_PYTHON_OPTION = r"(?s)-[bBdEhiIOPqRsStuvVx]*([cm])(.*)"
_PYTHON_VALUES = frozenset({"-W", "-X", "-Q", "--check-hash-based-pycs"})
_DIRECTORY_OPTIONS = frozenset({"-C", "--chdir", "--directory", "--cwd"})
_IMPORTED = r"\b(?:from|import)\s+([A-Za-z_][\w.]*)"

_MAX_SHELL_BYTES = 64 << 10
_MAX_SHELL_LINES = 500
_SHELL_LINE = r"python|\.py\b|run\b|accelerate|deepspeed|\.sh\b|^\s*(?:cd|export)\s|^\s*\w+=|-m\s"
_ALL_ARGUMENTS = frozenset({"$@", "${@}", "$*", "${*}", "${@:1}"})
_OWN_DIRECTORY = r'"?\$\(\s*dirname\s[^)]*\)"?'
_OWN = "$OWN_DIRECTORY"


class TargetKind(StrEnum):
    SCRIPT = "script"
    MODULE = "module"
    CODE = "code"
    PROGRAM = "program"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The script, module, code or program that a command line runs, and its arguments.

    `word` is the path of a script, the name of a module, the code after `python -c`, or the name of a program.
    `directory` is where it starts, relative to the run's, None if it is the same. `takes_arguments`: whether words
    appended to the command line reach it; a shell script may not pass them on.
    """

    kind: TargetKind
    word: str
    arguments: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    directory: str | None = None
    takes_arguments: bool = True

    @property
    def name(self) -> str:
        if self.kind is TargetKind.MODULE:
            return next((part for part in reversed(self.word.split(".")) if part != "__main__"), self.word)
        if self.kind is TargetKind.CODE:
            imported = [name.split(".") for name in re.findall(_IMPORTED, self.word)]
            return next((parts[-1] for parts in imported if parts[0] not in sys.stdlib_module_names), "inline")
        return name_of_path(self.word)


def name_of_path(path: str) -> str:
    """The file's name without extension; for a package's `__main__.py` the name of the package."""
    folder, file = os.path.split(os.path.normpath(path))
    stem = os.path.splitext(file)[0]
    return os.path.basename(folder) or stem if stem == "__main__" else stem


def find_target(command: Sequence[str]) -> Target:
    """Returns the target of a non-empty command line: its first program if nothing else is recognized."""
    target = _scan(command)
    if target is not None:
        return target
    index = _program_index(command)
    if is_python(command[index]):
        return Target(kind=TargetKind.CODE, word="")  # read from a pipe or a terminal
    return Target(kind=TargetKind.PROGRAM, word=command[index], arguments=tuple(command[index + 1 :]))


def argument_start(command: Sequence[str]) -> int | None:
    """The index of the first argument of the script or module; None if they are inside a shell command."""
    target = find_target(command)
    start = len(command) - len(target.arguments)
    return start if target.takes_arguments and tuple(command[start:]) == target.arguments else None


def _program_index(words: Sequence[str]) -> int:
    """The index of the program that the known wrappers before it start."""
    index = 0
    while index < len(words) - 1:
        word, name = words[index], os.path.basename(words[index])
        starts = (
            name in _WRAPPERS or name in _LAUNCHERS or words[index + 1] == "run" or (index and name in _SUBCOMMANDS)
        )
        if not (starts or re.fullmatch(_VARIABLE, word)):
            break
        following = (number for number in range(index + 1, len(words)) if _is_positional(words, number))
        index = next(following, len(words))
    return index if index < len(words) else 0


def _is_positional(words: Sequence[str], number: int) -> bool:
    word = words[number]
    return not (word.startswith("-") or re.fullmatch(r"[\d.:,-]+[a-z]?", word) or _may_take_value(words[number - 1]))


def is_python(program: str) -> bool:
    return re.fullmatch(_PYTHON, os.path.basename(program)) is not None


def is_launcher(program: str) -> bool:
    """Whether a program is an interpreter, a launcher or a shell."""
    name = os.path.basename(program)
    return is_python(name) or name in _SHELLS or name in _LAUNCHERS


def _scan(words: Sequence[str], *, takes_module: bool = False) -> Target | None:
    """The first target; words after an option are tried last, since they may be its value."""
    begins = [number for number, word in enumerate(words) if is_launcher(word) or word.endswith(_SUFFIXES)]
    if takes_module:
        before = words[: begins[0]] if begins else words
        flag = next((number for number, word in enumerate(before) if word in ("-m", "--module")), None)
        target = None if flag is None else _module_after(words, flag)
        if target is not None:
            return _in_context(target, words[:flag])
    for number in sorted(begins, key=lambda number: number > 0 and _may_take_value(words[number - 1])):
        target = _target_at(words[number], words[number + 1 :])
        if target is not None:
            return _in_context(target, words[:number])
    return None


def _may_take_value(word: str) -> bool:
    return word.startswith("-") and word != "--" and "=" not in word


def _in_context(target: Target, before: Sequence[str]) -> Target:
    """The target with the variables and the directory that the words before it set."""
    variables = _variables(before)
    directory = target.directory
    for number, word in enumerate(before):
        option, equals, value = word.partition("=")
        if option in _DIRECTORY_OPTIONS:
            directory = value if equals else (*before, "")[number + 1] or directory
    return replace(target, variables=(*variables, *target.variables), directory=directory)


def _variables(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    matches = (re.fullmatch(_VARIABLE, word) for word in words)
    return tuple((match[1], match[2]) for match in matches if match is not None)


def _target_at(program: str, rest: Sequence[str]) -> Target | None:
    name = os.path.basename(program)
    if is_python(name):
        return _of_python(rest)
    if name in _SHELLS:
        return _of_shell(rest)
    if name in _LAUNCHERS:
        return _scan(rest, takes_module=True)
    return Target(kind=TargetKind.SCRIPT, word=program, arguments=tuple(rest))


def _of_python(words: Sequence[str]) -> Target | None:
    left = list(words)
    while left:
        word = left.pop(0)
        option = re.fullmatch(_PYTHON_OPTION, word)
        if option is not None:
            value = option[2] or (left.pop(0) if left else "")
            if option[1] == "m" and value in _LAUNCHER_MODULES:
                return _scan(left, takes_module=True)
            kind = TargetKind.MODULE if option[1] == "m" else TargetKind.CODE
            return Target(kind=kind, word=value, arguments=tuple(left)) if value else None
        if word in _PYTHON_VALUES:
            del left[:1]
        elif not word.startswith("-"):
            return Target(kind=TargetKind.SCRIPT, word=word, arguments=tuple(left))
    return None


def _module_after(words: Sequence[str], flag: int) -> Target | None:
    for number in range(flag + 1, len(words)):
        word = words[number]
        is_value = number > flag + 1 and _may_take_value(words[number - 1]) and "." not in word
        if re.fullmatch(_MODULE, word) and not is_value:
            return Target(kind=TargetKind.MODULE, word=word, arguments=tuple(words[number + 1 :]))
    return None


def _of_shell(words: Sequence[str]) -> Target | None:
    left = list(words)
    while left:
        word = left.pop(0)
        if re.fullmatch(r"-[a-z]*c", word):
            target = shell_target(left[0]) if left else None
            # The first word after the code is $0.
            return target and replace(target, takes_arguments=target.takes_arguments and len(left) > 1)
        if word in ("-o", "+o", "-O", "--rcfile", "--init-file"):
            del left[:1]
        elif not word.startswith(("-", "+")):
            return Target(kind=TargetKind.SCRIPT, word=word, arguments=tuple(left))
    return None


def shell_target(source: str, folder: str | None = None) -> Target | None:
    """Returns the target of a shell script in `folder`: the command that gets its arguments, else the last one.

    It takes arguments only if no other command gets them. None if nothing is recognized.
    """
    targets: list[Target] = []
    variables: tuple[tuple[str, str], ...] = ()
    directory: str | None = None
    programs: list[list[str]] = []
    for words in _shell_commands(source):
        if words[0] == "cd":
            directory = folder if words[-1] == _OWN else os.path.join(directory or "", words[-1])
            continue
        settings = words[1:] if words[0] == "export" else words
        if all(re.fullmatch(_VARIABLE, word) for word in settings):
            variables += _variables(settings)
            continue
        target = _scan(words)
        programs += [words] if words[0] not in SHELL_WORDS else []
        if target is not None:
            passes = any(word in _ALL_ARGUMENTS for word in target.arguments)
            start = directory if target.directory is None else os.path.join(directory or "", target.directory)
            target = replace(target, directory=start, takes_arguments=passes)
            targets.append(replace(target, variables=(*variables, *target.variables)))
    passing = [target for target in targets if target.takes_arguments]
    if len(passing) > 1:
        return replace(passing[-1], takes_arguments=False)  # they may have different options
    if not targets and programs:
        program, *arguments = programs[-1]
        return Target(kind=TargetKind.PROGRAM, word=program, arguments=tuple(arguments), takes_arguments=False)
    return (passing or targets)[-1] if targets else None


def _shell_commands(source: str) -> Iterator[list[str]]:
    """The words of each simple command, without redirections; lines that cannot start a training are skipped."""
    lines = source[:_MAX_SHELL_BYTES].replace("\\\n", " ").splitlines()
    relevant = lines if len(lines) == 1 else (line for line in lines if re.search(_SHELL_LINE, line))
    for line in islice(relevant, _MAX_SHELL_LINES):
        code = re.sub(r"(?:^|\s)#.*", "", re.sub(_OWN_DIRECTORY, _OWN, line))
        lexer = shlex.shlex(code, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split, lexer.commenters = True, ""
        try:
            tokens = list(lexer)
        except ValueError:  # a quotation that continues on the next line
            continue
        words: list[str] = []
        redirected = False
        for token in tokens:
            if redirected:
                redirected = False
            elif token and set(token) <= set("();<>|&"):
                redirected = set(token) & set("<>") != set()
                if not redirected:
                    yield from [words] if words else []
                    words = []
            else:
                words.append(token)
        yield from [words] if words else []
