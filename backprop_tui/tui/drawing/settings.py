"""The settings in columns, a heading before each table of the file."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.tui.drawing.lines import LineBuilder, heading
from backprop_tui.tui.view.settings import DEFAULT, SettingRow
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import left
from backprop_tui.tui.wording.glyphs import Glyphs

_KEY, _VALUE, _ORIGIN = 33, 16, 20
_HELP_FROM, _ORIGIN_FROM = 100, 66  # columns; below, the help stands under the list alone


def draw_settings_heading(path: str, width: int, glyphs: Glyphs) -> Line:
    """Title, and the file that is written."""
    title = [Piece("Settings", Token.ACCENT, bold=True), Piece(f" {path}".rstrip(), Token.MUTED)]
    return heading([(2, title)], width, glyphs, focused=True)


def draw_settings(rows: Sequence[SettingRow], cursor: int, width: int, glyphs: Glyphs) -> tuple[list[Line], int]:
    """The lines, and which of them the cursor is on."""
    lines: list[Line] = []
    at, section = 0, ""
    for place, row in enumerate(rows):
        if row.section != section:
            section = row.section
            lines += [*([()] if lines else []), (Piece(f"  {section}", bold=True),)]
        if place == cursor:
            at = len(lines)
        lines.append(_row(row, width, glyphs, cursor=place == cursor))
    return lines, at


def _row(row: SettingRow, width: int, glyphs: Glyphs, *, cursor: bool) -> Line:
    changed = row.origin != DEFAULT
    key = min(_KEY, max(12, width // 2 - 2))
    built = LineBuilder().put(f"{glyphs.cursor} " if cursor else "  ", Token.ACCENT)
    built.put(left(row.key, key - 1, glyphs)).put(" ")
    value = _VALUE if width >= _ORIGIN_FROM else max(4, width - built.column - 1)
    built.put(left(row.value, value - 1, glyphs), bold=changed).put(" ")
    if width >= _ORIGIN_FROM:
        room = _ORIGIN if width >= _HELP_FROM else width - built.column - 1
        built.put(left(row.origin, room - 1, glyphs), Token.FG if changed else Token.MUTED).put(" ")
    if width >= _HELP_FROM:
        built.put(left(row.help, width - built.column - 1, glyphs), Token.MUTED)
    return built.line()
