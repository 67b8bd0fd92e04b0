"""Plots as text: several curves over each other, and one curve in plain text."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.plotting.axes import Scale
from backprop_tui.plotting.canvas import Canvas, OwnedText, covered_dots
from backprop_tui.plotting.track import Pieces

LetteredCurve = tuple[str, Pieces]  # the letter at its end, with which it is drawn in ASCII, and its pieces


def overlay(
    curves: Sequence[LetteredCurve], x: Scale, y: Scale, *, width: int, height: int, unicode: bool
) -> list[list[OwnedText]]:
    """Returns `height` rows, the top one first; where curves meet, the first of them is on top."""
    canvas = Canvas(width, height, unicode=unicode)
    for index, (letter, pieces) in reversed(list(enumerate(curves))):
        for piece in pieces:
            levels = covered_dots(piece, x, y, columns=canvas.columns, rows=canvas.rows)
            canvas.draw(levels, index, letter=letter, rank=len(curves) - index)
    if len(curves) > 1:
        mark_ends(canvas, [(index, letter, pieces) for index, (letter, pieces) in enumerate(curves)], x, y)
    return canvas.runs()


def mark_ends(canvas: Canvas, curves: Sequence[tuple[int, str, Pieces]], x: Scale, y: Scale) -> None:
    """Puts a letter to the right of each curve's last point, or above or below if that cell has a letter already."""
    taken: set[tuple[int, int]] = set()
    for owner, letter, pieces in curves:
        if not pieces or not pieces[-1]:
            continue
        at, low, high = pieces[-1][-1]
        share, level = x.share(at), y.share(low / 2 + high / 2)
        if not 0 <= share <= 1:
            continue
        column = min(canvas.width - 1, int(share * canvas.width) + 1)
        row = canvas.height - 1 - min(canvas.height - 1, max(0, int(min(1.0, max(0.0, level)) * canvas.height)))
        for nearest in sorted(range(canvas.height), key=lambda other: abs(other - row)):
            if (column, nearest) not in taken:
                taken.add((column, nearest))
                canvas.put(column, nearest, letter, owner)
                break


Point = tuple[float, float]
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"


def plot(points: Sequence[Point], *, width: int, height: int, unicode: bool) -> list[str]:
    """Returns `height` rows of `width` characters, the top one first; all coordinates must be finite.

    Points in one column of dots become a bar from minimum to maximum, and neighboring bars are joined.
    """
    canvas = Canvas(width, height, unicode=unicode)
    canvas.draw(_plot_levels(points, canvas.columns, canvas.rows), 0)
    return list(canvas.text())


def sparkline(points: Sequence[Point], *, width: int, unicode: bool) -> str:
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
    levels = covered_dots(bars, x, y, columns=columns, rows=rows, joined=joined)
    if x.high <= x.low:
        return dict.fromkeys(range(columns), next(iter(levels.values())))
    return levels
