"""The settings in columns, a heading before each table of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from backprop_tui.tui.drawing.lines import LineBuilder, heading, width_of
from backprop_tui.tui.view.settings import DEFAULT, SettingRow
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import left
from backprop_tui.tui.wording.glyphs import Glyphs

_NONE: Mapping[str, str] = MappingProxyType({})
_KEY, _VALUE, _ORIGIN = 33, 16, 20
_HELP_FROM, _ORIGIN_FROM = 100, 66  # columns; below, the help stands under the list alone


def draw_settings_heading(path: str, width: int, glyphs: Glyphs, *, changed: int = 0) -> Line:
    """Title, the file that is written, and how many changes wait for that."""
    title = [Piece("Settings", Token.ACCENT, bold=True), Piece(f" {path}".rstrip(), Token.MUTED)]
    count = [Piece(f"{changed} changed", Token.WARN, bold=True)]
    parts = [(2, title), *([(width - width_of(count) - 2, count)] if changed else [])]
    return heading(parts, width, glyphs, focused=True)


def draw_settings(
    rows: Sequence[SettingRow], cursor: int, width: int, glyphs: Glyphs, *, changed: Mapping[str, str] = _NONE
) -> tuple[list[Line], int]:
    """The lines, and which of them the cursor is on; `changed` is what is not written yet."""
    lines: list[Line] = []
    at, section = 0, ""
    for place, row in enumerate(rows):
        if row.section != section:
            section = row.section
            lines += [*([()] if lines else []), (Piece(f"  {section}", bold=True),)]
        if place == cursor:
            at = len(lines)
        lines.append(_row(row, changed.get(row.key), width, glyphs, cursor=place == cursor))
    return lines, at


def _row(row: SettingRow, change: str | None, width: int, glyphs: Glyphs, *, cursor: bool) -> Line:
    is_set = row.origin != DEFAULT
    token = Token.FG if change is None else Token.WARN
    arrow = "→" if glyphs.unicode else "->"
    shown = row.value if change is None else f"{row.value} {arrow} {change}"
    origin = row.origin if change is None else "changed"
    key = min(_KEY, max(12, width // 2 - 2))
    built = LineBuilder().put(f"{glyphs.cursor} " if cursor else "  ", Token.ACCENT)
    built.put(left(row.key, key - 1, glyphs)).put(" ")
    value = _VALUE if width >= _ORIGIN_FROM else max(4, width - built.column - 1)
    built.put(left(shown, value - 1, glyphs), token, bold=is_set or change is not None).put(" ")
    if width >= _ORIGIN_FROM:
        room = _ORIGIN if width >= _HELP_FROM else width - built.column - 1
        muted = Token.FG if is_set else Token.MUTED
        built.put(left(origin, room - 1, glyphs), muted if change is None else Token.WARN).put(" ")
    if width >= _HELP_FROM:
        built.put(left(row.help, width - built.column - 1, glyphs), Token.MUTED)
    return built.line()
