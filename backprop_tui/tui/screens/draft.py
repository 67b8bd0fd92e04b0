"""The fields of the New run dialog and the words of `run` that they stand for; command lines as people paste them."""

from __future__ import annotations

import os
import re
import shlex
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from urllib.parse import unquote

from backprop_tui.domain.arguments import quoted
from backprop_tui.domain.command_lines import argument_start
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.screens.shell_line import (
    CONTROLS,
    PICTURES,
    VARIABLE,
    ShellLine,
    join_lines,
    line_word,
    split_commands,
    split_line,
)

_INTERPRETER = re.compile(r"(.*/)?python3?(\.\d+)?")
_SCRIPT_SUFFIXES = (".py", ".sh")
_FILE_URL = "file://"
_TILDE = re.compile(r"(?<!\S)~[\w.-]*(?=/|\s|$)")
PROGRAM = "backprop-tui"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCommand:
    """Options of `run` in the line itself, the script, and its arguments.

    Without a script the arguments are a whole command.
    """

    options: tuple[str, ...] = ()
    script: str | None = None
    arguments: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What follows the options of `run`."""
        if self.script is None:
            return ("--", *self.arguments) if self.arguments else ()
        return (self.script, *(("--", *self.arguments) if self.arguments else ()))


def parse_command(text: str) -> ParsedCommand:
    """Parses a command line; one that begins with `--` is taken as it is.

    Raises:
        ValueError: as in `split_line`.
    """
    words = list(_split(text).words)
    options: list[str] = []
    while words and VARIABLE.match(words[0]):
        options += ["--env", words.pop(0)]
    if words[:2] == [PROGRAM, "run"]:
        return ParsedCommand(options=(*options, *words[2:]))
    if words[:1] == ["--"]:
        return ParsedCommand(options=tuple(options), arguments=tuple(words[1:]))
    if words and words[0].startswith(_FILE_URL):  # some terminals drop a file as a URL
        words[0] = unquote(words[0].removeprefix(_FILE_URL))
    return _parse_program(tuple(options), words)


def left_out(text: str) -> str:
    """The shell syntax in a command line that has no effect on a run, and why; nothing while it cannot be read."""
    idle: Sequence[str] = ()
    with suppress(ValueError):  # `parse_command` says why
        idle = _split(text).idle
    why = ", and ".join(dict.fromkeys(filter(None, map(_why_idle, idle))))
    return f"left out: {' '.join(idle)}{f'   runs {why}' if why else ''}" if idle else ""


def _why_idle(piece: str) -> str:
    """Why a run needs no redirection and no background; a comment, `;` and `</dev/null` explain themselves."""
    if piece in ("&", "nohup"):
        return "go on without a terminal"
    return "keep their log" if ">" in piece and not piece.startswith("#") else ""


def _split(text: str) -> ShellLine:
    """The words of a command line; a `~` at the beginning of one is expanded as the shell would."""
    return _split_line(_TILDE.sub(lambda home: quoted(os.path.expanduser(home[0])), join_lines(text)))


@lru_cache(maxsize=4)  # a form asks for the parts of the same line many times after each key
def _split_line(line: str) -> ShellLine:
    words, idle = split_line(line)
    return ShellLine([word.translate(CONTROLS) for word in words], idle)


def words_in(text: str) -> tuple[str, ...]:
    """The words of arguments as they are shown in a row. Raises ValueError if a quotation is not closed."""
    return tuple(word.translate(CONTROLS) for word in shlex.split(text))


def line_of(words: Iterable[str]) -> str:
    """The command line of words, in one line: a control character is shown by its picture."""
    return " ".join(map(line_word, words)).translate(PICTURES)


def split_command(text: str) -> tuple[list[str], list[str]]:
    """The words of a command line before the arguments of its script, and those.

    Raises:
        ValueError: as in `split_line`.
    """
    words, command = _split(text).words, parse_command(text)
    count = len(command.arguments)
    if command.script is None:
        start = argument_start(command.arguments) if command.arguments else None
        count = 0 if start is None else count - start
    return words[: len(words) - count], words[len(words) - count :]


def _parse_program(options: tuple[str, ...], words: Sequence[str]) -> ParsedCommand:
    if len(words) > 1 and _INTERPRETER.fullmatch(words[0]) and words[1].endswith(".py"):
        options = (*options, "--python", words[0]) if os.sep in words[0] else options
        words = words[1:]
    if not words:
        return ParsedCommand(options=options)
    if words[0].endswith(_SCRIPT_SUFFIXES) or os.sep in words[0]:
        arguments = words[2:] if words[1:2] == ["--"] else words[1:]
        return ParsedCommand(options=options, script=words[0], arguments=tuple(arguments))
    return ParsedCommand(options=options, arguments=tuple(words))


Draft = Mapping[str, str]  # the text of each field, by its name

COMMAND, SWEEP, MORE = "command", "sweep", "more"
RESUME, MINUTES, LAUNCHER = "resume", "minutes", "launcher"
SWEPT = "swept"  # the arguments whose values make a sweep
# Fields that are one option, and fields that are an option for each of their words.
_SINGLE = {
    "name": "--name",
    MINUTES: "-m",
    "total": "--total-minutes",
    "gpus": "--gpus",
    "vram": "--gpu-min-vram",
    "priority": "--priority",
    "retries": "--retries",
    "group": "--group",
    LAUNCHER: "--launcher",
    "partition": "--slurm-partition",
    "account": "--slurm-account",
    "qos": "--slurm-qos",
    "constraint": "--slurm-constraint",
    "gres": "--slurm-gres",
    "cpus": "--slurm-cpus",
    "memory_gb": "--slurm-memory-gb",
    "note": "--note",
    RESUME: "--resume-from",
}
_EACH_WORD = {"after": "--after", SWEEP: "--sweep", "tags": "--tag"}
_FIELDS = {option: field for field, option in (_SINGLE | _EACH_WORD).items()}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field; `width` in cells, None takes the rest of the row; `suffix` is shown behind it.

    One that `wraps` has as many rows as its text needs.
    """

    name: str
    label: str
    width: int | None = None
    placeholder: str = ""
    suffix: str = ""
    wraps: bool = False


COMMAND_FIELD = Field(
    name=COMMAND, label="Command", placeholder="train.py --lr 3e-4, or paste a command line", wraps=True
)
MAIN_FIELDS = (
    Field(name=MINUTES, label="Stop after", width=15, suffix="min, or none"),
    Field(name="gpus", label="  GPUs", width=11, placeholder="default"),
)
# What only the job of a run for Slurm asks for, besides its partition.
SLURM_FIELDS = (
    (
        Field(name="account", label="Account", width=20, placeholder="default"),
        Field(name="qos", label="  QOS", width=20, placeholder="default"),
    ),
    (
        Field(name="constraint", label="Constraint", width=20, placeholder="default"),
        Field(name="gres", label="  GPU kind", width=20, placeholder="gpu:a100"),
    ),
    (
        Field(name="cpus", label="Cores", width=11, placeholder="default"),
        Field(name="memory_gb", label="  memory", width=11, placeholder="default", suffix="GB"),
    ),
)
FOLDED_FIELDS = (
    (Field(name="name", label="Name", placeholder="name of the script"),),
    (Field(name="group", label="Group", width=20), Field(name="tags", label="  tags", placeholder="baseline lm")),
    (Field(name="note", label="Note", placeholder="a line about it"),),
    (Field(name="after", label="After", placeholder="name or id of a run to finish first"),),
    (
        Field(name="retries", label="Retries", width=11, placeholder="default"),
        Field(name="priority", label="  priority", width=9, placeholder="0"),
    ),
    (
        Field(name="total", label="Total", width=11, suffix="min, in slices"),
        Field(name="vram", label="  VRAM at least", width=11, placeholder="default", suffix="MB"),
    ),
    (
        Field(name=LAUNCHER, label="Launcher", width=11, placeholder="default", suffix="local or slurm"),
        Field(name="partition", label="  partition", width=13, placeholder="default"),
    ),
    *SLURM_FIELDS,
    (Field(name=SWEEP, label="Sweep", placeholder="lr=1e-3,3e-4 seed=1..3"),),
    (Field(name=RESUME, label="Resume from", placeholder="a checkpoint"),),
    (Field(name=MORE, label="Options", placeholder="--max-load 0 --env NAME=VALUE, all of run --help"),),
)


_LABELS = {field.name: field.label.strip() for row in (MAIN_FIELDS, *FOLDED_FIELDS) for field in row}
_OPTION = re.compile(r"(?<!\S)(?P<option>--[a-z-]+)(?: [A-Z]+\b)?")
_SEE_HELP = re.compile(r"; see: backprop-tui run --help$")


def in_terms_of_fields(problem: str, draft: Draft) -> str:
    """What `run` found wrong, beginning with the name of the field that was filled in instead of its option.

    Its hint names fields, too, unless it is a line for a shell.
    """
    options, colon, rest = problem.partition(": ")
    names = (_FIELDS.get(option, "") for option in re.split(r"[/ ]", options))
    field = next((name for name in names if draft.get(name, "").strip()), None)
    about = problem if field is None else f"{_LABELS[field]}{colon}{_SEE_HELP.sub('', rest)}"
    text, semicolon, hint = about.rpartition("; ")
    return about if PROGRAM in hint else text + semicolon + _OPTION.sub(_place_of_option, hint)


def place_of_option(option: str) -> str:
    """Where the value of an option of `run` is typed in the form."""
    return _LABELS[_FIELDS.get(option, MORE)] + ("" if option in _FIELDS else f" {option}")


def _place_of_option(match: re.Match[str]) -> str:
    from backprop_tui.client.request_words import OPTION_NAMES
    from backprop_tui.client.run_request import IN_FORM

    option = match["option"]
    return _LABELS[_FIELDS[option]] if option in _FIELDS else match[0] + (IN_FORM if option in OPTION_NAMES else "")


def words_of(draft: Draft) -> tuple[str, ...]:
    """Returns the words that follow `run`.

    Raises:
        ValueError: as in `split_line`.
    """
    command = parse_command(draft.get(COMMAND, ""))
    options: list[str] = []
    for field, option in _SINGLE.items():
        value = draft.get(field, "").strip()
        options += [option, value] if value else []
    for field, option in _EACH_WORD.items():
        for word in shlex.split(draft.get(field, "")):
            options += [option, word.removeprefix("#")]
    options += words_in(draft.get(MORE, ""))
    return (*options, *command.options, *command.words)


@lru_cache(maxsize=4)  # as above
def commands_of(text: str) -> Sequence[str]:
    """The commands of a line, each of which can be a run; a line that only a shell can read is one."""
    return split_commands(join_lines(text))


def shell_line(draft: Draft) -> str:
    """Returns the command line that does the same; raises as `words_of` does."""
    return shlex.join((PROGRAM, "run", *words_of(draft)))


def same_as(draft: Draft) -> str:
    """`same as: backprop-tui run ...`; empty without a command, or while a quotation is not closed."""
    with suppress(ValueError):
        return "" if is_empty(draft) else f"same as: {shell_line(draft)}"
    return ""


def is_empty(draft: Draft) -> bool:
    return not draft.get(COMMAND, "").strip()


def draft_of(words: Sequence[str]) -> dict[str, str]:
    """Returns the fields for words of `run` that `request_words` made, as they would be typed in this directory."""
    here = _current_directory()
    draft: dict[str, list[str]] = defaultdict(list)
    rest = deque(words)
    while rest[0].startswith("-") and rest[0] != "--":
        option, equals, value = rest.popleft().partition("=")
        value = value if equals else rest.popleft()
        if (option, value) == ("--cwd", here):
            continue
        name = _FIELDS.get(option, MORE)
        draft[name] += (
            [value] if name in _SINGLE else [quoted(value)] if name in _EACH_WORD else [option, quoted(value)]
        )
    if here and rest[0].startswith(f"{here}/"):
        path = rest[0].removeprefix(f"{here}/")
        rest[0] = path if os.sep in path or path.endswith(_SCRIPT_SUFFIXES) else f".{os.sep}{path}"
    return {COMMAND: _command_line(list(rest)), **{name: " ".join(values) for name, values in draft.items()}}


def drafts_of(lines: Iterable[Sequence[str]]) -> list[Draft]:
    """The drafts of several lines, each command once."""
    drafts: dict[str, Draft] = {}
    for words in lines:
        with suppress(IndexError):  # not the words of a whole command: the file was edited
            draft = draft_of(words)
            drafts.setdefault(draft[COMMAND], draft)
    return list(drafts.values())


class RecentDrafts:
    """The drafts of recent commands, which are read when the first one is asked for."""

    def __init__(self, read: Callable[[], Awaitable[Iterable[Sequence[str]]]]) -> None:
        self._read = read
        self._drafts: Sequence[Draft] | None = None
        self._index = -1

    async def next(self) -> Draft | None:
        """The next older one, the newest after the oldest; None if there is none."""
        if self._drafts is None:
            drafts: Sequence[Draft] = ()
            with suppress(BackpropError):
                drafts = drafts_of(await self._read())
            self._drafts = drafts
        if not self._drafts:
            return None
        self._index = (self._index + 1) % len(self._drafts)
        return self._drafts[self._index]


def _current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was removed
        return ""


def _command_line(words: list[str]) -> str:
    """The line that is parsed to these words: SCRIPT [-- ARGUMENTS], or `--` and a whole command."""
    if words[0] == "--":
        line = line_of(words[1:])
        as_it_is = ParsedCommand(arguments=tuple(words[1:]))
        return line if parse_command(line) == as_it_is else f"-- {line}"
    script, _, *arguments = words if len(words) > 1 else [*words, "--"]
    return line_of([script, *(["--"] if arguments[:1] == ["--"] else []), *arguments])
