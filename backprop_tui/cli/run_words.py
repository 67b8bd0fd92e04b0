"""Completes the words after `run` with a missing `--`, if only one meaning is possible."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

from backprop_tui.client.command_line import check_script
from backprop_tui.client.training_source import source_of
from backprop_tui.domain.command_lines import TargetKind, find_target, is_launcher, is_python
from backprop_tui.domain.errors import BackpropError, NotFound, UsageError
from backprop_tui.domain.invocation import ORIGINAL_FLAGS
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.quantities import MEMORY_SIZES, TIMES
from backprop_tui.domain.resume_arguments import defined_options
from backprop_tui.processes.programs import is_executable, on_path

PROGRAM = "backprop-tui"
_VARIABLE = r"(?s)[A-Za-z_]\w*=.*"
_LIKE = "--like"
_MODULE = r"(?!none$)[A-Za-z_]\w*(\.\w+)*"
_QUOTED = r"'[^']*'|\\."
_DOUBLE_QUOTED = r'"[^"]*"'


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunWords:
    """Completes the words after `run`; `before` are those up to it.

    `option_length` gives the number of words that one of our options takes up, with its value; None for any other
    option. `correction` says what is wrong with a word that is not ours, and what to type instead if that is known.
    """

    before: tuple[str, ...]
    option_length: Callable[[str], int | None]
    correction: Callable[[str], tuple[str, str | None]]

    def complete(self, words: Sequence[str]) -> list[str]:
        """The words with `--` where it belongs; unchanged if they have it, or if the parser has to refuse them.

        Raises UsageError with the line to type if more than one meaning is possible.
        """
        count = self._count_options(words)
        lead, rest = list(words[:count]), list(words[count:])
        self._refuse_module(lead, rest)
        if not rest:
            return lead
        if any(_option_name([word]) == _LIKE for word in lead):
            return self._like(lead, rest)
        if rest[0] == "--":
            self._refuse_no_command(lead, rest[1:])
            return list(words)
        if rest[0].startswith("-") and rest[0] != "-":
            return self._script_after_unknown(lead, rest)
        return self._from_first(lead, rest)

    def line(self, words: Sequence[str]) -> str:
        """The whole command line with these words after `run`."""
        return shlex.join([PROGRAM, *self.before, *words])

    def trailing_options(self, words: Sequence[str]) -> TrailingOptions | None:
        """Our options after the script in complete words; None if there are none."""
        count = self._count_options(words)
        lead, (script, *rest) = words[:count], words[count:] or [""]
        left, options = rest[: self._count_options(rest)], []
        while left:
            length = self.option_length(left[0]) or 1
            options.append(tuple(left[:length]))
            left = left[length:]
        if not options or script in ("", "--"):
            return None
        arguments = rest[sum(map(len, options)) :]
        return TrailingOptions(
            script=script, lead=(*lead, script), options=tuple(options), arguments=tuple(arguments[1:]), line=self.line
        )

    def _like(self, lead: list[str], rest: list[str]) -> list[str]:
        """What follows `--` are arguments of another run's command; it takes no script."""
        theirs, left = list[str](), list(rest)
        while left and left[0] != "--":
            length = self.option_length(left[0]) if left[0].startswith("-") else None
            (theirs if length is None else lead).extend(left[: length or 1])
            left = left[length or 1 :]
        if theirs and os.path.isfile(theirs[0]):
            raise UsageError(f"{theirs[0]}: --like names already what to run", f"leave out {theirs[0]}, or --like")
        if theirs:
            line = self.line([*lead, "--", *theirs, *left[1:]])
            raise UsageError(f"{theirs[0]}: with --like, the arguments of the command come after --", f"type: {line}")
        return [*lead, *left]

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
        if rest and os.path.isfile(rest[0]):
            return
        for index, (option, module) in enumerate(pairwise(lead)):
            if option == "-m" and re.fullmatch(_MODULE, module):
                line = self.line([*lead[:index], "--", "python3", *lead[index:], *rest])
                raise UsageError("-m is the timebox in minutes", f"for the module {module}, type: {line}")

    def _refuse_no_command(self, lead: list[str], command: list[str]) -> None:
        """After `--` there must be a program, and no script or whole command line."""
        first, *arguments = command or [""]
        if os.sep in first or not first or any(on_path(first, os.environ)):
            return
        if os.path.isfile(first):
            line = self.line([*lead, first, *(["--", *arguments] if arguments else [])])
            raise NotFound(f"command {first}: not a program on PATH but a file here", f"type: {line}")
        if re.search(r"\s", first):
            completed = self._whole_line(lead, first, [])
            if completed != [*lead, first]:
                line = self.line([*completed, *arguments])
                raise NotFound(f"command {first!r}: the quotes make it one word", f"type: {line}")

    def _refuse_no_file(self, lead: list[str], first: str, rest: list[str]) -> None:
        """Standard input, an address on the web and the unit of the option before are no scripts."""
        if first == "-":
            line = self.line([*lead, "script.py"])
            raise NotFound("-: a script cannot be read from standard input", f"save it to a file, then type: {line}")
        if "://" in first:
            name = first.rstrip("/").rpartition("/")[2]
            line = self.line([*lead, name, *rest])
            raise NotFound(f"script {first}: not a file here", f"download it (curl -LO {first}), then type: {line}")
        if lead and first.lower() in TIMES | MEMORY_SIZES and os.path.isfile("".join(rest[:1])):
            line = self.line([*lead[:-1], lead[-1] + first, *rest])
            raise UsageError(f"'{lead[-1]} {first}' must be one word", f"type: {line}")

    def _from_first(self, lead: list[str], rest: list[str]) -> list[str]:
        first = rest[0]
        self._refuse_no_file(lead, first, rest[1:])
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
        """Unknown options before the script are probably meant for it; ours among them stay ours."""
        ours, theirs, left = list(lead), list[str](), list(rest)
        while left and left[0] != "--" and not os.path.isfile(left[0]):
            length = self.option_length(left[0]) if left[0].startswith("-") else None
            (theirs if length is None else ours).extend(left[: length or 1])
            left = left[length or 1 :]
        if not left or left[0] == "--":
            return [*lead, *rest]
        raise self._arguments_of(left[0], [*ours, left[0]], [*theirs, *left[1:]])

    def _arguments_of(self, script: str, ours: list[str], words: list[str]) -> UsageError:
        """The error with the line to type for arguments of a script.

        Global options are allowed anywhere. If the source defines the first argument, its options are known, and
        those of ours that it does not define are ours.
        """
        defined = defined_options(source_of(script))
        is_known = words[0].partition("=")[0] in defined
        end = words.index("--") if "--" in words else len(words)
        ours, arguments, left = list(ours), list[str](), words[:end]
        while left:
            name = left[0].partition("=")[0]
            length = self.option_length(left[0]) if is_known and name not in defined and name[:1] == "-" else None
            is_ours = length is not None or name in ("--no-ui", "--json", "--verbose", "--dry-run")
            (ours if is_ours else arguments).extend(left[: length or 1])
            left = left[length or 1 :]
        line = self.line([*ours, "--", *arguments, *words[end + 1 :]])
        problem, meant = self.correction(words[0])
        hint = f"arguments of {script} come after --, so type: {line}"
        return UsageError(problem, _joined(None if is_known else meant, hint))

    def _command(self, lead: list[str], command: list[str]) -> list[str]:
        """A program takes everything after it. Launchers accept a `--` after the script; Python passes it on."""
        target = find_target(command)
        is_file = target.kind in (TargetKind.SCRIPT, TargetKind.MODULE)
        if is_file and "--" in target.arguments and is_python(command[0]):
            index = len(command) - len(target.arguments) + target.arguments.index("--")
            line = self.line([*lead, "--", *command[:index], *command[index + 1 :]])
            raise UsageError(f"the -- after {target.word} would be one of its arguments", f"type: {line}")
        return [*lead, "--", *command]

    def _whole_line(self, lead: list[str], text: str, rest: list[str]) -> list[str]:
        """A command line in one argument, after which our options may follow."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(
                f"{text!r}: {str(error).lower()}", "close the quote, or escape it by a backslash"
            ) from None
        count = self._count_options(rest)
        if not words:
            return [*lead, text, *rest]
        if _needs_shell(text):
            line = self.line([*lead, *rest[:count], "--", "bash", "-c", text, *rest[count:]])
            raise UsageError(f"{text!r} needs a shell", f"type: {line}")
        while len(words) > 1 and re.fullmatch(_VARIABLE, words[0]):
            lead = [*lead, "--env", words.pop(0)]
        is_script = os.path.isfile(words[0])
        if not is_script and not _is_program(words[0]):
            return [*lead, text, *rest]
        ours = [*lead, *rest[:count]]
        completed = [*ours, *words[:1], "--", *words[1:]] if is_script else [*ours, "--", *words]
        if count < len(rest):
            line = self.line([*completed, *rest[count:]])
            raise UsageError(f"{rest[count]} comes after a whole command line", f"type: {line}")
        return completed


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class TrailingOptions:
    """Our options after SCRIPT, each with its value, which may have been meant for the script.

    `lead` are the words up to the script, `arguments` those after `--`, and `line` makes a command line of all.
    """

    script: str
    lead: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    arguments: tuple[str, ...]
    line: Callable[[Sequence[str]], str]

    def warning(self) -> str | None:
        """A warning if the script itself defines some of the options."""
        defined = defined_options(source_of(self.script)).difference(ORIGINAL_FLAGS)
        shared = [name for name in map(_option_name, self.options) if name in defined]
        if not shared:
            return None
        verb, pronoun = ("was read as an option", "it") if len(shared) == 1 else ("were read as options", "them")
        line = self._line_for_script(shared)
        return f"{', '.join(shared)} {verb} of backprop-tui; for {self.script}, which has {pronoun} too, type: {line}"

    def explain(self, error: BackpropError) -> None:
        """Adds the line that hands an option to the script to an error about that option or its value."""
        subject = re.split(r":? ", error.message, maxsplit=1)[0]
        for option in self.options:
            name, value = _option_name(option), option[0].partition("=")[2] or "".join(option[1:])
            if value and (name in subject.split("/") or subject.startswith(os.path.abspath(value))):
                line = self._line_for_script([name])
                hint = f"the script's own arguments come after --, so for {self.script} type: {line}"
                other = error.hint if error.hint is not None and error.hint.endswith("?") else None
                error.hint = _joined(other, hint)
                return

    def _line_for_script(self, names: Collection[str]) -> str:
        ours = [word for option in self.options if _option_name(option) not in names for word in option]
        theirs = [word for option in self.options if _option_name(option) in names for word in option]
        return self.line([*self.lead, *ours, "--", *theirs, *self.arguments])


def _joined(meant: str | None, hint: str) -> str:
    """Two hints as sentences."""
    return hint if meant is None else f"{meant}{'' if meant.endswith('?') else '.'} {hint[0].upper()}{hint[1:]}"


def _option_name(option: Sequence[str]) -> str:
    return option[0].partition("=")[0]


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
