"""Parses a command line into the global options, the command, and the command's own arguments.

Only the module of the given command is imported; all of them only for the overview and for completion.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from backprop_tui.cli import output
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass

if TYPE_CHECKING:
    from backprop_tui.cli.session import Session

# In the order of the overview; each is a module of its name in `cli/commands`.
COMMANDS = (
    *("run", "resume", "list", "status", "stop", "pause", "continue", "logs", "wait", "queue"),
    *("show", "compare", "edit", "export", "remove", "clean", "config", "doctor", "service", "completion"),
)

_RUN = "run"  # gets the words after `--` as they are, in `arguments.after_dashes`

DESCRIPTION = "Queue, watch and time-box machine-learning training runs from the terminal, and never lose one."

_SWITCHES = {
    "--no-ui": "work without the dashboard",
    "--json": "answer in JSON",
    "--verbose": "print more messages, and the traceback of an internal error",
    "--dry-run": "do everything up to the governor's decision, but start and change nothing",
}
_RESUME_ARG = "--resume-arg"
_DEMO = "--demo"
_CONFIG = "--config"


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


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A parsed command line; `execute` is None if there is no command."""

    options: GlobalOptions
    arguments: argparse.Namespace
    execute: Callable[[argparse.Namespace, Session], int] | None = None


class _HelpFormatter(argparse.HelpFormatter):
    """As wide as the terminal; argparse would load shutil for that, and creates one for each argument added."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=(output.width() or output.USUAL_WIDTH) - 2)


class CommandParser(argparse.ArgumentParser):
    """Raises UsageError instead of exiting, accepts no abbreviations, and prints through `output`."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own arguments
        settings.setdefault("allow_abbrev", False)
        settings.setdefault("formatter_class", _HelpFormatter)
        super().__init__(**settings)

    def actions(self) -> Sequence[argparse.Action]:
        return self._actions

    def option_length(self, word: str) -> int | None:
        """How many words an option and its value take; None if it is neither an option of this command nor global."""
        if word in (*_SWITCHES, "--version", _DEMO):
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

    def error(self, message: str) -> NoReturn:
        unknown = "unrecognized arguments: "
        if message.startswith(unknown):
            message = self.correction(message.removeprefix(unknown))
        raise UsageError(f"{message.removeprefix('argument ')} (see: {self.prog} --help)")

    def correction(self, unknown: str) -> str:
        """What is wrong with words that are not understood, with the most similar option."""
        word = unknown.split(maxsplit=1)[0]
        if not word.startswith("-"):
            return f"unexpected argument {unknown}"
        import difflib  # only needed to correct a mistake

        known = [
            option for option in (*self._option_string_actions, *_SWITCHES, _CONFIG, _DEMO) if option.startswith("--")
        ]
        near = difflib.get_close_matches(word.partition("=")[0], known, n=1, cutoff=0.75)
        return f"unknown option {unknown}" + (f"; did you mean {near[0]}?" if near else "")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401 - as in argparse
        output.line(message.rstrip("\n"))


def parse(words: Sequence[str]) -> Invocation:
    """Parses a command line without the program's name; SystemExit if it asks for help, which is printed."""
    run = _run_line(words)
    words = words if run is None else run.words
    index = words.index("--") if "--" in words else len(words)
    after_dashes = list(words[index + 1 :]) if "--" in words else None
    options, rest = _extract_global_options(words[:index])
    if options.demo and rest and rest[0] not in ("-h", "--help"):
        raise UsageError(f"--demo shows a dashboard of its own; leave out {rest[0]!r}")
    if options.version:
        return Invocation(options=options, arguments=argparse.Namespace())
    if not rest or rest[0].startswith("-"):
        return _without_command(options, rest, after_dashes)
    name, *rest = rest
    module = load(name)
    parser = command_parser(name, module) if run is None else run.parser
    if run is None and after_dashes is not None:
        rest = [*rest, "--", *after_dashes]
    arguments = _parse_command(parser, rest)
    arguments.after_dashes = after_dashes
    arguments.understood = None if run is None else run.understood
    return Invocation(options=options, arguments=arguments, execute=module.execute)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _RunLine:
    """The words of `run` with the missing `--`; `understood` is the line to show if one was added."""

    words: Sequence[str]
    parser: CommandParser
    understood: str | None


def _run_line(words: Sequence[str]) -> _RunLine | None:
    """None for other commands. Global options are extracted later: after a program they are its arguments."""
    index = 0
    while index < len(words) and words[index].startswith("-") and words[index] != "--":
        index += 2 if words[index] == _CONFIG else 1
    name = "".join(words[index : index + 1])
    if name != _RUN and not (name not in COMMANDS and _is_runnable(name)):
        return None
    from backprop_tui.cli.run_words import RunWords

    parser = command_parser(_RUN, load(_RUN))
    before = (*words[:index], _RUN)
    given = list(words[index + 1 if name == _RUN else index :])
    typed = RunWords(before=before, option_length=parser.option_length, correction=parser.correction)
    completed = typed.complete(given)
    if name != _RUN:
        raise UsageError(f"unknown command {name!r}; to run it: {typed.line(completed)}")
    understood = None if completed == given else typed.line(completed)
    return _RunLine(words=[*before, *completed], parser=parser, understood=understood)


def _is_runnable(name: str) -> bool:
    from backprop_tui.domain.command_lines import is_launcher

    return name.endswith((".py", ".sh")) or is_launcher(name)


def load(name: str) -> Command:
    """The module of a command; a UsageError names a similar command if there is none."""
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1)
        advice = f"did you mean {near[0]}?" if near else "backprop-tui --help lists them"
        raise UsageError(f"unknown command {name!r}; {advice}")
    module = "continue_" if name == "continue" else name  # a keyword cannot name a module
    return cast("Command", importlib.import_module(f"backprop_tui.cli.commands.{module}"))


def command_parser(name: str, module: Command) -> CommandParser:
    """The parser of one command; its help describes the global options, which are extracted before it parses."""
    epilog = f"Global options, before or after the command: {' '.join(_SWITCHES)} {_CONFIG} PATH --version --help"
    parser = CommandParser(prog=f"backprop-tui {name}", description=module.SUMMARY, epilog=epilog)
    module.add_arguments(parser)
    return parser


def full_parser() -> argparse.ArgumentParser:
    """The parser of all commands and options, for the overview and for completion; imports every command."""
    parser = CommandParser(
        prog="backprop-tui", description=DESCRIPTION, epilog="backprop-tui COMMAND --help describes a command."
    )
    _describe_global_options(parser)
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument(
        _DEMO, action="store_true", help="show the dashboard with real runs on simulated GPUs; leaves nothing behind"
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", title="commands")
    for name in COMMANDS:
        module = load(name)
        subparser = subparsers.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(subparser)
        _describe_global_options(subparser)
    return parser


def _describe_global_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("global options")
    for option, text in _SWITCHES.items():
        group.add_argument(option, action="store_true", help=text)
    group.add_argument(_CONFIG, metavar="PATH", help="the configuration file to use instead of the user's config.toml")


def _extract_global_options(words: Sequence[str]) -> tuple[GlobalOptions, list[str]]:
    """The global options and the remaining words; no option of a command takes a value that looks like one of them."""
    options: dict[str, Any] = {}
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word in _SWITCHES or word in ("--version", _DEMO):
            options[word[2:].replace("-", "_")] = True
        elif word == _CONFIG:
            options["config"] = next(remaining, "")
        elif word.startswith(_CONFIG + "="):
            options["config"] = word.partition("=")[2]
        else:
            rest.append(word)
    if options.get("config") == "":
        raise UsageError("--config needs a path")
    return GlobalOptions(**options), rest


def _without_command(options: GlobalOptions, rest: list[str], after_dashes: list[str] | None) -> Invocation:
    if rest and rest[0] in ("-h", "--help"):
        full_parser().print_help()
        raise SystemExit(0)
    if rest:
        raise UsageError(f"unknown option {rest[0]} before a command (see: backprop-tui --help)")
    if after_dashes is not None:
        raise UsageError("'--' before a command; to run a command line: backprop-tui run -- COMMAND ...")
    return Invocation(options=options, arguments=argparse.Namespace())


def _parse_command(parser: CommandParser, words: list[str]) -> argparse.Namespace:
    """Options may come between the positional arguments, unless there is a `--` or the command has subcommands."""
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
