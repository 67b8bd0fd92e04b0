"""The settings as rows: key, value in force, where that comes from, what it means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import NONE
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.neutral import neutral

DEFAULT = "default"
ENVIRONMENT = "environment "
_TITLES = {
    "": "Limits",
    "gpu": "GPU",
    "governor": "Governor",
    "run": "Runs",
    "readers": "Readers",
    "dashboard": "Dashboard",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """`value` is as `config set` takes it; `section` is what heads the rows of its table."""

    key: str
    section: str
    value: str
    origin: str
    help: str


def settings_rows(lines: Sequence[str]) -> list[SettingRow]:
    """From what `config show --json` wrote.

    Raises:
        ValueError, TypeError: that is something else.
    """
    found = json.loads("\n".join(lines))
    if not isinstance(found, dict):
        raise TypeError("config show wrote no object")
    return [_row(name, found[name]) for name in KEYS if name in found]


def _row(name: str, found: dict[str, Any]) -> SettingRow:
    section = KEYS[name].section
    return SettingRow(
        key=name,
        section=_TITLES.get(section, section.capitalize()),
        value=neutral(word_of(found["value"])),
        origin=_short(neutral(str(found["origin"]))),
        help=KEYS[name].help,
    )


def word_of(value: object) -> str:
    """A value as a word."""
    match value:
        case None:
            return NONE
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ",".join(map(str, value))
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)


def default_word(key: str) -> str:
    """What it is where nothing is set."""
    return word_of(KEYS[key].default)


def _short(origin: str) -> str:
    """A variable by its name, a file without its directories."""
    if origin.startswith(ENVIRONMENT):
        return origin.removeprefix(ENVIRONMENT)
    return origin.rpartition("/")[2]
