"""The settings: key, current value, where it comes from and what it means, grouped by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import NONE, Value
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.cells import left
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import LineBuilder, heading, width_of
from backprop_tui.tui.tokens import Line, Piece, Token

if TYPE_CHECKING:
    from backprop_tui.config.load import Settings

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
_NONE: Mapping[str, str] = MappingProxyType({})
_KEY, _VALUE, _ORIGIN = 33, 16, 20
_HELP_FROM, _ORIGIN_FROM = 100, 66  # columns; on narrower screens the help is shown below the list only


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """`value` is written as `config set` takes it; `section` is the heading of its rows."""

    key: str
    section: str
    value: str
    origin: str
    help: str


def settings_rows(settings: Settings) -> list[SettingRow]:
    """The rows, in the order of the registry of keys."""
    return [
        SettingRow(
            key=name,
            section=_TITLES.get(key.section, key.section.capitalize()),
            value=sanitize(value_text(settings[name])),
            origin=_short_origin(sanitize(settings.origin(name))),
            help=key.help,
        )
        for name, key in KEYS.items()
    ]


def value_text(value: Value) -> str:
    match value:
        case None:
            return NONE
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)


def default_text(key: str) -> str:
    return value_text(KEYS[key].default)


def _short_origin(origin: str) -> str:
    """The name of the variable, or of the file without its directories."""
    if origin.startswith(ENVIRONMENT):
        return origin.removeprefix(ENVIRONMENT)
    return origin.rpartition("/")[2]


def draw_settings_heading(path: str, width: int, glyphs: Glyphs, *, changed: int = 0) -> Line:
    """The title, the path of the file, and how many changes are not saved."""
    title = [Piece("Settings", Token.ACCENT, bold=True), Piece(f" {path}".rstrip(), Token.MUTED)]
    count = [Piece(f"{changed} changed", Token.WARN, bold=True)]
    parts = [(2, title), *([(width - width_of(count) - 2, count)] if changed else [])]
    return heading(parts, width, glyphs, focused=True)


def draw_settings(
    rows: Sequence[SettingRow], cursor: int, width: int, glyphs: Glyphs, *, changed: Mapping[str, str] = _NONE
) -> tuple[list[Line], int]:
    """The lines, and the one with the cursor; `changed` has the values that are not saved yet."""
    lines: list[Line] = []
    at, section = 0, ""
    for place, row in enumerate(rows):
        if row.section != section:
            section = row.section
            lines += [*([()] if lines else []), (Piece(f"  {section}", bold=True),)]
        if place == cursor:
            at = len(lines)
        lines.append(_draw_row(row, changed.get(row.key), width, glyphs, cursor=place == cursor))
    return lines, at


def _draw_row(row: SettingRow, change: str | None, width: int, glyphs: Glyphs, *, cursor: bool) -> Line:
    is_set = row.origin != DEFAULT
    token = Token.FG if change is None else Token.WARN
    arrow = "→" if glyphs.unicode else "->"
    shown = row.value if change is None else f"{row.value} {arrow} {change}"
    origin = row.origin if change is None else "changed"
    key = min(_KEY, max(12, width // 2 - 2))
    builder = LineBuilder().put(f"{glyphs.cursor} " if cursor else "  ", Token.ACCENT)
    builder.put(left(row.key, key - 1, glyphs)).put(" ")
    value = _VALUE if width >= _ORIGIN_FROM else max(4, width - builder.column - 1)
    builder.put(left(shown, value - 1, glyphs), token, bold=is_set or change is not None).put(" ")
    if width >= _ORIGIN_FROM:
        room = _ORIGIN if width >= _HELP_FROM else width - builder.column - 1
        muted = Token.FG if is_set else Token.MUTED
        builder.put(left(origin, room - 1, glyphs), muted if change is None else Token.WARN).put(" ")
    if width >= _HELP_FROM:
        builder.put(left(row.help, width - builder.column - 1, glyphs), Token.MUTED)
    return builder.line()
