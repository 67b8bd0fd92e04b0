"""The selected run: its heading with tabs, the card of a bad end, its details and events."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.tui.drawing.lines import LineBuilder, heading, width_of
from backprop_tui.tui.view.details import Section
from backprop_tui.tui.view.events import CHECKPOINT, EventRow
from backprop_tui.tui.view.selected import Card, SelectedRunView
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import clip, clip_middle, left, wrapped
from backprop_tui.tui.wording.glyphs import Glyphs

TABS = ("Log", "Metrics", "Resources", "Details", "Events")
_NAME = 15


def draw_selected_heading(view: SelectedRunView | None, tab: int, width: int, glyphs: Glyphs, *, focused: bool) -> Line:
    """Name, tabs and, where there is room, id, attempt and slice; `tab` counts from 0."""
    if view is None:
        return heading([(2, [Piece("No run selected", Token.MUTED)])], width, glyphs, focused=focused)
    name = [Piece(clip(view.name, max(8, width // 4), glyphs), Token.ACCENT if focused else Token.FG, bold=True)]
    tabs = _tabs(tab, short=width < 70)
    start = 2 + width_of(name) + 2
    parts = [(2, name), (start, tabs)]
    right = [Piece(clip(view.right, 48, glyphs), Token.MUTED)]
    right_at = width - width_of(right) - 2
    if right_at > start + width_of(tabs) + 2:
        parts.append((right_at, right))
    return heading(parts, width, glyphs, focused=focused)


def _tabs(chosen: int, *, short: bool) -> list[Piece]:
    pieces: list[Piece] = []
    for place, word in enumerate(TABS):
        if place == chosen:
            pieces.append(Piece(f" {place + 1} {word} ", Token.FG, bold=True, chosen=True))
        elif short:
            pieces.append(Piece(f" {place + 1} ", Token.ACCENT))
        else:
            pieces += [Piece(f" {place + 1}", Token.ACCENT), Piece(f" {word} ", Token.MUTED)]
    return pieces


def tab_at(view: SelectedRunView | None, tab: int, column: int, width: int, glyphs: Glyphs) -> int | None:
    """Which tab stands at a column of the heading."""
    if view is None:
        return None
    at = 2 + len(clip(view.name, max(8, width // 4), glyphs)) + 2
    for place, word in enumerate(TABS):
        size = len(word) + 4 if place == tab or width >= 70 else 3
        if at <= column < at + size:
            return place
        at += size
    return None


def draw_card(card: Card | None, width: int, glyphs: Glyphs) -> list[Line]:
    """Why it ended badly, with a bar in the colour of what is bad; nothing where there is no card."""
    if card is None:
        return []
    lines: list[Line] = []
    title = Piece(f" {clip(card.title, width - 5, glyphs)}", Token.BAD, bold=True)
    lines.append((Piece(f" {glyphs.cursor}", Token.BAD), title))
    for name, text in card.lines:
        said = Piece(clip(text, width - 14, glyphs))
        lines.append((Piece(f" {glyphs.cursor}", Token.BAD), Piece(f" {name:<10}", Token.MUTED), said))
    return lines


def draw_details(sections: Sequence[Section], width: int, glyphs: Glyphs) -> list[Line]:
    """Sections in two columns where there is room for two."""
    if width < 100:
        return _column(sections, width, glyphs)
    half = width // 2
    left_part = [one for one in sections if one.title in ("Run", "Command", "Waits")]
    right_part = [one for one in sections if one not in left_part]
    first, second = _column(left_part, half - 2, glyphs), _column(right_part, width - half - 2, glyphs)
    lines: list[Line] = []
    for place in range(max(len(first), len(second))):
        built = LineBuilder()
        for piece in first[place] if place < len(first) else ():
            built.put(piece.text, piece.token, bold=piece.bold)
        built.at(half).put(glyphs.divider, Token.RULE)
        for piece in second[place] if place < len(second) else ():
            built.put(piece.text, piece.token, bold=piece.bold)
        lines.append(built.line())
    return lines


def _column(sections: Sequence[Section], width: int, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = []
    for section in sections:
        if lines:
            lines.append(())
        lines.append((Piece(f" {section.title}", bold=True),))
        for name, value in section.lines:
            lines += _named(name, value, width, glyphs)
    return lines


def _named(name: str, value: str, width: int, glyphs: Glyphs) -> list[Line]:
    """A path loses its middle; what has several words goes on in the next row."""
    room = max(1, width - _NAME - 1)
    if " " not in value.strip():
        shown = [clip_middle(value, room, glyphs)]
    else:
        shown = [clip_middle(row, room, glyphs) for row in wrapped(value, room)]
    return [
        (Piece(" " + left("" if place else name, _NAME, glyphs), Token.MUTED), Piece(row))
        for place, row in enumerate(shown)
    ]


def draw_events(rows: Sequence[EventRow], width: int, glyphs: Glyphs) -> list[Line]:
    """Time, glyph, sentence."""
    lines: list[Line] = []
    for row in rows:
        if row.day is not None:
            lines.append(heading([(2, [Piece(row.day, Token.MUTED)])], width, glyphs))
            continue
        glyph = glyphs.checkpoint if row.word == CHECKPOINT else glyphs.state(row.word)
        said = Piece(clip(row.sentence, width - 14, glyphs))
        lines.append((Piece(f" {row.time:<8}  ", Token.MUTED), Piece(f"{glyph} ", row.token), said))
    return lines
