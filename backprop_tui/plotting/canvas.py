"""A grid of cells to draw in: eight braille dots a cell, four quarters, or one letter; each belongs to one curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

# The bits of the dots of a braille cell, by column and row. See the Unicode block "Braille Patterns", U+2800.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = 0x2800
# The same of a cell of quarters, and what shows them. See the block "Block Elements", U+2580.
_QUARTERS = ((0x01, 0x04), (0x02, 0x08))
_BLOCKS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"

Levels = Mapping[int, tuple[int, int]]  # lowest and highest dot of each column of dots, counted from the bottom
Run = tuple[str, int | None]  # text and whose it is; None for what is empty


class Canvas:
    """`owner` is a number that the caller gives each curve."""

    __slots__ = ("_bits", "_dots", "_letters", "_owners", "_ranks", "across", "down", "height", "unicode", "width")

    def __init__(self, width: int, height: int, *, unicode: bool, blocks: bool = False) -> None:
        """`unicode` False: letters; `blocks`: quarters of cells, for fonts without braille."""
        self.width, self.height, self.unicode = width, height, unicode
        self._dots = _QUARTERS if blocks else _DOTS
        self.across, self.down = (2, len(self._dots[0])) if unicode else (1, 1)
        self._bits = [[0] * width for _ in range(height)]
        self._letters = [[""] * width for _ in range(height)]
        self._owners: list[list[int | None]] = [[None] * width for _ in range(height)]
        self._ranks = [[0] * width for _ in range(height)]

    @property
    def columns(self) -> int:
        """Of dots."""
        return self.width * self.across

    @property
    def rows(self) -> int:
        """Of dots."""
        return self.height * self.down

    def draw(self, levels: Levels, owner: int, *, letter: str = "*", rank: int = 0) -> None:
        """A curve; in a cell where it meets one of a lower rank it takes the place of it, else it joins it."""
        for column, (low, high) in levels.items():
            for level in range(low, high + 1):
                from_top = self.rows - 1 - level
                dot = self._dots[column % self.across][from_top % self.down]
                self._touch(column // self.across, from_top // self.down, dot, letter, owner, rank)

    def _touch(self, x: int, y: int, dot: int, letter: str, owner: int, rank: int) -> None:
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
        """One letter in a cell, counted from the top left; `behind` only where the cell is empty."""
        if 0 <= x < self.width and 0 <= y < self.height and not (behind and self._owners[y][x] is not None):
            self._letters[y][x], self._owners[y][x] = letter, owner

    def runs(self) -> list[list[Run]]:
        """The rows from the top, as stretches of one owner."""
        return [self._runs_of(y) for y in range(self.height)]

    def _runs_of(self, y: int) -> list[Run]:
        cells = [(self._shown(x, y), self._owners[y][x]) for x in range(self.width)]
        return [("".join(text for text, _ in run), owner) for owner, run in groupby(cells, key=lambda cell: cell[1])]

    def _shown(self, x: int, y: int) -> str:
        if self._letters[y][x]:
            return self._letters[y][x]
        bits = self._bits[y][x]
        if self._dots is _QUARTERS:
            return _BLOCKS[bits]
        return chr(_BRAILLE + bits) if bits else " "

    def text(self) -> Sequence[str]:
        """The rows from the top, letters alone."""
        return ["".join(text for text, _ in row) for row in self.runs()]
