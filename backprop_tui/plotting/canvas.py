"""A grid of character cells to draw curves in, and which dots a curve covers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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


class Canvas:
    """Each cell has one owner, a number that the caller gives each curve."""

    def __init__(self, width: int, height: int, *, unicode: bool, blocks: bool = False) -> None:
        """Without `unicode`, letters are drawn; `blocks` selects quarters of cells, for fonts without braille."""
        self.width, self.height, self.unicode = width, height, unicode
        self._dots = _QUARTERS if blocks else _DOTS
        self.across, self.down = (2, len(self._dots[0])) if unicode else (1, 1)
        self.columns, self.rows = width * self.across, height * self.down  # of dots
        self._bits = [[0] * width for _ in range(height)]
        self._letters = [[""] * width for _ in range(height)]
        self._owners: list[list[int | None]] = [[None] * width for _ in range(height)]
        self._ranks = [[0] * width for _ in range(height)]

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

    def runs(self) -> list[list[OwnedText]]:
        return [self._row_runs(y) for y in range(self.height)]

    def _row_runs(self, y: int) -> list[OwnedText]:
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


def _column_spans(bars: Sequence[Bar], x: Scale, columns: int) -> dict[int, _Span]:
    spans: dict[int, _Span] = {}
    share_of = x.share if x.is_log else _linear_share(x)
    for position, low, high in bars:
        share = share_of(position)
        if not 0.0 <= share <= 1.0:
            continue
        column = min(columns - 1, int(share * columns))
        span = spans.get(column)
        spans[column] = (low, high) if span is None else (min(span[0], low), max(span[1], high))
    return spans


def _linear_share(x: Scale) -> Callable[[float], float]:
    """Same as `x.share`, without checking the kind of axis for each of thousands of points."""
    low, distance = x.low / 2, x.high / 2 - x.low / 2
    return (lambda position: (position / 2 - low) / distance) if distance > 0 else (lambda _: 0.5)


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
