"""The header and the line that is left of the dashboard on a tiny screen."""

from __future__ import annotations

from backprop_tui.tui.drawing.lines import LineBuilder, ends, width_of
from backprop_tui.tui.view.header import Count, HeaderView
from backprop_tui.tui.view.states import DONE, WAITING
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import clip
from backprop_tui.tui.wording.glyphs import Glyphs

_LEAST_FIRST = (DONE, WAITING, "paused", "running", "failed")


def draw_header(view: HeaderView, width: int, glyphs: Glyphs) -> Line:
    """Brand and host at the left, counts and clock at the right; the least important goes first where it is narrow."""
    if width < 20:
        return draw_counts(view, width, glyphs)
    counts = [one for one in view.counts if width >= 100 or one.word != DONE]
    words = width >= 60
    right = _right(view, counts, glyphs, gap=3, words=words)
    left = _left(view, width - width_of(right) - 2, glyphs, host=width >= 100)
    is_tight = False
    while counts and width_of(left) + width_of(right) + 1 > width:
        counts = _without_least(counts) if is_tight else counts
        is_tight = True
        right = _right(view, counts, glyphs, gap=2 if width >= 40 else 1, words=False)
        left = _left(view, width - width_of(right) - 2, glyphs, host=False)
    return ends(left, right, width)


def _left(view: HeaderView, room: int, glyphs: Glyphs, *, host: bool) -> list[Piece]:
    left = [Piece(" backprop", Token.ACCENT, bold=True)]
    if view.simulation:
        left.append(Piece("  SIMULATION" if room >= 24 else " SIM", Token.WARN, bold=True))
    left_room = room - width_of(left) - 1
    if view.problem is not None:
        left.append(Piece(" " + clip(view.problem, left_room, glyphs), Token.BAD, bold=True))
    elif host and left_room > 8:
        left.append(Piece(" " + clip(view.host, left_room, glyphs), Token.MUTED))
    return left


def _right(view: HeaderView, counts: list[Count], glyphs: Glyphs, *, gap: int, words: bool) -> list[Piece]:
    built = LineBuilder()
    for one in counts:
        built.put(f"{glyphs.state(one.word)} ", one.token).put(str(one.count), bold=True)
        built.put(f" {one.word}" if words else "", Token.MUTED).put(" " * gap)
    built.put(view.clock if gap > 1 else "", Token.MUTED).put(" ")
    return list(built.line())


def draw_counts(view: HeaderView, width: int, glyphs: Glyphs) -> Line:
    """`backprop ► 2 ✗ 1` and nothing else."""
    counts = list(view.counts)
    while True:
        line = [Piece("backprop", Token.ACCENT, bold=True)]
        for one in counts:
            line += [Piece(f" {glyphs.state(one.word)} ", one.token), Piece(str(one.count))]
        if not counts or width_of(line) <= width:
            return tuple(line) if width_of(line) <= width else ()
        counts = _without_least(counts)


def _without_least(counts: list[Count]) -> list[Count]:
    least = next(word for word in _LEAST_FIRST if any(one.word == word for one in counts))
    return [one for one in counts if one.word != least]
