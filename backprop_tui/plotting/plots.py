"""Plots as text: curves in several styles over each other, and one curve in plain text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.plotting.axes import Scale
from backprop_tui.plotting.canvas import Bar, Canvas, Cell, covered_dots, shaded_dots
from backprop_tui.plotting.track import Pieces, Style, nearest_bar

_POINT, _BAND_LETTER, _FAINT_LETTER = "•", ".", ","
_BAND_REACH = 2  # dots to both sides
_COLUMNS_PER_POINT = 2  # at least, so that a line behind the points stays visible


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The pieces of a curve are not connected with each other; in ASCII, the curve is drawn with its letter."""

    pieces: Pieces
    letter: str
    style: Style = Style.LINE


def draw_curve(canvas: Canvas, owner: int, curve: Curve, x: Scale, y: Scale) -> None:
    for piece in drawable(curve.pieces, y):
        if curve.style is Style.POINTS or len(piece) == 1:
            _draw_points(canvas, owner, curve.letter, piece, x, y)
        elif curve.style is Style.BAND:
            band = shaded_dots(piece, x, y, columns=canvas.columns, rows=canvas.rows, reach=_BAND_REACH)
            canvas.draw(band, owner, letter=_BAND_LETTER, rank=Style.BAND, shaded=True)
        else:
            letter = _FAINT_LETTER if curve.style is Style.FAINT else curve.letter
            levels = covered_dots(piece, x, y, columns=canvas.columns, rows=canvas.rows)
            canvas.draw(levels, owner, letter=letter, rank=curve.style, shaded=curve.style is Style.FAINT)


def drawable(pieces: Pieces, y: Scale) -> Pieces:
    """The pieces; on a logarithmic axis without values of 0 and less, which interrupt the curve."""
    if not y.is_log:
        return pieces
    return tuple(
        tuple((at, low if low > 0 else y.low, high) for at, low, high in part)
        for piece in pieces
        for is_positive, part in groupby(piece, key=lambda bar: bar[2] > 0)
        if is_positive
    )


def _draw_points(canvas: Canvas, owner: int, letter: str, bars: Sequence[Bar], x: Scale, y: Scale) -> None:
    """Draws a dot at each point, or at the mean of those that share its columns."""
    places = [(x.share(at), low / 2 + high / 2) for at, low, high in bars]
    visible = [(share, value) for share, value in places if 0 <= share <= 1]
    slots = groupby(visible, key=lambda point: canvas.cell(point[0], 0.0)[0] // _COLUMNS_PER_POINT)
    for points in (list(group) for _, group in slots):
        mean = sum(value / len(points) for _, value in points)
        canvas.put(*canvas.cell(points[-1][0], y.share(mean)), _POINT if canvas.unicode else letter, owner)


def cell_at(canvas: Canvas, curve: Curve, position: float, x: Scale, y: Scale) -> Cell | None:
    """The cell of the point that is nearest to a position on x; None if that is not visible."""
    bar = nearest_bar(drawable(curve.pieces, y), position)
    if bar is None or not 0 <= x.share(bar[0]) <= 1:
        return None
    return canvas.cell(x.share(bar[0]), y.share(bar[1] / 2 + bar[2] / 2))


def mark_ends(canvas: Canvas, curves: Sequence[tuple[int, Curve]], x: Scale, y: Scale) -> None:
    """Puts a letter to the right of each curve's last point; near ones are moved apart, in the order of the points."""
    ends: dict[int, list[tuple[int, float, int, str]]] = {}
    for owner, curve in curves:
        pieces = drawable(curve.pieces, y)
        end = cell_at(canvas, curve, pieces[-1][-1][0], x, y) if pieces else None
        if end is not None:
            _, low, high = pieces[-1][-1]
            column = min(canvas.width - 1, end[0] + 1)
            ends.setdefault(column, []).append((end[1], -low / 2 - high / 2, owner, curve.letter))
    for column, marks in ends.items():
        ordered = sorted(marks[: canvas.height])
        rows = _apart([mark[0] for mark in ordered], canvas.height)
        for row, (_, _, owner, letter) in zip(rows, ordered, strict=True):
            canvas.put(column, row, letter, owner)


def _apart(rows: Sequence[int], height: int) -> list[int]:
    """Different rows as near to the ascending ones as their order allows."""
    blocks: list[list[int]] = []  # of neighbors, by the row that the first of all would have
    for index, row in enumerate(rows):
        block = [row - index]
        while blocks and sum(blocks[-1]) * len(block) >= sum(block) * len(blocks[-1]):
            block = blocks.pop() + block
        blocks.append(block)
    starts = [round(sum(block) / len(block)) for block in blocks for _ in block]
    return [max(0, min(start, height - len(rows))) + index for index, start in enumerate(starts)]


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
    bars = [(at, value, value) for at, value in sorted(points)]
    levels = covered_dots(bars, x, y, columns=columns, rows=rows, joined=joined)
    if x.high <= x.low:
        return dict.fromkeys(range(columns), next(iter(levels.values())))
    return levels
