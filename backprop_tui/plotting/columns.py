"""Rasterises curves: finds the dots that a curve covers in each column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from backprop_tui.plotting.scale import Scale

Bar = tuple[float, float, float]  # x, and the minimum and maximum value there
Levels = dict[int, tuple[int, int]]
_Span = tuple[float, float]


def covered(bars: Sequence[Bar], x: Scale, y: Scale, *, columns: int, rows: int, joined: bool = True) -> Levels:
    """Returns the dots, per column, of a curve whose x never decreases; points outside x are skipped, y is clamped.

    With `joined`, each bar is extended to its left neighbour, so that the curve has no gaps.
    """
    spans = _column_spans(bars, x, columns)
    if not spans:
        return {}
    levels = {column: (_level(low, y, rows), _level(high, y, rows)) for column, (low, high) in _interpolated(spans)}
    return _connected(levels) if joined else levels


def _column_spans(bars: Sequence[Bar], x: Scale, columns: int) -> dict[int, _Span]:
    """The minimum and maximum of the points in each column that has any."""
    spans: dict[int, _Span] = {}
    share_of = x.share if x.is_log else _linear_share(x)
    for place, low, high in bars:
        share = share_of(place)
        if not 0.0 <= share <= 1.0:
            continue
        column = min(columns - 1, int(share * columns))
        span = spans.get(column)
        spans[column] = (low, high) if span is None else (min(span[0], low), max(span[1], high))
    return spans


def _linear_share(x: Scale) -> Callable[[float], float]:
    """Same as `x.share`, without checking the kind of axis for each of thousands of points."""
    low, distance = x.low / 2, x.high / 2 - x.low / 2
    return (lambda place: (place / 2 - low) / distance) if distance > 0 else (lambda _: 0.5)


def _interpolated(spans: dict[int, _Span]) -> Iterable[tuple[int, _Span]]:
    """Adds columns without points, on the line between their neighbours."""
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


def _connected(levels: Levels) -> Levels:
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
