"""Curves in plain text: a plot of some rows with braille dots or ASCII, and a curve of one row."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"
# The bits of the dots of a braille cell, by column and row. See the Unicode block "Braille Patterns", U+2800.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = 0x2800


def plot(points: Sequence[Point], *, width: int, height: int, unicode: bool) -> list[str]:
    """`height` rows of `width` characters, the top one first; each point has finite coordinates.

    Points in one column of dots become a bar from the least to the most, and neighbours are joined.
    """
    across, down = (2, 4) if unicode else (1, 1)
    canvas = [[0] * width for _ in range(height)]
    for column, (low, high) in enumerate(_joined(_bars(points, width * across, height * down))):
        for level in range(low, high + 1):
            from_top = height * down - 1 - level
            cell = canvas[from_top // down]
            cell[column // across] |= _DOTS[column % across][from_top % down] if unicode else 1
    return ["".join(_shown(cell, unicode=unicode) for cell in row) for row in canvas]


def _shown(cell: int, *, unicode: bool) -> str:
    if not cell:
        return " "
    return chr(_BRAILLE + cell) if unicode else "*"


def _bars(points: Sequence[Point], columns: int, levels: int) -> list[tuple[int, int]]:
    """The lowest and highest level of each column."""
    values = [value for _, value in points]
    bottom, top = min(values), max(values)
    spans = _spans(points, columns)
    found: list[tuple[int, int]] = []
    for column in range(columns):
        low, high = spans[column] if column in spans else _between(spans, column)
        found.append((_level(low, bottom, top, levels), _level(high, bottom, top, levels)))
    return found


def _spans(points: Sequence[Point], columns: int) -> dict[int, tuple[float, float]]:
    """The least and the most of the points in each column that has any."""
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    spans: dict[int, tuple[float, float]] = {}
    for x, value in points:
        share = (x - left) / (right - left) if right > left else 0.0
        column = min(columns - 1, int(share * columns))
        low, high = spans.get(column, (value, value))
        spans[column] = min(low, value), max(high, value)
    return spans


def _between(spans: dict[int, tuple[float, float]], column: int) -> tuple[float, float]:
    """A column without points lies on the line from the one before it to the one after it."""
    before = max((other for other in spans if other < column), default=None)
    after = min((other for other in spans if other > column), default=None)
    if before is None or after is None:  # a single column has points: the curve is level
        value = _middle(spans[before if before is not None else min(spans)])
        return value, value
    share = (column - before) / (after - before)
    value = _middle(spans[before]) * (1 - share) + _middle(spans[after]) * share
    return value, value


def _middle(span: tuple[float, float]) -> float:
    return span[0] / 2 + span[1] / 2


def _level(value: float, bottom: float, top: float, levels: int) -> int:
    """Halved first: the distance of two large numbers may be none."""
    distance = top / 2 - bottom / 2
    if distance <= 0:
        return (levels - 1) // 2
    return max(0, min(levels - 1, round((value / 2 - bottom / 2) / distance * (levels - 1))))


def _joined(bars: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each bar reaches to its neighbour on the left, so that the curve has no gaps."""
    found = list(bars)
    for column in range(1, len(found)):
        (before_low, before_high), (low, high) = bars[column - 1], bars[column]
        if low > before_high + 1:
            found[column] = before_high + 1, high
        elif high < before_low - 1:
            found[column] = low, before_low - 1
    return found


def line(points: Sequence[Point], *, width: int, unicode: bool) -> str:
    """A curve of one row."""
    bars = _BARS if unicode else _ASCII_BARS
    return "".join(bars[(low + high) // 2] for low, high in _bars(points, width, len(bars)))
