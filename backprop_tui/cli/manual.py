"""The manual page backprop-tui(1), made from the parser, so that it has every command and option."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from backprop_tui import __version__
from backprop_tui.cli.exit_codes import MEANINGS
from backprop_tui.cli.parser import GLOBAL_GROUP, full_parser

_ENVIRONMENT = {
    "BACKPROP_HOME": "the state directory",
    "BACKPROP_HOST": "the name of this machine, instead of its hostname",
    "BACKPROP_MAX_PARALLEL, BACKPROP_GPU_MAX_TEMP_C, ...": "a setting: its name in capital letters, after BACKPROP_",
    "NO_COLOR": "if it is set, output has no colors",
}
_FILES = {
    "~/.local/share/backprop": "the state directory: runs, logs and the queue; ~/.backprop instead if it exists",
    "~/.config/backprop/config.toml": "settings; `backprop-tui config show` lists all of them",
    "backprop.toml": "settings of the runs that are queued from the directory it is in",
}
# Characters that roff interprets, or typesets as others than those to type.
_ESCAPES = str.maketrans(
    {"\\": r"\e", "-": r"\-", "'": r"\(aq", '"': r"\(dq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", ".": r"\&."}
)


def manual() -> str:
    """The source of the page for man(1), in the macros of groff_man(7)."""
    parser = full_parser()
    lines = [
        f'.TH BACKPROP\\-TUI 1 "" "backprop\\-tui {__version__}"',
        ".SH NAME",
        r"backprop\-tui \- queue, supervise and watch training runs",
        ".SH SYNOPSIS",
        r".B backprop\-tui",
        "[OPTIONS] [COMMAND [ARGUMENTS]]",
        ".SH DESCRIPTION",
        _text(parser.description),
        "Without a command, the dashboard opens.",
        *_options(parser),
        ".SH COMMANDS",
        *_commands(parser, ()),
    ]
    for title, entries in (("EXIT STATUS", MEANINGS), ("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        lines += [f".SH {title}", *_entries(entries)]
    return "\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser, above: tuple[str, ...]) -> Iterator[str]:
    """All commands of a parser, each followed by its own; `above` are the names that lead to it."""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        summaries = {choice.dest: choice.help for choice in action._choices_actions}
        for name, subparser in action.choices.items():
            names = (*above, name)
            yield f'.SS "{_text(" ".join(names))}"'
            yield from _usage(subparser)
            yield ".PP"
            yield _text(summaries.get(name))
            yield from _options(subparser, skip=GLOBAL_GROUP)
            yield from _commands(subparser, names)


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The usage line by line, without the global options."""
    formatter = parser._get_formatter()
    own = [group for group in parser._action_groups if group.title != GLOBAL_GROUP]
    actions = [action for group in own for action in group._group_actions]
    formatter.add_usage(parser.usage, actions, parser._mutually_exclusive_groups, prefix="")
    text = formatter.format_help()
    for line in text.splitlines() if parser.usage else [text]:
        yield _text(line)
        yield ".br"


def _options(parser: argparse.ArgumentParser, *, skip: str = "") -> Iterator[str]:
    """The arguments of a parser by groups, as its help has them, without one group."""
    formatter = parser._get_formatter()
    for group in parser._action_groups:
        entries = {
            formatter._format_action_invocation(action): formatter._expand_help(action)
            for action in group._group_actions
            if action.help not in (None, argparse.SUPPRESS) and not isinstance(action, argparse._HelpAction)
        }
        if entries and group.title != skip:
            yield ".PP"
            yield f"{_text(group.title)}:"
            yield from _entries(entries)


def _entries(entries: Mapping[str, str]) -> Iterator[str]:
    for name, meaning in entries.items():
        yield from (".TP", f'.B "{_text(name)}"', _text(meaning))


def _text(text: str | None) -> str:
    """Text for roff, on one line."""
    return " ".join((text or "").split()).translate(_ESCAPES)
