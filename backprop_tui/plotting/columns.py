"""Which dots a curve covers: in each column from the least to the most of its points, joined to its neighbour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from backprop_tui.plotting.scale import Scale

Bar = tuple[float, float, float]  # x, and the least and the most value there
Levels = dict[int, tuple[int, int]]
_Span = tuple[float, float]


def covered(bars: Sequence[Bar], x: Scale, y: Scale, *, columns: int, rows: int, joined: bool = True) -> Levels:
    """The levels of a curve whose x never goes back; what lies beyond the ends of x is left out, of y at the edge.

    With `joined`, each bar reaches to its neighbour on the left, so that the curve has no gaps.
    """
    spans = _spans(bars, x, columns)
    if not spans:
        return {}
    levels = {column: (_level(low, y, rows), _level(high, y, rows)) for column, (low, high) in _filled(spans)}
    return _joined(levels) if joined else levels


def _spans(bars: Sequence[Bar], x: Scale, columns: int) -> dict[int, _Span]:
    """The least and the most of the points in each column that has any."""
    spans: dict[int, _Span] = {}
    share_of = x.share if x.is_log else _linear(x)
    for place, low, high in bars:
        share = share_of(place)
        if not 0.0 <= share <= 1.0:
            continue
        column = min(columns - 1, int(share * columns))
        known = spans.get(column)
        spans[column] = (low, high) if known is None else (min(known[0], low), max(known[1], high))
    return spans


def _linear(x: Scale) -> Callable[[float], float]:
    """As `x.share`, which looks at the kind of the axis for each of some thousand points."""
    low, distance = x.low / 2, x.high / 2 - x.low / 2
    return (lambda place: (place / 2 - low) / distance) if distance > 0 else (lambda _: 0.5)


def _filled(spans: dict[int, _Span]) -> Iterable[tuple[int, _Span]]:
    """A column without points lies on the line from the one before it to the one after it."""
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


def _joined(levels: Levels) -> Levels:
    found = dict(levels)
    for column, (low, high) in levels.items():
        before = levels.get(column - 1)
        if before is None:
            continue
        if low > before[1] + 1:
            found[column] = before[1] + 1, high
        elif high < before[0] - 1:
            found[column] = low, before[0] - 1
    return found
