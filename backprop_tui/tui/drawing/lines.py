"""Building lines: headings with rules, pieces put at columns, two ends of a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.glyphs import Glyphs


def width_of(pieces: Iterable[Piece]) -> int:
    """Cells."""
    return sum(cell_len(piece.text) for piece in pieces)


def blank(width: int) -> Piece:
    """Nothing."""
    return Piece(" " * max(0, width))


def text_of(line: Line) -> str:
    """The letters alone."""
    return "".join(piece.text for piece in line)


class LineBuilder:
    """Puts pieces at columns; what would overlap begins after what is there."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self.column = 0

    def put(self, text: str, token: Token = Token.FG, *, bold: bool = False, chosen: bool = False) -> LineBuilder:
        """Appends a piece."""
        if text:
            self._pieces.append(Piece(text, token, bold, chosen))
            self.column += cell_len(text)
        return self

    def at(self, column: int) -> LineBuilder:
        """Blanks up to a column."""
        if column > self.column:
            self.put(" " * (column - self.column))
        return self

    def line(self) -> Line:
        """What was put."""
        return tuple(self._pieces)


def ends(left: Sequence[Piece], right: Sequence[Piece], width: int) -> Line:
    """One part at the left end, the other at the right end of a row."""
    return (*left, blank(width - width_of(left) - width_of(right)), *right)


def heading(parts: Sequence[tuple[int, Sequence[Piece]]], width: int, glyphs: Glyphs, *, focused: bool = False) -> Line:
    """A rule over the whole width with pieces at columns in it, a blank around each."""
    rule = glyphs.rule_focused if focused else glyphs.rule
    token = Token.ACCENT if focused else Token.RULE
    built = LineBuilder()
    for column, pieces in parts:
        start = max(column, built.column)
        if start + width_of(pieces) > width:
            continue
        if start - 1 > built.column:
            built.put(rule * (start - 1 - built.column), token)
        built.at(start)
        for piece in pieces:
            built.put(piece.text, piece.token, bold=piece.bold, chosen=piece.chosen)
        built.put(" " if built.column < width else "")
    built.put(rule * (width - built.column), token)
    return built.line()
