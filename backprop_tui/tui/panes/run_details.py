"""The Details tab: everything that is known about the selected run, with a cursor on one of the values."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.presentation.run_details import DetailSection
from backprop_tui.tui.cells import clip_middle, left, wrapped
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import LineBuilder
from backprop_tui.tui.panes.waiting import WaitingView, draw_waiting
from backprop_tui.tui.tokens import Line, Piece, Token

_NAME = 15
_TWO_COLUMNS = 100
_LEFT = ("Run", "Cause", "Queue", "Command")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DrawnDetails:
    """The lines, and for each value in the order of the cursor: its line, its name and its text."""

    lines: Sequence[Line]
    places: Sequence[tuple[int, str, str]]


def draw_details(
    sections: Sequence[DetailSection],
    width: int,
    glyphs: Glyphs,
    *,
    waiting: WaitingView | None = None,
    cursor: int | None = None,
) -> DrawnDetails:
    """The sections in one or two columns, above them why the run waits.

    `cursor` counts the values down the first column, then down the second.
    """
    above = [] if waiting is None else [*draw_waiting(waiting, width, glyphs), ()]
    if width < _TWO_COLUMNS:
        lines, places = _column(sections, width, glyphs, cursor)
        return DrawnDetails(lines=[*above, *lines], places=_shifted(places, len(above)))
    half = width // 2
    first_part = [section for section in sections if section.title in _LEFT]
    second_part = [section for section in sections if section not in first_part]
    first, places = _column(first_part, half - 2, glyphs, cursor)
    beyond = None if cursor is None else cursor - len(places)
    second, more = _column(second_part, width - half - 2, glyphs, beyond)
    lines = []
    for place in range(max(len(first), len(second))):
        builder = LineBuilder()
        _append(builder, first[place] if place < len(first) else ())
        builder.at(half).put(glyphs.divider, Token.RULE)
        _append(builder, second[place] if place < len(second) else ())
        lines.append(builder.line())
    return DrawnDetails(lines=[*above, *lines], places=_shifted([*places, *more], len(above)))


def _append(builder: LineBuilder, line: Line) -> None:
    for piece in line:
        builder.put(piece.text, piece.token, bold=piece.bold, chosen=piece.chosen)


def _shifted(places: Sequence[tuple[int, str, str]], by: int) -> list[tuple[int, str, str]]:
    return [(line + by, name, value) for line, name, value in places]


def _column(
    sections: Sequence[DetailSection], width: int, glyphs: Glyphs, cursor: int | None
) -> tuple[list[Line], list[tuple[int, str, str]]]:
    lines: list[Line] = []
    places: list[tuple[int, str, str]] = []
    for section in sections:
        if lines:
            lines.append(())
        lines.append((Piece(f" {section.title}", bold=True),))
        for name, value in section.lines:
            chosen = cursor == len(places)
            places.append((len(lines), name or section.title.lower(), value))
            lines += _value_lines(name, value, width, glyphs, chosen=chosen)
    return lines, places


def _value_lines(name: str, value: str, width: int, glyphs: Glyphs, *, chosen: bool) -> list[Line]:
    """A single word is cut in its middle, several words are wrapped."""
    room = max(1, width - _NAME - 1)
    if " " not in value.strip():
        shown = [clip_middle(value, room, glyphs)]
    else:
        shown = [clip_middle(row, room, glyphs) for row in wrapped(value, room)]
    return [
        (Piece(" " + left("" if place else name, _NAME, glyphs), Token.MUTED), Piece(row, chosen=chosen))
        for place, row in enumerate(shown)
    ]
