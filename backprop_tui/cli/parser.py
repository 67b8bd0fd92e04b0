"""Parses a command line into the global options, the command, and the command's own arguments.

Only the module of the given command is imported; all of them only for the overview and for completion.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from backprop_tui.cli import output
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass

# Nobody translates what argparse says; looking for a translation takes a twentieth of a short command.
_untranslated = ModuleType("gettext")
vars(_untranslated).update(
    gettext=lambda text: text, ngettext=lambda single, several, count: single if count == 1 else several
)
_gettext = sys.modules.setdefault("gettext", _untranslated)
import argparse  # noqa: E402 - see above

if _gettext is _untranslated:
    del sys.modules["gettext"]

if TYPE_CHECKING:
    from backprop_tui.cli.run_words import TrailingOptions
    from backprop_tui.cli.session import Session

# In the order of the overview; each is a module of its name in `cli/commands`.
COMMANDS = (
    *("run", "resume", "list", "status", "stop", "pause", "continue", "logs", "wait", "queue"),
    *(
        "show",
        "compare",
        "baseline",
        "edit",
        "export",
        "remove",
        "clean",
        "config",
        "doctor",
        "service",
        "report",
        "completion",
        "help",
    ),
)

# They help where the state directory cannot be used.
_WITHOUT_STORE = ("config", "doctor", "service", "report", "completion", "help")

# Words of other tools that mean the same.
SYNONYMS = {
    "ls": ("list",),
    "ps": ("list",),
    "cancel": ("stop",),
    "rm": ("remove",),
    "top": (),
    "version": ("--version",),
}
HELP = "help"
_UNDERSTOOD = "Also understood: ls, ps (list), cancel (stop), rm (remove), top (the dashboard)."

RUN = "run"  # gets the words after `--` as they are, in `arguments.after_dashes`

DESCRIPTION = "Queue, watch and time-box machine-learning training runs from the terminal, and never lose one."

GLOBAL_GROUP = "global options"  # the title of their group in the help
_SWITCHES = {
    "--no-ui": "work without the dashboard",
    "--json": "answer in JSON",
    "--verbose": "print more messages, and the traceback of an internal error",
    "--dry-run": "do everything up to the governor's decision, but start and change nothing",
}
_RESUME_ARG = "--resume-arg"
_DASHBOARD_OPTIONS = {
    "--demo": "show the dashboard with real runs on simulated GPUs; leaves nothing behind",
    "--read-only": "open the dashboard so that it changes nothing: no run, no setting, no background process",
}
_CONFIG = "--config"
_VERSION = ("-V", "--version")
HELP_OPTIONS = ("-h", "--help")
_WITHOUT_VALUE = (*_SWITCHES, *_VERSION, *_DASHBOARD_OPTIONS)
GLOBAL_OPTIONS = (*_WITHOUT_VALUE, _CONFIG)


class Command(Protocol):
    """What a module in `cli/commands` must define."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def execute(self, arguments: argparse.Namespace, session: Session) -> int: ...


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GlobalOptions:
    """The options allowed before or after any command; `config` None is the user's own file."""

    config: str | None = None
    no_ui: bool = False
    json: bool = False
    verbose: bool = False
    dry_run: bool = False
    version: bool = False
    demo: bool = False
    read_only: bool = False


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A parsed command line; `execute` is None if there is no command."""

    options: GlobalOptions
    arguments: argparse.Namespace
    needs_store: bool = True
    execute: Callable[[argparse.Namespace, Session], int] | None = None


class _HelpFormatter(argparse.HelpFormatter):
    """As wide as the terminal; argparse would load shutil for that, and creates one for each argument added."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=(output.width() or output.USUAL_WIDTH) - 2)

    def _split_lines(self, text: str, width: int) -> list[str]:
        """As argparse does it, but no option is broken at its hyphens, so that it can be copied."""
        import textwrap  # as argparse: only for a help text

        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width - len(indent)))


class CommandParser(argparse.ArgumentParser):
    """Raises UsageError instead of exiting, accepts no abbreviations, and prints through `output`."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own arguments
        settings.setdefault("allow_abbrev", False)
        settings.setdefault("formatter_class", _HelpFormatter)
        super().__init__(**settings)
        self.given: Sequence[str] = ()

    def actions(self) -> Sequence[argparse.Action]:
        return self._actions

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as in argparse
        """Remembers the words, of which an error may have to name one that it does not mention."""
        self.given = args or ()
        return super().parse_known_args(args, namespace)

    def option_length(self, word: str) -> int | None:
        """How many words an option and its value take; None if it is neither an option of this command nor global."""
        if word in _WITHOUT_VALUE:
            return 1
        name, equals, _ = word.partition("=")
        action = self._option_string_actions.get(name)
        if action is None and name != _CONFIG:
            return None if word.startswith("--") else self._cluster_length(word)
        return 1 if equals or (action is not None and action.nargs == 0) else 2

    def _cluster_length(self, word: str) -> int | None:
        """As `option_length`, for short options in one word, such as -dm 5 or -m5."""
        for end, letter in enumerate(word[1:], start=2):
            action = self._option_string_actions.get(f"-{letter}")
            if action is None:
                return None
            if action.nargs != 0:
                return 1 if end < len(word) else 2
        return 1 if len(word) > 1 else None

    def correction(self, word: str) -> tuple[str, str | None]:
        """What is wrong with a word that is not understood, and what to type instead if that is known."""
        from backprop_tui.cli.corrections import unknown_argument

        return unknown_argument(self, word)

    def error(self, message: str) -> NoReturn:
        from backprop_tui.cli.corrections import explain

        raise explain(self, message)

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401 - as in argparse
        output.line(message.rstrip("\n"))


def parse(words: Sequence[str]) -> Invocation:
    """Parses a command line without the program's name; SystemExit if it asks for help, which is printed."""
    words = _without_synonym(words)
    run = _run_line(words)
    words = words if run is None else run.words
    index = words.index("--") if "--" in words else len(words)
    after_dashes = list(words[index + 1 :]) if "--" in words else None
    options, rest = _extract_global_options(words[:index])
    if (options.demo or options.read_only) and rest and rest[0] not in HELP_OPTIONS:
        problem = "--demo shows a dashboard of its own" if options.demo else "--read-only is for the dashboard"
        raise UsageError(problem, f"leave out {rest[0]!r}")
    if options.version:
        return Invocation(options=options, arguments=argparse.Namespace())
    if not rest or rest[0].startswith("-"):
        return _without_command(options, rest, after_dashes)
    name, *rest = rest
    if run is None and after_dashes is not None:
        rest = [*rest, "--", *after_dashes]
    if name not in COMMANDS:
        from backprop_tui.cli.corrections import unknown_command

        raise unknown_command(name, rest)
    module = load(name)
    parser = command_parser(name, module) if run is None else run.parser
    trailing = None if run is None else run.trailing
    rest, for_script = _split_resume(parser, rest) if name == "resume" else (rest, [])
    try:
        arguments = _parse_command(parser, rest)
    except UsageError as error:
        if trailing is not None:
            trailing.explain(error)
        raise
    arguments.after_dashes, arguments.trailing, arguments.for_script = after_dashes, trailing, for_script
    arguments.understood = None if run is None else run.understood
    needs_store = name not in _WITHOUT_STORE
    return Invocation(options=options, arguments=arguments, needs_store=needs_store, execute=module.execute)


def _split_resume(parser: CommandParser, words: list[str]) -> tuple[list[str], list[str]]:
    """Splits off what was probably meant for the script: after RUN, from a `--` or an unknown option on."""
    index, has_run = 0, False
    while index < len(words) and words[index] != "--":
        is_option = words[index].startswith("-") and words[index] != "-"
        length = parser.option_length(words[index]) if is_option else 1
        if length is None:
            break
        index, has_run = index + length, has_run or not is_option
    return (words[:index], words[index:]) if has_run and words[index:] != ["--"] else (words, [])


def _command_index(words: Sequence[str]) -> int:
    """The index of the first word that is no global option."""
    index = 0
    while index < len(words) and words[index].startswith("-") and words[index] != "--":
        index += 2 if words[index] == _CONFIG else 1
    return min(index, len(words))


def _without_synonym(words: Sequence[str]) -> Sequence[str]:
    """The words with a synonym replaced by the command; `help COMMAND` and `--help COMMAND` become `COMMAND --help`."""
    index = _command_index(words)
    before, name, after = words[:index], "".join(words[index : index + 1]), words[index + 1 :]
    asked = [word for word in before if word in HELP_OPTIONS]
    if name == HELP or (asked and name):
        before = [word for word in before if word not in asked]
        return [*before, *_help_words(after if name == HELP else words[index:])]
    return [*before, *SYNONYMS[name], *after] if name in SYNONYMS else words


def _help_words(named: Sequence[str]) -> Sequence[str]:
    """The command line for `help NAMED`: the help of a command, or the command that explains any other word."""
    first = named[0] if named else HELP
    if first == HELP or first in HELP_OPTIONS:
        return ["--help"]
    if first in COMMANDS or first in SYNONYMS:
        return _without_synonym([*named, "--help"])
    return [HELP, *(["--"] if first.startswith("-") else []), *named]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _RunLine:
    """The words of `run` with the missing `--`; `understood` is the line to show if one was added.

    `trailing` are our options after the script, if there are any.
    """

    words: Sequence[str]
    parser: CommandParser
    understood: str | None
    trailing: TrailingOptions | None


def _run_line(words: Sequence[str]) -> _RunLine | None:
    """None for other commands. Global options are extracted later: after a program they are its arguments."""
    index = _command_index(words)
    name = "".join(words[index : index + 1])
    is_script = (
        name != "" and name not in COMMANDS and is_runnable(name) and not _extract_global_options(words[:index])[1]
    )
    if name != RUN and not is_script:
        return None
    from backprop_tui.cli.run_words import RunWords

    parser = command_parser(RUN, load(RUN))
    before = (*words[:index], RUN)
    given = list(words[index + 1 if name == RUN else index :])
    typed = RunWords(before=before, option_length=parser.option_length, correction=parser.correction)
    completed = typed.complete(given)
    if name != RUN:
        raise UsageError(f"unknown command {name!r}", f"to run it: {typed.line(completed)}")
    understood = None if completed == given else typed.line(completed)
    trailing = typed.trailing_options(completed)
    return _RunLine(words=[*before, *completed], parser=parser, understood=understood, trailing=trailing)


def is_runnable(name: str) -> bool:
    """Whether a word looks like a script or a program that starts one."""
    from backprop_tui.domain.command_lines import is_launcher

    is_name = name.endswith((".py", ".sh")) and " " not in name
    return is_name or is_launcher(name) or os.path.isfile(name)


def load(name: str) -> Command:
    """The module of a command."""
    module = "continue_" if name == "continue" else name  # a keyword cannot name a module
    return cast("Command", importlib.import_module(f"backprop_tui.cli.commands.{module}"))


def command_parser(name: str, module: Command) -> CommandParser:
    """The parser of one command; its help describes the global options, which are extracted before it parses."""
    epilog = f"Global options, before or after the command: {' '.join(_SWITCHES)} {_CONFIG} PATH --version --help"
    parser = CommandParser(prog=f"backprop-tui {name}", description=module.SUMMARY, epilog=epilog)
    module.add_arguments(parser)
    return parser


def global_parser() -> CommandParser:
    """The parser of what is allowed without a command."""
    parser = CommandParser(
        prog="backprop-tui",
        description=DESCRIPTION,
        epilog=f"backprop-tui help COMMAND describes a command, backprop-tui help WORD explains a word. {_UNDERSTOOD}",
    )
    _describe_global_options(parser)
    parser.add_argument(*_VERSION, action="store_true", help="print the version")
    for option, text in _DASHBOARD_OPTIONS.items():
        parser.add_argument(option, action="store_true", help=text)
    return parser


def full_parser() -> argparse.ArgumentParser:
    """The parser of all commands and options, for the overview and for completion; imports every command."""
    parser = global_parser()
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", title="commands")
    for name in COMMANDS:
        module = load(name)
        subparser = subparsers.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(subparser)
        _describe_global_options(subparser)
    return parser


def _describe_global_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(GLOBAL_GROUP)
    for option, text in _SWITCHES.items():
        group.add_argument(option, action="store_true", help=text)
    group.add_argument(_CONFIG, metavar="PATH", help="the configuration file to use instead of the user's config.toml")


def _extract_global_options(words: Sequence[str]) -> tuple[GlobalOptions, list[str]]:
    """The global options and the remaining words; no option of a command takes a value that looks like one of them."""
    options: dict[str, Any] = {}
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word in _VERSION:
            options["version"] = True
        elif word in _SWITCHES or word in _DASHBOARD_OPTIONS:
            options[word[2:].replace("-", "_")] = True
        elif word == _CONFIG:
            options["config"] = next(remaining, "")
        elif word.startswith(_CONFIG + "="):
            options["config"] = word.partition("=")[2]
        else:
            rest.append(word)
    if options.get("config") == "":
        raise UsageError("--config needs a path", "the user's own: backprop-tui config path")
    return GlobalOptions(**options), rest


def _without_command(options: GlobalOptions, rest: list[str], after_dashes: list[str] | None) -> Invocation:
    if rest and rest[0] in HELP_OPTIONS:
        full_parser().print_help()
        raise SystemExit(0)
    if rest:
        from backprop_tui.cli.corrections import unknown_option_before

        raise unknown_option_before(rest)
    if after_dashes is not None:
        raise UsageError("'--' before a command", "to run a command line: backprop-tui run -- COMMAND ...")
    return Invocation(options=options, arguments=argparse.Namespace())


def _parse_command(parser: CommandParser, words: list[str]) -> argparse.Namespace:
    """Options may come between the positional arguments, unless there is a `--` or the command has subcommands."""
    if not any(word.startswith("-") for word in words):
        return parser.parse_args(words)  # the other way composes the usage first
    words = _with_dashed_value(words, known={option for action in parser.actions() for option in action.option_strings})
    if "--" in words or any(action.nargs in (argparse.PARSER, argparse.REMAINDER) for action in parser.actions()):
        return parser.parse_args(words)
    return parser.parse_intermixed_args(words)


def _with_dashed_value(words: list[str], known: set[str]) -> list[str]:
    """Joins `--resume-arg --resume={path}` with `=`: argparse takes a value with dashes for another option."""
    if _RESUME_ARG not in words[:-1]:
        return words
    index = words.index(_RESUME_ARG)
    if words[index + 1] in known:
        return words
    return [*words[:index], f"{_RESUME_ARG}={words[index + 1]}", *words[index + 2 :]]
