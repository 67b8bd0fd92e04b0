"""Keys and commands that the user added in `[keys]` and `[[commands]]` of config.toml."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace

from textual.binding import Binding
from textual.keys import Keys

from backprop_tui.config.load import Settings
from backprop_tui.domain.errors import ConfigError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.similar import nearest
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import LOG_ACTIONS, MAIN_ACTIONS, METRICS_ACTIONS

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_PLACEHOLDERS = ("id", "name", "run_dir", "log", "cwd", "script", "checkpoint", "group")
_MODIFIERS = ("ctrl", "alt", "shift")
_NAMED_KEYS = frozenset(str(key.value) for key in Keys)
_OF_THE_PROGRAM = {"ctrl+c": "leave", "ctrl+z": "suspend"}  # bound by the application
_Problem = tuple[str, str]  # what is wrong, and what to do


class MissingValue(ValueError):
    """A placeholder has no value, or none that is safe where it stands; the message says which and why."""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class UserCommand:
    """A command line with placeholders, or an action of the dashboard; `key` is as Textual names it."""

    name: str
    line: str = ""
    action: Action | None = None
    key: str | None = None
    shown_key: str = ""
    output: str = "terminal"

    @property
    def target(self) -> str:
        """What a key starts: several keys may start the same."""
        return f"{self.name}: {self.line}" if self.action is None else self.action.id

    @property
    def changes(self) -> bool:
        return self.action is not None and self.action.changes

    def words(self, run: KnownRun | None) -> list[str]:
        """Returns the words of the command for a run; no shell takes part, so that a name stays one word.

        A word with blanks may be code, as that of `sh -c`: only what a shell takes literally is put in there.

        Raises:
            MissingValue: a placeholder has no value.
        """
        return [_filled(word, run) for word in shlex.split(self.line)]


def _filled(word: str, run: KnownRun | None) -> str:
    def value(match: re.Match[str]) -> str:
        if run is None:
            raise MissingValue("Select a run first")
        text = _values(run).get(match[1])
        if not text:
            raise MissingValue(f"This run has no {match[1]}")
        if len(word.split()) > 1 and shlex.quote(text) != text:
            raise MissingValue(f"{match[0]} is {text!r}, unsafe within quotes: give it as a word of its own")
        return text

    return _PLACEHOLDER.sub(value, word)


def _values(run: KnownRun) -> Mapping[str, str | None]:
    record = run.record
    checkpoint = next(iter(reversed(record["checkpoints"])), None)
    log: str | None = record["log_path"]
    return {
        "id": run.id,
        "name": record["name"],
        "run_dir": None if log is None else log.rpartition("/")[0],
        "log": log,
        "cwd": record["cwd"],
        "script": record["script"],
        "checkpoint": None if checkpoint is None else checkpoint["path"],
        "group": record["group"],
    }


def user_commands(settings: Settings) -> tuple[list[UserCommand], list[ConfigError]]:
    """Returns the valid commands and keys of the settings, and what is wrong with each of the others."""
    commands: list[UserCommand] = []
    problems: list[ConfigError] = []
    taken = {key: action.short for action in _OWNERS for key in action.keys} | _OF_THE_PROGRAM
    for section, item, command in (*_named(settings), *_keyed(settings)):
        problem = command if isinstance(command, tuple) else _problem(command, taken)
        if problem is not None:
            problems.append(ConfigError(settings.origin_of_item(section, item), *map(sanitize, problem)))
        elif isinstance(command, UserCommand):
            commands.append(command)
            if command.key is not None:
                taken[command.key] = command.name
    return commands, problems


_OWNERS = (*MAIN_ACTIONS, *LOG_ACTIONS, *METRICS_ACTIONS)


def _named(settings: Settings) -> Iterator[tuple[str, str | int, UserCommand | _Problem]]:
    tables = settings.tables("commands")
    for index, table in enumerate(tables):
        name, key = table["name"], table.get("key")
        command = UserCommand(
            name=sanitize(name),
            line=table["command"],
            key=None if key is None else textual_key(key),
            shown_key=key or "",
            output=table.get("output", "terminal"),
        )
        is_repeated = name in (other["name"] for other in tables[:index])
        problem = (f"two commands have the name {name!r}", "rename one")
        yield "commands", index, problem if is_repeated else command


def _keyed(settings: Settings) -> Iterator[tuple[str, str | int, UserCommand | _Problem]]:
    actions = {action.id: action for action in MAIN_ACTIONS}
    commands = {table["name"]: table for table in settings.tables("commands")}
    for key, target in settings.table("keys").items():
        command = UserCommand(name=sanitize(target), key=textual_key(key), shown_key=key)
        yield "keys", key, _with_target(command, target, actions, commands)


def _with_target(
    command: UserCommand, target: str, actions: Mapping[str, Action], commands: Mapping[str, Mapping[str, str]]
) -> UserCommand | _Problem:
    """Returns what the target stands for: an action, a command by its name, or a command line."""
    if target in actions:
        action = actions[target]
        return replace(command, name=action.title or action.short, action=action)
    if target in commands:
        return replace(command, line=commands[target]["command"], output=commands[target].get("output", "terminal"))
    if " " in target or shutil.which(target) is not None:
        return replace(command, line=target)
    near = nearest(target, (*actions, *commands))
    hint = "name an action such as view, one of [[commands]] or a program" if near is None else f"did you mean {near}?"
    return f"{command.shown_key} = {target!r} is neither an action nor a command", hint


def _problem(command: UserCommand, taken: Mapping[str, str]) -> _Problem | None:
    if command.key is not None and not _is_key(command.shown_key):
        return f"{command.shown_key!r} is not a key", "use one such as ctrl+t, f5 or W"
    if command.key is not None and command.key in taken:
        return f"the key {command.shown_key} is in use ({taken[command.key]})", "choose another"
    subject = command.name if command.key is None else f"{command.shown_key}: {command.name}"
    try:
        words = shlex.split(command.line)
    except ValueError as error:
        return f"{subject}: {error}", "quote it as in a shell"
    unknown = [name for word in words for name in _PLACEHOLDER.findall(word) if name not in _PLACEHOLDERS]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
        return f"{subject}: {{{unknown[0]}}} is not a placeholder", f"these are: {known}"
    return None


def textual_key(key: str) -> str:
    """Returns the name of a key in Textual: `question_mark` for `?`, `ctrl+t` for `Ctrl+T`."""
    name = key if len(key) == 1 else key.lower()
    return next(iter(Binding.make_bindings([Binding(name, "")]))).key


def _is_key(key: str) -> bool:
    """Whether it is one character or a named key, perhaps with modifiers."""
    *modifiers, last = [key] if len(key) == 1 else key.lower().split("+")
    return (len(last) == 1 or last in _NAMED_KEYS) and all(modifier in _MODIFIERS for modifier in modifiers)
