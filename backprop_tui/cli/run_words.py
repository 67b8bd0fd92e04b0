"""Completes the words after `run` with a missing `--`, if only one meaning is possible."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from itertools import pairwise

from backprop_tui.client.command_line import check_script
from backprop_tui.domain.command_lines import TargetKind, find_target, is_launcher, is_python
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.programs import is_executable, on_path

PROGRAM = "backprop-tui"
_VARIABLE = r"(?s)[A-Za-z_]\w*=.*"
_MODULE = r"(?!none$)[A-Za-z_]\w*(\.\w+)*"
_QUOTED = r"'[^']*'|\\."
_DOUBLE_QUOTED = r'"[^"]*"'


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunWords:
    """Completes the words after `run`; `before` are those up to it.

    `option_length` gives the number of words that one of our options takes up, with its value; None for any other
    option. `correction` says what is wrong with an option that is not ours.
    """

    before: tuple[str, ...]
    option_length: Callable[[str], int | None]
    correction: Callable[[str], str]

    def complete(self, words: Sequence[str]) -> list[str]:
        """The words with `--` where it belongs; unchanged if they have it, or if the parser has to refuse them.

        Raises UsageError with the line to type if more than one meaning is possible.
        """
        count = self._count_options(words)
        lead, rest = list(words[:count]), list(words[count:])
        self._refuse_module(lead, rest)
        if not rest or rest[0] == "--":
            return list(words)
        if rest[0].startswith("-"):
            return self._script_after_unknown(lead, rest)
        return self._from_first(lead, rest)

    def line(self, words: Sequence[str]) -> str:
        """The whole command line with these words after `run`."""
        return shlex.join([PROGRAM, *self.before, *words])

    def _count_options(self, words: Sequence[str]) -> int:
        """How many words at the beginning are our options and their values."""
        index = 0
        while index < len(words) and words[index].startswith("-") and words[index] != "--":
            length = self.option_length(words[index])
            if length is None:
                break
            index += length
        return min(index, len(words))

    def _refuse_module(self, lead: list[str], rest: list[str]) -> None:
        """Python's `-m` before a module is our timebox."""
        for index, (option, module) in enumerate(pairwise(lead)):
            if option == "-m" and re.fullmatch(_MODULE, module):
                line = self.line([*lead[:index], "--", "python3", *lead[index:], *rest])
                raise UsageError(f"-m is the timebox in minutes; for the module {module}, type: {line}")

    def _from_first(self, lead: list[str], rest: list[str]) -> list[str]:
        first = rest[0]
        if os.path.isfile(os.path.expanduser(first)) and not _is_path_of_launcher(first):
            return self._script(lead, first, rest[1:])
        if re.fullmatch(_VARIABLE, first) and len(rest) > 1 and not rest[1].startswith("-"):
            return self.complete([*lead, "--env", *rest])
        if re.search(r"\s", first):
            return self._whole_line(lead, first, rest[1:])
        return self._command(lead, rest) if _is_program(first) else self._script(lead, first, rest[1:])

    def _script(self, lead: list[str], script: str, rest: list[str]) -> list[str]:
        """Our options may follow the script; its own arguments only after `--`."""
        count = self._count_options(rest)
        if count == len(rest) or rest[count] == "--":
            return [*lead, script, *rest]
        if not script.endswith((".py", ".sh")):
            check_script(script)
        raise self._arguments_of(script, [*lead, script, *rest[:count]], rest[count:])

    def _script_after_unknown(self, lead: list[str], rest: list[str]) -> list[str]:
        """Unknown options before the script are probably meant for it."""
        index = next((number for number, word in enumerate(rest) if os.path.isfile(word)), None)
        if index is None:
            return [*lead, *rest]
        script = rest.pop(index)
        raise self._arguments_of(script, [*lead, script], rest)

    def _arguments_of(self, script: str, ours: list[str], words: list[str]) -> UsageError:
        """The error with the line to type for arguments of a script; global options are allowed anywhere."""
        end = words.index("--") if "--" in words else len(words)
        anywhere = [word for word in words[:end] if word in ("--no-ui", "--json", "--verbose", "--dry-run")]
        arguments = [*(word for word in words[:end] if word not in anywhere), *words[end + 1 :]]
        line = self.line([*ours, *anywhere, "--", *arguments])
        problem = self.correction(words[0])
        end_mark = "" if problem.endswith("?") else "."
        return UsageError(f"{problem}{end_mark} Arguments of {script} come after --, so type: {line}")

    def _command(self, lead: list[str], command: list[str]) -> list[str]:
        """A program takes everything after it. Launchers accept a `--` after the script; Python passes it on."""
        target = find_target(command)
        is_file = target.kind in (TargetKind.SCRIPT, TargetKind.MODULE)
        if is_file and "--" in target.arguments and is_python(command[0]):
            index = len(command) - len(target.arguments) + target.arguments.index("--")
            line = self.line([*lead, "--", *command[:index], *command[index + 1 :]])
            raise UsageError(f"the -- after {target.word} would be one of its arguments, so type: {line}")
        return [*lead, "--", *command]

    def _whole_line(self, lead: list[str], text: str, rest: list[str]) -> list[str]:
        """A command line in one argument, after which our options may follow."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"{text!r}: {str(error).lower()}") from None
        count = self._count_options(rest)
        if not words:
            return [*lead, text, *rest]
        if _needs_shell(text):
            line = self.line([*lead, *rest[:count], "--", "bash", "-c", text, *rest[count:]])
            raise UsageError(f"{text!r} needs a shell, so type: {line}")
        while len(words) > 1 and re.fullmatch(_VARIABLE, words[0]):
            lead = [*lead, "--env", words.pop(0)]
        is_script = os.path.isfile(words[0])
        if not is_script and not _is_program(words[0]):
            return [*lead, text, *rest]
        ours = [*lead, *rest[:count]]
        completed = [*ours, *words[:1], "--", *words[1:]] if is_script else [*ours, "--", *words]
        if count < len(rest):
            line = self.line([*completed, *rest[count:]])
            raise UsageError(f"{rest[count]} comes after a whole command line, so type: {line}")
        return completed


def _is_program(word: str) -> bool:
    if os.sep in word:
        return _is_path_of_launcher(word)
    return is_launcher(word) or any(on_path(word, os.environ))


def _is_path_of_launcher(word: str) -> bool:
    """Whether it is the path of an interpreter or a launcher, such as .venv/bin/python."""
    return os.sep in word and is_launcher(word) and is_executable(os.path.expanduser(word))


def _needs_shell(text: str) -> bool:
    """Whether a command line contains shell syntax: pipes, redirections, variables, patterns."""
    without_single = re.sub(_QUOTED, "", text)
    return re.search(r"[|&;<>()*?\n]|(?:^|\s)~", re.sub(_DOUBLE_QUOTED, "", without_single)) is not None or (
        re.search(r"[$`]", without_single) is not None
    )
