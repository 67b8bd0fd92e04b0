"""Everything that is known of a run, in one or two columns, with a cursor on one of its values."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.values import dataclass
from backprop_tui.tui.drawing.lines import LineBuilder
from backprop_tui.tui.view.details import Section
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.view.waiting import WaitingView
from backprop_tui.tui.wording.cells import clip, clip_middle, left, wrapped
from backprop_tui.tui.wording.glyphs import Glyphs

_NAME = 15
_TWO_COLUMNS = 100
_LEFT = ("Run", "Cause", "Command", "Waits")
_CHECK, _NOW, _LIMIT = 4, 18, 42
_NARROW = 70  # columns: then the limits stand nearer


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnDetails:
    """The lines, and of each value in the order of the cursor its line, its name and itself."""

    lines: Sequence[Line]
    places: Sequence[tuple[int, str, str]]


def draw_details(
    sections: Sequence[Section],
    width: int,
    glyphs: Glyphs,
    *,
    waiting: WaitingView | None = None,
    cursor: int | None = None,
) -> DrawnDetails:
    """Why it waits first; `cursor` counts the values down the first column, then down the second."""
    above = [] if waiting is None else [*draw_waiting(waiting, width, glyphs), ()]
    if width < _TWO_COLUMNS:
        lines, places = _column(sections, width, glyphs, cursor)
        return DrawnDetails(lines=[*above, *lines], places=_moved(places, len(above)))
    half = width // 2
    first_part = [one for one in sections if one.title in _LEFT]
    second_part = [one for one in sections if one not in first_part]
    first, places = _column(first_part, half - 2, glyphs, cursor)
    beyond = None if cursor is None else cursor - len(places)
    second, more = _column(second_part, width - half - 2, glyphs, beyond)
    lines = []
    for place in range(max(len(first), len(second))):
        built = LineBuilder()
        _append(built, first[place] if place < len(first) else ())
        built.at(half).put(glyphs.divider, Token.RULE)
        _append(built, second[place] if place < len(second) else ())
        lines.append(built.line())
    return DrawnDetails(lines=[*above, *lines], places=_moved([*places, *more], len(above)))


def _append(built: LineBuilder, line: Line) -> None:
    for piece in line:
        built.put(piece.text, piece.token, bold=piece.bold, chosen=piece.chosen)


def _moved(places: Sequence[tuple[int, str, str]], by: int) -> list[tuple[int, str, str]]:
    return [(line + by, name, value) for line, name, value in places]


def _column(
    sections: Sequence[Section], width: int, glyphs: Glyphs, cursor: int | None
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
            lines += _named(name, value, width, glyphs, chosen=chosen)
    return lines, places


def _named(name: str, value: str, width: int, glyphs: Glyphs, *, chosen: bool) -> list[Line]:
    """A path loses its middle; what has several words goes on in the next row."""
    room = max(1, width - _NAME - 1)
    if " " not in value.strip():
        shown = [clip_middle(value, room, glyphs)]
    else:
        shown = [clip_middle(row, room, glyphs) for row in wrapped(value, room)]
    return [
        (Piece(" " + left("" if place else name, _NAME, glyphs), Token.MUTED), Piece(row, chosen=chosen))
        for place, row in enumerate(shown)
    ]


def draw_waiting(view: WaitingView, width: int, glyphs: Glyphs) -> list[Line]:
    """A table of the checks: what says no with the glyph of what went wrong, then what would let it start."""
    title = Piece(f" {glyphs.state('held')} {view.title}", Token.INFO, bold=True)
    lines: list[Line] = [(title, Piece(clip(f"   {view.story}", width - len(view.title) - 4, glyphs), Token.MUTED)), ()]
    head = LineBuilder().at(_CHECK).put("check", Token.MUTED).at(_NOW).put("now", Token.MUTED)
    limit_at = _LIMIT if width >= _NARROW else max(_NOW + 8, width * 11 // 20)
    lines.append(head.at(limit_at).put("limit", Token.MUTED).line())
    for row in view.rows:
        token = Token.FG if row.says_no else Token.MUTED
        glyph, colour = ("failed", Token.INFO) if row.says_no else ("done", Token.OK)
        built = LineBuilder().at(2).put(f"{glyphs.state(glyph)} ", colour).put(row.name, token, bold=row.says_no)
        built.at(_NOW - 1).put(" ")
        if row.limit:
            built.put(clip(row.now, limit_at - _NOW - 1, glyphs), token).at(limit_at)
            built.put(clip(row.limit, width - limit_at, glyphs), token)
        else:
            built.put(clip(row.now, width - _NOW - 1, glyphs), token)
        lines.append(built.line())
    if view.soonest:
        said = (
            Piece("  soonest: ", Token.MUTED),
            Piece(view.soonest),
            Piece("   a guess from their pace", Token.MUTED),
        )
        lines += [(), said]
    return lines
