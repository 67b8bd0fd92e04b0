"""A grid of character cells to draw curves in, and which dots a curve covers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from backprop_tui.plotting.axes import Scale

# Bits of the dots of a braille cell, by column and row. See the Unicode block "Braille Patterns", U+2800.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = 0x2800
# The same for the quarters of a cell, and the characters for all combinations. See "Block Elements", U+2580.
_QUARTERS = ((0x01, 0x04), (0x02, 0x08))
_BLOCKS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"

Levels = Mapping[int, tuple[int, int]]  # lowest and highest dot in each column of dots, counted from the bottom
OwnedText = tuple[str, int | None]  # text and its owner; None for empty cells
Cell = tuple[int, int]  # column and row, counted from the top left


class Canvas:
    """Cells with owners, the numbers that the caller gives the curves."""

    def __init__(self, width: int, height: int, *, unicode: bool, blocks: bool = False) -> None:
        """Without `unicode`, letters are drawn; `blocks` selects quarters of cells, for fonts without braille."""
        self.width, self.height, self.unicode = width, height, unicode
        self._dots = _QUARTERS if blocks else _DOTS
        self.across, self.down = (2, len(self._dots[0])) if unicode else (1, 1)
        self.columns, self.rows = width * self.across, height * self.down  # of dots
        self._bits = [[0] * width for _ in range(height)]
        self._texts = [[""] * width for _ in range(height)]
        self._owners: list[list[tuple[int, ...]]] = [[()] * width for _ in range(height)]
        self._ranks = [[0] * width for _ in range(height)]
        self._letters: dict[int, str] = {}  # of the owners, without `unicode`

    def draw(self, levels: Levels, owner: int, *, letter: str = "*", rank: int = 0, shaded: bool = False) -> None:
        """Draws a curve, or as a shade every second dot of it; in shared cells it replaces curves of lower rank.

        Where curves of the same rank share cells, all their dots are there, and their colors alternate.
        """
        self._letters[owner] = letter
        for column, (low, high) in levels.items():
            for level in range(low, high + 1):
                if shaded and (column + level) % 2:
                    continue
                from_top = self.rows - 1 - level
                dot = self._dots[column % self.across][from_top % self.down]
                self._set_dot(column // self.across, from_top // self.down, dot, owner, rank)

    def _set_dot(self, x: int, y: int, dot: int, owner: int, rank: int) -> None:
        owners, before = self._owners[y][x], self._ranks[y][x]
        if owners and before > rank:
            return
        if before < rank:
            self._bits[y][x], owners = 0, ()
        self._bits[y][x] |= dot
        self._ranks[y][x] = rank
        if owner not in owners:
            self._owners[y][x] = (*owners, owner)

    def cell(self, x: float, y: float) -> Cell:
        """The cell at these shares of the width, from the left, and of the height, from the bottom."""
        level = round(min(1.0, max(0.0, y)) * (self.rows - 1))
        return min(self.width - 1, int(x * self.width)), (self.rows - 1 - level) // self.down

    def put(self, x: int, y: int, text: str, owner: int, *, behind: bool = False) -> None:
        """Puts a character into a cell, counted from the top left; with `behind`, only if the cell is empty."""
        if 0 <= x < self.width and 0 <= y < self.height and not (behind and self._owners[y][x]):
            self._texts[y][x], self._owners[y][x] = text, (owner,)

    def draw_vertical(self, x: float, text: str, owner: int, *, label: str = "", behind: bool = True) -> None:
        """Draws a vertical line at a share of the width, with a label at its top; outside the canvas nothing."""
        if not 0 <= x <= 1:
            return
        column, _ = self.cell(x, 0.0)
        for row in range(self.height):
            self.put(column, row, text, owner, behind=behind)
        for label_column, letter in enumerate(label, start=column + 1):
            self.put(label_column, 0, letter, owner, behind=behind)

    def is_empty(self, x: int, y: int, width: int) -> bool:
        """Whether so many cells of a row, from x on, are empty."""
        return 0 <= x <= self.width - width and not any(self._owners[y][x : x + width])

    def runs(self) -> list[list[OwnedText]]:
        return [self._row_runs(y) for y in range(self.height)]

    def _row_runs(self, y: int) -> list[OwnedText]:
        cells = [self._cell_text(x, y) for x in range(self.width)]
        return [("".join(text for text, _ in run), owner) for owner, run in groupby(cells, key=lambda cell: cell[1])]

    def _cell_text(self, x: int, y: int) -> OwnedText:
        owners = self._owners[y][x]
        if not owners:
            return " ", None
        owner = owners[x % len(owners)]
        if self._texts[y][x]:
            return self._texts[y][x], owner
        if not self.unicode:
            return self._letters[owner], owner
        bits = self._bits[y][x]
        return _BLOCKS[bits] if self._dots is _QUARTERS else chr(_BRAILLE + bits), owner

    def text(self) -> Sequence[str]:
        return ["".join(text for text, _ in row) for row in self.runs()]


Bar = tuple[float, float, float]  # x, and the minimum and maximum value there
CoveredDots = dict[int, tuple[int, int]]
_Span = tuple[float, float]


def covered_dots(
    bars: Sequence[Bar], x: Scale, y: Scale, *, columns: int, rows: int, joined: bool = True
) -> CoveredDots:
    """Returns the dots, per column, of a curve whose x never decreases; points outside x are skipped, y is clamped.

    With `joined`, each bar is extended to its left neighbor, so that the curve has no gaps.
    """
    spans = _column_spans(bars, x, columns)
    if not spans:
        return {}
    levels = {column: (_level(low, y, rows), _level(high, y, rows)) for column, (low, high) in _interpolated(spans)}
    return _connected(levels) if joined else levels


def shaded_dots(bars: Sequence[Bar], x: Scale, y: Scale, *, columns: int, rows: int, reach: int) -> CoveredDots:
    """Returns the dots, per column, of a band from the minimum to the maximum within `reach` columns."""
    spans = dict(_interpolated(_column_spans(bars, x, columns)))
    return {
        column: (
            _level(min(low for low, _ in near), y, rows),
            _level(max(high for _, high in near), y, rows),
        )
        for column in spans
        for near in [[spans[other] for other in range(column - reach, column + reach + 1) if other in spans]]
    }


def _column_spans(bars: Sequence[Bar], x: Scale, columns: int) -> dict[int, _Span]:
    """The lowest and highest value in each column that has points; by slices, since there are thousands of points."""
    positions, lows, highs = zip(*bars, strict=True)
    start, end_of_all = bisect_left(positions, x.low), bisect_right(positions, x.high)
    spans: dict[int, _Span] = {}
    for column in range(columns):
        is_last = column == columns - 1 or not x.high > x.low
        end = end_of_all if is_last else bisect_left(positions, x.value((column + 1) / columns), start, end_of_all)
        if end > start:
            spans[column] = min(lows[start:end]), max(highs[start:end])
        start = end
    return spans


def _interpolated(spans: dict[int, _Span]) -> Iterable[tuple[int, _Span]]:
    """Adds columns without points, on the line between their neighbors."""
    before: int | None = None
    for column in sorted(spans):
        if before is not None:
            start, end = _middle(spans[before]), _middle(spans[column])
            for between in range(before + 1, column):
                share = (between - before) / (column - before)
                value = start * (1 - share) + end * share
                yield between, (value, value)
        yield column, spans[column]
        before = column


def _middle(span: _Span) -> float:
    return span[0] / 2 + span[1] / 2


def _level(value: float, y: Scale, rows: int) -> int:
    share = min(1.0, max(0.0, y.share(value)))
    if not y.high > y.low:
        return (rows - 1) // 2
    return round(share * (rows - 1))


def _connected(levels: CoveredDots) -> CoveredDots:
    connected = dict(levels)
    for column, (low, high) in levels.items():
        before = levels.get(column - 1)
        if before is None:
            continue
        if low > before[1] + 1:
            connected[column] = before[1] + 1, high
        elif high < before[0] - 1:
            connected[column] = low, before[0] - 1
    return connected
