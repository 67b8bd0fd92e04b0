"""`config`: shows the settings and where they come from, checks them, and changes them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping

from backprop_tui.cli import diagnostics, output, tables
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.session import current_directory
from backprop_tui.config.keys import HELP_TEXTS, KEYS
from backprop_tui.config.kinds import AUTO, Value, as_text
from backprop_tui.config.load import Layer, merged, read_layers, with_key_problems
from backprop_tui.domain.errors import ConfigError, unknown_key
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.thresholds import OPTION_OF_SETTING

SUMMARY = "show, check and change the settings"

_COLUMNS = (
    tables.Column(title="KEY"),
    tables.Column(title="VALUE", least=8, values=True),
    tables.Column(title="ORIGIN", least=10, spare=1),
)

_BRIEF = 20  # columns of a value that the other rows are padded to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", title="actions", required=True)
    show = actions.add_parser("show", help="every key with its value and where it comes from")
    show.add_argument("keys", metavar="KEY", nargs="*", help="only these, such as gpu.max_temp_c")
    actions.add_parser("path", help="the user's configuration file, whether it exists or not")
    actions.add_parser("init", help="write that file with every key, its meaning and its default")
    set_ = actions.add_parser("set", help="set a key in that file; its comments are kept")
    set_.add_argument("key", metavar="KEY", help="such as max_parallel or gpu.max_temp_c")
    set_.add_argument("value", metavar="VALUE", help="`none` for some keys; lists separated by commas")
    unset = actions.add_parser("unset", help="remove a key from that file, also an unknown one; comments are kept")
    unset.add_argument("key", metavar="KEY", help="a key or a table in the file")
    actions.add_parser("check", help="look for mistakes in all files and variables; exit with 2 if there are any")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    actions: dict[str, Callable[[argparse.Namespace, Session], int]] = {
        "show": _show,
        "path": _path,
        "init": _init,
        "set": _set,
        "unset": _unset,
        "check": _check,
    }
    return actions[arguments.action](arguments, session)


def _show(arguments: argparse.Namespace, session: Session) -> int:
    """Shows what is valid in spite of errors elsewhere, because it is the way to find the right key."""
    for name in arguments.keys:
        if name not in KEYS:
            raise unknown_key("config show", name, HELP_TEXTS)
    layers = _layers(session)
    settings = merged(layers)
    problems = settings.problems
    names = arguments.keys or list(KEYS)
    values = {name: {"value": settings[name], "origin": settings.origin(name)} for name in names}
    words = {name: shown(settings[name]) if arguments.keys else _in_brief(settings[name]) for name in names}
    if settings["max_parallel"] == AUTO and "max_parallel" in values:
        from backprop_tui.client.machine import max_parallel_here

        values["max_parallel"]["here"] = here = max_parallel_here(session.home, session.config_path)
        words["max_parallel"] = f"{AUTO} ({here} here)"
    if not session.json:
        tables.show(_COLUMNS, [(name, words[name], settings.origin(name)) for name in names])
    elif problems:
        output.json_error(problems[0], settings=values)
    else:
        output.json_value(values)
    for problem in problems:
        diagnostics.complain(str(problem))
    if problems:
        diagnostics.say("shown is what applies without that; no run can be queued until it is fixed")
    return ConfigError.exit_code if problems else OK


def _layers(session: Session) -> list[Layer]:
    return read_layers(session.config_path, current_directory(), os.environ, named=session.config_named)


def shown(value: Value) -> str:
    return as_text(value) or "(empty)"


def _in_brief(value: Value) -> str:
    """A long list or table as the number of its values; `config show KEY` shows them."""
    text = shown(value)
    if isinstance(value, tuple | Mapping) and len(text) > _BRIEF:
        return counted(len(value), "value")
    return text


def _path(_arguments: argparse.Namespace, session: Session) -> int:
    if session.json:
        output.json_value({"path": session.config_path, "exists": os.path.exists(session.config_path)})
    else:
        output.data(session.config_path)
    return OK


def _init(_arguments: argparse.Namespace, session: Session) -> int:
    from backprop_tui.config.write import init, require_absent

    if session.dry_run:
        require_absent(session.config_path)
    else:
        init(session.config_path)
    would = "would be " if session.dry_run else ""
    return _report(session, f"{session.config_path}: {would}written", {})


def _set(arguments: argparse.Namespace, session: Session) -> int:
    from backprop_tui.config.write import set_key, validate_assignment

    value = (validate_assignment if session.dry_run else set_key)(session.config_path, arguments.key, arguments.value)
    would = "would be " if session.dry_run else ""
    message = f"{arguments.key} = {shown(value)}: {would}written to {session.config_path}"
    stronger = session.valid_settings().stronger_than_file(arguments.key)
    message += f", but {stronger}" if stronger else ""
    if KEYS[arguments.key].is_settled_when_queued:
        option = OPTION_OF_SETTING.get(arguments.key)
        change = "" if option is None else f"; to change one: backprop-tui edit RUN {option} {arguments.value}"
        message += f"; runs that are queued already keep theirs{change}"
    return _report(session, message, {"key": arguments.key, "value": value})


def _unset(arguments: argparse.Namespace, session: Session) -> int:
    from backprop_tui.config.write import unset_key

    name = arguments.key
    removed = unset_key(session.config_path, name, is_dry=session.dry_run)
    done = "would be removed from" if session.dry_run else "removed from"
    message = f"{name}: {done if removed else 'not in'} {session.config_path}"
    if name in KEYS:
        stronger = session.valid_settings().stronger_than_file(name)
        message += f"; {stronger or f'the default {shown(KEYS[name].default)} applies'}"
        if removed and KEYS[name].is_settled_when_queued:
            message += "; runs that are queued already keep theirs"
    return _report(session, message, {"key": name, "removed": removed})


def _report(session: Session, message: str, changed: dict[str, Value]) -> int:
    if session.json:
        output.json_value({"path": session.config_path, **changed})
    else:
        output.line(message)
    return OK


def _check(_arguments: argparse.Namespace, session: Session) -> int:
    layers = with_key_problems(_layers(session), session.key_problems)
    problems = [problem for layer in layers for problem in layer.problems]
    if session.json:
        shown_problems = [
            {"where": problem.where, "problem": problem.problem, "hint": problem.hint} for problem in problems
        ]
        output.json_value({"ok": not problems, "problems": shown_problems})
    else:
        for layer in layers:
            for problem in layer.problems:
                output.line(f"bad   {problem}")
            for remark in layer.remarks:
                output.line(f"warn  {layer.name}: {remark}")
            if not layer.problems:
                output.line(f"ok    {layer.name}")
    return ConfigError.exit_code if problems else OK
