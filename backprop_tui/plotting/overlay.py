"""Curves over each other in text: rows of cells, each with the place of the curve that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.plotting.canvas import Canvas, Run
from backprop_tui.plotting.columns import covered
from backprop_tui.plotting.scale import Scale
from backprop_tui.plotting.track import Pieces

Curve = tuple[str, Pieces]  # the letter that stands at its end and draws it in ASCII, and the pieces


def overlay(curves: Sequence[Curve], x: Scale, y: Scale, *, width: int, height: int, unicode: bool) -> list[list[Run]]:
    """`height` rows, the top one first; where several curves meet, the first of them is on top."""
    canvas = Canvas(width, height, unicode=unicode)
    for place, (letter, pieces) in reversed(list(enumerate(curves))):
        for piece in pieces:
            levels = covered(piece, x, y, columns=canvas.columns, rows=canvas.rows)
            canvas.draw(levels, place, letter=letter, rank=len(curves) - place)
    if len(curves) > 1:
        mark_ends(canvas, [(place, letter, pieces) for place, (letter, pieces) in enumerate(curves)], x, y)
    return canvas.runs()


def mark_ends(canvas: Canvas, curves: Sequence[tuple[int, str, Pieces]], x: Scale, y: Scale) -> None:
    """A letter right of the last point of each curve; above or below it where another letter stands."""
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
