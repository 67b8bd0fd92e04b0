"""The selected run: its heading with tabs, its card, and what happened to it."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.tui.drawing.lines import heading, width_of
from backprop_tui.tui.view.cards import Card
from backprop_tui.tui.view.events import CHECKPOINT, EventRow
from backprop_tui.tui.view.selected import SelectedRunView
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import clip, clip_with_path
from backprop_tui.tui.wording.glyphs import Glyphs

TABS = ("Log", "Metrics", "Resources", "Details", "Events")


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
    """Why it ended badly or stands still, with a bar in the colour of that; nothing where there is no card."""
    if card is None:
        return []
    lines: list[Line] = []
    title = Piece(f" {clip(card.title, width - 5, glyphs)}", card.token, bold=True)
    lines.append((Piece(f" {glyphs.cursor}", card.token), title))
    for name, text in card.lines:
        said = Piece(clip_with_path(text, width - 14, glyphs))
        lines.append((Piece(f" {glyphs.cursor}", card.token), Piece(f" {name:<10}", Token.MUTED), said))
    return lines


def draw_events(rows: Sequence[EventRow], width: int, glyphs: Glyphs) -> list[Line]:
    """Time, glyph, sentence."""
    lines: list[Line] = []
    for row in rows:
        if row.day is not None:
            lines.append(heading([(2, [Piece(row.day, Token.MUTED)])], width, glyphs))
            continue
        glyph = glyphs.checkpoint if row.word == CHECKPOINT else glyphs.state(row.word)
        said = Piece(clip_with_path(row.sentence, width - 14, glyphs))
        lines.append((Piece(f" {row.time:<8}  ", Token.MUTED), Piece(f"{glyph} ", row.token), said))
    return lines
