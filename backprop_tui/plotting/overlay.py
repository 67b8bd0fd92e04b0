"""Plots several curves over each other; each cell has the index of its curve as owner."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.plotting.canvas import Canvas, Run
from backprop_tui.plotting.columns import covered
from backprop_tui.plotting.scale import Scale
from backprop_tui.plotting.track import Pieces

Curve = tuple[str, Pieces]  # the letter at its end, with which it is drawn in ASCII, and its pieces


def overlay(curves: Sequence[Curve], x: Scale, y: Scale, *, width: int, height: int, unicode: bool) -> list[list[Run]]:
    """Returns `height` rows, the top one first; where curves meet, the first of them is on top."""
    canvas = Canvas(width, height, unicode=unicode)
    for index, (letter, pieces) in reversed(list(enumerate(curves))):
        for piece in pieces:
            levels = covered(piece, x, y, columns=canvas.columns, rows=canvas.rows)
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
