"""Which cells of a row changed: as few spans as are worth their own cursor movement and colours."""

from __future__ import annotations

from rich.cells import get_character_cell_size

from backprop_tui.tui.view.tokens import Line, Token

# To move the cursor and set a colour anew costs as much as some ten letters.
WORTH_CELLS = 10
_Cell = tuple[str, Token, bool, bool]
_BLANK: _Cell = (" ", Token.FG, False, False)


def changed_spans(before: Line, now: Line, width: int) -> list[tuple[int, int]]:
    """Spans of columns, from and up to, in which the rows differ; blanks are alike in every colour."""
    old, new = _cells(before, width), _cells(now, width)
    spans: list[tuple[int, int]] = []
    for column in range(width):
        if old[column] == new[column]:
            continue
        start = column
        while start > 0 and not (old[start][0] and new[start][0]):
            start -= 1  # not from the second half of a wide character
        if spans and start - spans[-1][1] < WORTH_CELLS:
            spans[-1] = (spans[-1][0], column + 1)
        else:
            spans.append((start, column + 1))
    return [(start, _whole(end, old, new, width)) for start, end in spans]


def _whole(end: int, old: list[_Cell], new: list[_Cell], width: int) -> int:
    while end < width and not (old[end][0] and new[end][0]):
        end += 1
    return end


def _cells(line: Line, width: int) -> list[_Cell]:
    """One for each column; the second half of a wide character is an empty text."""
    cells: list[_Cell] = []
    for piece in line:
        for character in piece.text:
            plain = character == " " and not piece.chosen
            cells.append(_BLANK if plain else (character, piece.token, piece.bold, piece.chosen))
            cells += [("", piece.token, piece.bold, piece.chosen)] * (get_character_cell_size(character) - 1)
    cells += [_BLANK] * (width - len(cells))
    return cells[:width]
