"""The governor line and the problem line."""

from __future__ import annotations

from rich.cells import cell_len

from backprop_tui.tui.drawing.lines import LineBuilder, ends, width_of
from backprop_tui.tui.view.governor import GovernorLineView
from backprop_tui.tui.view.problem import ProblemView
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.bars import tokens
from backprop_tui.tui.wording.cells import clip, joined_clauses, shortened
from backprop_tui.tui.wording.glyphs import Glyphs


def draw_governor(view: GovernorLineView, width: int, glyphs: Glyphs) -> Line:
    """The state, as many clauses as fit, and the start tokens at the right end."""
    built = LineBuilder()
    built.put(f" {glyphs.state(view.word)} ", view.token).put(view.word, view.token, bold=True).put("  ")
    right = _starts(view, glyphs)
    room = width - built.column - width_of(right) - 2
    text, more = joined_clauses(view.clauses, room, glyphs, wide=width >= 100)
    built.put(text).put(f"  {more}" if more else "", Token.MUTED)
    return ends(built.line(), right, width)


def _starts(view: GovernorLineView, glyphs: Glyphs) -> list[Piece]:
    if view.starts is None:
        return []
    free, spent = tokens(view.starts.free, view.starts.burst, glyphs)
    figure = f" {int(view.starts.free + 1e-9)} of {view.starts.burst} "
    return [Piece("starts ", Token.MUTED), Piece(free, Token.OK), Piece(spent, Token.MUTED), Piece(figure, Token.MUTED)]


def draw_problem(view: ProblemView | None, width: int, glyphs: Glyphs) -> Line:
    """The newest bad end, the loudest line of the screen."""
    if view is None:
        return ()
    built = LineBuilder()
    built.put(f" {glyphs.state(view.word)} {clip(view.name, width // 3, glyphs)} {view.word}", Token.BAD, bold=True)
    built.put(f" {view.ago} ago: ", Token.MUTED)
    more = f"  +{view.more} more" if view.more else ""
    right = [Piece(more + "  ", Token.MUTED), Piece("!", Token.ACCENT, bold=True), Piece(" show ", Token.MUTED)]
    room = width - built.column - width_of(right)
    cause = view.cause if cell_len(view.cause) <= room else view.cause.replace("out of memory", "OOM")
    built.put(shortened(cause, room, glyphs))
    return ends(built.line(), right, width)
