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
_MOST_LETTERS = 4  # side by side at the ends of curves
_MANY_ROWS = 6  # of a chart, one of which is no misleading distance


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
    """Puts a letter to the right of each curve's last point.

    Letters of the same place are moved apart by a row, in the order of the points. Where more curves end, or a row is
    a large part of the chart, the letters stand side by side in the row of the ends, as many as have room.
    """
    ends: dict[int, list[tuple[int, float, int, str]]] = {}
    for owner, curve in curves:
        pieces = drawable(curve.pieces, y)
        end = cell_at(canvas, curve, pieces[-1][-1][0], x, y) if pieces else None
        if end is not None:
            _, low, high = pieces[-1][-1]
            column = min(canvas.width - 1, end[0] + 1)
            ends.setdefault(column, []).append((end[1], -low / 2 - high / 2, owner, curve.letter))
    taken: set[Cell] = set()
    for column, marks in sorted(ends.items(), reverse=True):
        ordered = sorted(marks)
        rows = _apart([mark[0] for mark in ordered], canvas.height)
        by_row = groupby(zip(rows, ordered, strict=True), key=lambda placed: placed[0])
        for row, placed in by_row:
            _put_letters(canvas, column, row, [(mark[3], mark[2]) for _, mark in placed], taken)


def _put_letters(canvas: Canvas, column: int, row: int, letters: list[tuple[str, int]], taken: set[Cell]) -> None:
    """Side by side from the column on, farther left where it ends or is taken; the last says that others have no room.

    Letters that would be far from the ends are left out.
    """
    if len(letters) > _MOST_LETTERS:
        letters = [*letters[: _MOST_LETTERS - 1], ("…" if canvas.unicode else "+", letters[_MOST_LETTERS - 1][1])]
    for start in range(min(column, canvas.width - len(letters)), max(-1, column - 2 * _MOST_LETTERS), -1):
        cells = [(start + index, row) for index in range(len(letters))]
        if taken.isdisjoint(cells):
            taken.update(cells)
            for (at, _), (letter, owner) in zip(cells, letters, strict=True):
                canvas.put(at, row, letter, owner)
            return


def _apart(rows: Sequence[int], height: int) -> list[int]:
    """Rows as near to the ascending ones as their order allows, different ones where none is far from its own."""
    reach = 1 if height >= _MANY_ROWS else 0
    blocks: list[list[int]] = []  # of neighbors, by the row that the first of all would have
    for index, row in enumerate(rows):
        block = [row - index]
        while blocks and sum(blocks[-1]) * len(block) >= sum(block) * len(blocks[-1]):
            block = blocks.pop() + block
        blocks.append(block)
    moved: list[int] = []
    for block in blocks:
        first = max(0, min(round(sum(block) / len(block)), height - len(rows))) + len(moved)
        own = rows[len(moved) : len(moved) + len(block)]
        apart = range(first, first + len(block))
        is_near = apart[-1] < height and all(abs(row - ended) <= reach for row, ended in zip(apart, own, strict=True))
        moved += apart if is_near else own
    return moved


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
