"""Lines of coloured text: the meanings of colours, pieces of text that carry one, and building lines from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size

from backprop_tui.domain.status import Status
from backprop_tui.presentation.run_line import Tone
from backprop_tui.tui.glyphs import Glyphs


class Token(StrEnum):
    """What a colour means; themes give each a colour, and a word or a glyph always says the same."""

    FG = "fg"
    MUTED = "muted"
    FAINT = "faint"
    RULE = "rule"
    ACCENT = "accent"
    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    INFO = "info"
    VIOLET = "violet"


class Piece(NamedTuple):
    """Text of one colour; `chosen` marks the chosen tab or row."""

    text: str
    token: Token = Token.FG
    bold: bool = False
    chosen: bool = False


Line = tuple[Piece, ...]

STATE_TOKENS: dict[str, Token] = {
    Status.RUNNING.value: Token.OK,
    Status.STARTING.value: Token.OK,
    Status.PAUSED.value: Token.WARN,
    Status.STOPPING.value: Token.WARN,
    Status.QUEUED.value: Token.INFO,
    Status.COMPLETED.value: Token.MUTED,
    Status.TIMEBOXED.value: Token.VIOLET,
    Status.STOPPED.value: Token.MUTED,
    Status.FAILED.value: Token.BAD,
    Status.LOST.value: Token.BAD,
}
TONE_TOKENS = {
    Tone.PLAIN: Token.FG,
    Tone.MUTED: Token.MUTED,
    Tone.INFO: Token.INFO,
    Tone.WARNING: Token.WARN,
}


# Moving the cursor and setting a colour costs as many bytes as some ten letters.
WORTH_CELLS = 10
_Cell = tuple[str, Token, bool, bool]
_BLANK_CELL: _Cell = (" ", Token.FG, False, False)


def width_of(pieces: Iterable[Piece]) -> int:
    return sum(cell_len(piece.text) for piece in pieces)


def blank(width: int) -> Piece:
    return Piece(" " * max(0, width))


def text_of(line: Line) -> str:
    return "".join(piece.text for piece in line)


class LineBuilder:
    """Puts pieces at columns; a piece whose column is already taken follows the one before."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self.column = 0

    def put(self, text: str, token: Token = Token.FG, *, bold: bool = False, chosen: bool = False) -> LineBuilder:
        if text:
            self._pieces.append(Piece(text, token, bold, chosen))
            self.column += cell_len(text)
        return self

    def extend(self, pieces: Iterable[Piece]) -> LineBuilder:
        for piece in pieces:
            self.put(piece.text, piece.token, bold=piece.bold, chosen=piece.chosen)
        return self

    def at(self, column: int) -> LineBuilder:
        if column > self.column:
            self.put(" " * (column - self.column))
        return self

    def line(self) -> Line:
        return tuple(self._pieces)


def ends(left: Sequence[Piece], right: Sequence[Piece], width: int) -> Line:
    """A row with one part at its left end and the other at its right end."""
    return (*left, blank(width - width_of(left) - width_of(right)), *right)


def heading(parts: Sequence[tuple[int, Sequence[Piece]]], width: int, glyphs: Glyphs, *, focused: bool = False) -> Line:
    """A rule over the whole width with pieces in it at given columns, a blank before and after each."""
    rule = glyphs.rule_focused if focused else glyphs.rule
    token = Token.ACCENT if focused else Token.RULE
    built = LineBuilder()
    for column, pieces in parts:
        start = max(column, built.column)
        if start + width_of(pieces) > width:
            continue
        if start - 1 > built.column:
            built.put(rule * (start - 1 - built.column), token)
        built.at(start).extend(pieces).put(" " if built.column < width else "")
    built.put(rule * (width - built.column), token)
    return built.line()


def changed_spans(before: Line, now: Line, width: int) -> list[tuple[int, int]]:
    """The ranges of columns in which two rows differ, near ones joined; blanks are equal in every colour."""
    old, new = _cells(before, width), _cells(now, width)
    spans: list[tuple[int, int]] = []
    for column in range(width):
        if old[column] == new[column]:
            continue
        start = column
        while start > 0 and not (old[start][0] and new[start][0]):
            start -= 1  # never start at the second half of a wide character
        if spans and start - spans[-1][1] < WORTH_CELLS:
            spans[-1] = (spans[-1][0], column + 1)
        else:
            spans.append((start, column + 1))
    return [(start, _end_of_character(end, old, new, width)) for start, end in spans]


def _end_of_character(end: int, old: list[_Cell], new: list[_Cell], width: int) -> int:
    while end < width and not (old[end][0] and new[end][0]):
        end += 1
    return end


def _cells(line: Line, width: int) -> list[_Cell]:
    """A cell for each column; the second half of a wide character is an empty text."""
    cells: list[_Cell] = []
    for piece in line:
        for character in piece.text:
            is_blank = character == " " and not piece.chosen
            cells.append(_BLANK_CELL if is_blank else (character, piece.token, piece.bold, piece.chosen))
            cells += [("", piece.token, piece.bold, piece.chosen)] * (get_character_cell_size(character) - 1)
    cells += [_BLANK_CELL] * (width - len(cells))
    return cells[:width]
