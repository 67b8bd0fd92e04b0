"""A grid of character cells to draw curves in; a cell has eight braille dots, four quarters or one letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

# Bits of the dots of a braille cell, by column and row. See the Unicode block "Braille Patterns", U+2800.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = 0x2800
# The same for the quarters of a cell, and the characters for all combinations. See "Block Elements", U+2580.
_QUARTERS = ((0x01, 0x04), (0x02, 0x08))
_BLOCKS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"

Levels = Mapping[int, tuple[int, int]]  # lowest and highest dot in each column of dots, counted from the bottom
Run = tuple[str, int | None]  # text and its owner; None for empty cells


class Canvas:
    """Each cell has one owner, a number that the caller gives each curve."""

    __slots__ = ("_bits", "_dots", "_letters", "_owners", "_ranks", "across", "down", "height", "unicode", "width")

    def __init__(self, width: int, height: int, *, unicode: bool, blocks: bool = False) -> None:
        """Without `unicode`, letters are drawn; `blocks` selects quarters of cells, for fonts without braille."""
        self.width, self.height, self.unicode = width, height, unicode
        self._dots = _QUARTERS if blocks else _DOTS
        self.across, self.down = (2, len(self._dots[0])) if unicode else (1, 1)
        self._bits = [[0] * width for _ in range(height)]
        self._letters = [[""] * width for _ in range(height)]
        self._owners: list[list[int | None]] = [[None] * width for _ in range(height)]
        self._ranks = [[0] * width for _ in range(height)]

    @property
    def columns(self) -> int:
        """The number of dot columns."""
        return self.width * self.across

    @property
    def rows(self) -> int:
        """The number of dot rows."""
        return self.height * self.down

    def draw(self, levels: Levels, owner: int, *, letter: str = "*", rank: int = 0) -> None:
        """Draws a curve; in shared cells it replaces curves of lower rank, and is added to those of the same rank."""
        for column, (low, high) in levels.items():
            for level in range(low, high + 1):
                from_top = self.rows - 1 - level
                dot = self._dots[column % self.across][from_top % self.down]
                self._set_dot(column // self.across, from_top // self.down, dot, letter, owner, rank)

    def _set_dot(self, x: int, y: int, dot: int, letter: str, owner: int, rank: int) -> None:
        before = self._ranks[y][x]
        if self._owners[y][x] is not None and before > rank:
            return
        if before < rank:
            self._bits[y][x], self._letters[y][x] = 0, ""
        self._bits[y][x] |= dot
        self._owners[y][x], self._ranks[y][x] = owner, rank
        if not self.unicode:
            self._letters[y][x] = letter

    def put(self, x: int, y: int, letter: str, owner: int, *, behind: bool = False) -> None:
        """Puts a letter into a cell, counted from the top left; with `behind`, only if the cell is empty."""
        if 0 <= x < self.width and 0 <= y < self.height and not (behind and self._owners[y][x] is not None):
            self._letters[y][x], self._owners[y][x] = letter, owner

    def runs(self) -> list[list[Run]]:
        """Returns the rows from the top, each split into stretches of one owner."""
        return [self._row_runs(y) for y in range(self.height)]

    def _row_runs(self, y: int) -> list[Run]:
        cells = [(self._character(x, y), self._owners[y][x]) for x in range(self.width)]
        return [("".join(text for text, _ in run), owner) for owner, run in groupby(cells, key=lambda cell: cell[1])]

    def _character(self, x: int, y: int) -> str:
        if self._letters[y][x]:
            return self._letters[y][x]
        bits = self._bits[y][x]
        if self._dots is _QUARTERS:
            return _BLOCKS[bits]
        return chr(_BRAILLE + bits) if bits else " "

    def text(self) -> Sequence[str]:
        """Returns the rows from the top as text."""
        return ["".join(text for text, _ in row) for row in self.runs()]
