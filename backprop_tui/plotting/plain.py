"""Plain text plots: one curve in several rows of braille or ASCII, and a sparkline of one row."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.plotting.canvas import Canvas
from backprop_tui.plotting.columns import covered
from backprop_tui.plotting.scale import Scale

Point = tuple[float, float]
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"


def plot(points: Sequence[Point], *, width: int, height: int, unicode: bool) -> list[str]:
    """Returns `height` rows of `width` characters, the top one first; all coordinates must be finite.

    Points in one column of dots become a bar from minimum to maximum, and neighbouring bars are joined.
    """
    canvas = Canvas(width, height, unicode=unicode)
    canvas.draw(_plot_levels(points, canvas.columns, canvas.rows), 0)
    return list(canvas.text())


def line(points: Sequence[Point], *, width: int, unicode: bool) -> str:
    """Returns a curve of one row."""
    bars = _BARS if unicode else _ASCII_BARS
    levels = _plot_levels(points, width, len(bars), joined=False)
    return "".join(bars[(low + high) // 2] for _, (low, high) in sorted(levels.items()))


def _plot_levels(
    points: Sequence[Point], columns: int, rows: int, *, joined: bool = True
) -> dict[int, tuple[int, int]]:
    """The dots over the whole width; points with a single x become a horizontal line."""
    x = Scale(min(at for at, _ in points), max(at for at, _ in points))
    y = Scale(min(value for _, value in points), max(value for _, value in points))
    bars = [(at, value, value) for at, value in points]
    levels = covered(bars, x, y, columns=columns, rows=rows, joined=joined)
    if x.high <= x.low:
        return dict.fromkeys(range(columns), next(iter(levels.values())))
    return levels
