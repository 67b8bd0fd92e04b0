"""Lines of colored text: meanings of colors, pieces of text that carry one, and text measured in terminal cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from operator import ne
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size, set_cell_size

from backprop_tui.domain.status import Status
from backprop_tui.presentation.fitting import fitted_name
from backprop_tui.presentation.run_line import Tone
from backprop_tui.tui.glyphs import Glyphs


def clip(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, cut with an ellipsis at its end if it is too wide."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + glyphs.clipped


def clip_middle(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, cut in its middle if it is too wide: a path keeps both ends."""
    if cell_len(text) <= width:
        return text
    if width < 5:
        return clip(text, width, glyphs)
    tail = (width - 1) * 2 // 3
    head = width - 1 - tail
    return set_cell_size(text, head) + glyphs.clipped + _last_cells(text, tail)


def clip_name(
    name: str, width: int, glyphs: Glyphs, *, keeps_front: bool = False, table: Mapping[str, str] | None = None
) -> str:
    """The name of a run, cut as in the tables of the commands; `table` has what arguments are called in this one."""
    return clip(fitted_name(name, width, glyphs.clipped, keeps_front=keeps_front, table=table), width, glyphs)


def clip_with_path(text: str, width: int, glyphs: Glyphs) -> str:
    """As `clip`, but a path at the end of the text is cut in its middle, so that its file name stays."""
    before, blank, path = text.rpartition(" ")
    room = width - cell_len(before + blank)
    if "/" not in path or room < 12:
        return clip(text, width, glyphs)
    return before + blank + clip_middle(path, room, glyphs)


def _last_cells(text: str, width: int) -> str:
    end = ""
    for character in reversed(text):
        if cell_len(character + end) > width:
            break
        end = character + end
    return end + " " * (width - cell_len(end))


def shortened(text: str, width: int, glyphs: Glyphs) -> str:
    """A sentence that loses its final brackets, then the parts after commas, and only then letters."""
    if cell_len(text) > width and text.endswith(")") and " (" in text:
        text = text.rpartition(" (")[0]
    while cell_len(text) > width and ", " in text:
        text = text.rpartition(", ")[0]
    return clip(text, width, glyphs)


def wrapped(text: str, width: int) -> list[str]:
    """The text wrapped between words, later rows indented by two; a word that is too long is not broken."""
    rows: list[str] = []
    row = ""
    for word in text.split(" "):
        longer = f"{row} {word}" if row.strip() else row + word
        if row.strip() and cell_len(longer) > width:
            rows.append(row)
            row = f"  {word}"
        else:
            row = longer
    return [*rows, row]


def left(text: str, width: int, glyphs: Glyphs) -> str:
    """Clipped, or padded on its right."""
    clipped = clip(text, width, glyphs)
    return clipped + " " * (width - cell_len(clipped))


def right(text: str, width: int, glyphs: Glyphs) -> str:
    """Clipped, or padded on its left."""
    clipped = clip(text, width, glyphs)
    return " " * (width - cell_len(clipped)) + clipped


def joined_clauses(clauses: Sequence[str], width: int, glyphs: Glyphs, *, wide: bool = False) -> tuple[str, str]:
    """The clauses that fit, and "+2 more" for the others, else "".

    The first one is always there, shortened if it does not fit; others may lose what `shortened` takes, or what they
    explain after a colon, but no letters. `wide` puts more space between clauses.
    """
    if not clauses:
        return "", ""
    between = f"  {glyphs.between}  " if wide else f" {glyphs.between} "
    text, left_out = clauses[0], len(clauses) - 1
    for clause in clauses[1:]:
        more = f"  +{left_out - 1} more" if left_out > 1 else ""
        room = width - cell_len(text) - cell_len(between) - len(more)
        short = shortened(clause, room, glyphs)
        if not clause.startswith(short):
            short = _unexplained(clause, room)
        if short:
            text, left_out = text + between + short, left_out - 1
    more = f"+{left_out} more" if left_out else ""
    if cell_len(text) + (len(more) + 2 if more else 0) <= width:
        return text, more
    return shortened(clauses[0], width, glyphs), ""


def _unexplained(clause: str, width: int) -> str:
    """`GPU 7 lost` of `GPU 7 lost: fallen off the bus`; empty if it does not fit, or is a name that says nothing."""
    clause = clause.partition(" (")[0]
    while cell_len(clause) > width and ": " in clause:
        clause = clause.rpartition(": ")[0]
    is_statement = clause.count(" ") >= 2
    return clause if is_statement and cell_len(clause) <= width else ""


class Token(StrEnum):
    """What a color means; themes give each a color, and a word or a glyph always says the same."""

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
    RAMP_1 = "ramp-1"  # six colors in an order, for the curves of ascending values
    RAMP_2 = "ramp-2"
    RAMP_3 = "ramp-3"
    RAMP_4 = "ramp-4"
    RAMP_5 = "ramp-5"
    RAMP_6 = "ramp-6"


class Piece(NamedTuple):
    """Text of one color; `chosen` marks the chosen tab or row. A click on it runs the action `click` of its widget."""

    text: str
    token: Token = Token.FG
    bold: bool = False
    chosen: bool = False
    click: str = ""


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


# Moving the cursor and setting a color costs as many bytes as some ten letters.
WORTH_CELLS = 10
_Cell = tuple[str, Token, bool, bool]
_BLANK_CELL: _Cell = (" ", Token.FG, False, False)


def hint(key: str, words: str, *, before: str = "") -> list[Piece]:
    """A key and what it does, as in `esc back`; a click presses the key."""
    click = pressing(key)
    blanks = [Piece(before)] if before else []
    return [*blanks, Piece(key, Token.ACCENT, bold=True, click=click), Piece(f" {words}", Token.MUTED, click=click)]


def hints(text: str, between: str) -> list[Piece]:
    """Faint keys with what they do, as in `enter queue · esc close`."""
    parts = text.split(f" {between} ")
    pieces = [Piece(part, Token.FAINT, click=pressing(part.partition(" ")[0])) for part in parts]
    gap = Piece(f" {between} ", Token.FAINT)
    return [piece for part in pieces for piece in (gap, part)][1:]


def pressing(key: str) -> str:
    """The action that presses a key as hints name it."""
    return f"press({key!r})"


def width_of(pieces: Iterable[Piece]) -> int:
    return sum(cell_len(piece.text) for piece in pieces)


def blank(width: int) -> Piece:
    return Piece(" " * max(0, width))


def text_of(line: Line) -> str:
    return "".join(piece.text for piece in line)


def piece_at(line: Line, column: int) -> Piece:
    """The piece at a column; an empty one beside the line."""
    end = 0
    for piece in line:
        end += cell_len(piece.text)
        if column < end:
            return piece
    return Piece("")


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
            if piece.text:
                self._pieces.append(piece)
                self.column += cell_len(piece.text)
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


def pane_title(text: str, *, focused: bool) -> list[Piece]:
    """The title in the heading of a pane; that of the focused pane is painted as the cursor."""
    return [Piece(text, Token.ACCENT if focused else Token.FG, bold=True, chosen=focused)]


def changed_spans(before: Line, now: Line, width: int) -> list[tuple[int, int]]:
    """The ranges of columns in which two rows differ, near ones joined; blanks are equal in every color."""
    if before == now:
        return []
    old, new = _cells(before, width), _cells(now, width)
    spans: list[tuple[int, int]] = []
    for column, is_changed in enumerate(map(ne, old, new)):
        if not is_changed:
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
    """A cell for each column."""
    cells: list[_Cell] = []
    for piece in line:
        cells += _piece_cells(piece)
    cells += [_BLANK_CELL] * (width - len(cells))
    return cells[:width]


@lru_cache(maxsize=2048)
def _piece_cells(piece: Piece) -> tuple[_Cell, ...]:
    """The second half of a wide character is an empty text."""
    cells: list[_Cell] = []
    for character in piece.text:
        is_blank = character == " " and not piece.chosen
        cells.append(_BLANK_CELL if is_blank else (character, piece.token, piece.bold, piece.chosen))
        cells += [("", piece.token, piece.bold, piece.chosen)] * (get_character_cell_size(character) - 1)
    return tuple(cells)
