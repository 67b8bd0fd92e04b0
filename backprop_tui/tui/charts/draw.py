"""A chart as lines of a given size: title and legend, the curves behind their axis, marks, labels."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.plotting.canvas import Canvas
from backprop_tui.plotting.columns import covered
from backprop_tui.tui.charts.chart import Chart, Curve, Unit
from backprop_tui.tui.charts.labels import labels
from backprop_tui.tui.drawing.lines import LineBuilder, blank, ends, width_of
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import clip
from backprop_tui.tui.wording.glyphs import Glyphs

_RESTART, _CURSOR = -1, -2  # owners of cells, beside the places of the curves
_EACH_X, _EACH_Y = 11, 3  # cells that a label needs
_LEAST_WIDTH, _LEAST_HEIGHT = 10, 4


def draw_chart(chart: Chart, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines of `width` cells."""
    if height <= 0 or width <= 0:
        return []
    lines = [_title(chart, width, glyphs)]
    has_points = any(piece for curve in chart.curves for piece in curve.pieces)
    below, rows, marks = _rows(chart, height)
    y_labels = labels(chart.y, chart.y_unit, max(2, min(6, rows // _EACH_Y)))
    margin = max([4, *(len(text) for _, text in y_labels)]) + 1
    if height < _LEAST_HEIGHT or width - margin < _LEAST_WIDTH or not has_points:
        said = Piece(clip(chart.nothing, width, glyphs), Token.MUTED)
        lines += [filled((said,) if place == 0 and not has_points else (), width) for place in range(height - 1)]
        return lines
    body = _body(chart, width - margin - 1, rows, glyphs)
    lines += _with_axis(chart, body, y_labels, margin, glyphs)
    lines.append(_axis(margin, width, glyphs))
    if marks:
        lines.append(_checkpoints(chart, margin, width, glyphs))
    if below > 1:
        lines.append(_x_labels(chart, margin, width))
    return lines


def _rows(chart: Chart, height: int) -> tuple[int, int, bool]:
    """Rows below the curves, of the curves, and whether checkpoints have one."""
    marks = bool(chart.checkpoints) and height >= 9
    below = 2 + int(marks)
    rows = height - 1 - below
    return (below, rows, marks) if rows >= 2 else (1, height - 2, False)


def filled(line: Line, width: int) -> Line:
    """With blanks up to a width."""
    room = width - width_of(line)
    return (*line, blank(room)) if room > 0 else line


def _title(chart: Chart, width: int, glyphs: Glyphs) -> Line:
    left = [Piece(clip(chart.title, width, glyphs), bold=True)]
    if chart.value and width_of(left) + 2 + len(chart.value) <= width:
        left.append(Piece(f"  {chart.value}", bold=True))
    if chart.note and width_of(left) + 2 + len(chart.note) <= width:
        left.append(Piece(f"  {chart.note}", Token.MUTED))
    right: list[Piece] = []
    for curve in chart.curves:
        entry = legend(curve, glyphs)
        if curve.label and width_of([*left, *right, *entry]) + 4 <= width:
            right += [blank(2), *entry] if right else entry
    return ends(left, right, width) if right else filled(tuple(left), width)


def legend(curve: Curve, glyphs: Glyphs) -> list[Piece]:
    """Its colour or letter, its name, its value."""
    swatch = glyphs.bar_full * 2 if glyphs.braille else curve.letter * 2
    return [Piece(swatch, curve.token), Piece(f" {curve.label}", Token.MUTED), Piece(f" {curve.value}".rstrip())]


def _body(chart: Chart, width: int, height: int, glyphs: Glyphs) -> list[list[Piece]]:
    canvas = Canvas(width, height, unicode=glyphs.braille)
    for owner, curve in enumerate(chart.curves):
        levels = {}
        for piece in curve.pieces:
            levels = covered(piece, chart.x, chart.y, columns=canvas.columns, rows=canvas.rows)
            canvas.draw(levels, owner, letter=curve.letter, rank=0 if curve.faint else 1)
    _mark_ends(chart, canvas)
    for place in chart.restarts:
        _upright(canvas, chart.x.share(place), _RESTART, glyphs)
    if chart.cursor is not None:
        _upright(canvas, chart.x.share(chart.cursor), _CURSOR, glyphs)
    return [[_piece(text, owner, chart) for text, owner in row] for row in canvas.runs()]


def _mark_ends(chart: Chart, canvas: Canvas) -> None:
    """A letter right of the last point of each curve that has one; above it where another letter stands."""
    taken: set[tuple[int, int]] = set()
    for owner, curve in enumerate(chart.curves):
        if not curve.ends_in_letter or not curve.pieces or not curve.pieces[-1]:
            continue
        x, low, high = curve.pieces[-1][-1]
        share, level = chart.x.share(x), chart.y.share(low / 2 + high / 2)
        if not 0 <= share <= 1:
            continue
        column = min(canvas.width - 1, int(share * canvas.width) + 1)
        row = canvas.height - 1 - min(canvas.height - 1, max(0, int(min(1.0, max(0.0, level)) * canvas.height)))
        for nearest in sorted(range(canvas.height), key=lambda other: abs(other - row)):
            if (column, nearest) not in taken:
                taken.add((column, nearest))
                canvas.put(column, nearest, curve.letter, owner)
                break


def _upright(canvas: Canvas, share: float, owner: int, glyphs: Glyphs) -> None:
    if 0 <= share <= 1:
        for row in range(canvas.height):
            canvas.put(min(canvas.width - 1, int(share * canvas.width)), row, glyphs.divider, owner, behind=True)


def _piece(text: str, owner: int | None, chart: Chart) -> Piece:
    if owner is None:
        return Piece(text)
    if owner == _RESTART:
        return Piece(text, Token.FAINT)
    if owner == _CURSOR:
        return Piece(text, Token.FG)
    return Piece(text, chart.curves[owner].token)


def _with_axis(
    chart: Chart, body: Sequence[Sequence[Piece]], y_labels: Sequence[tuple[float, str]], margin: int, glyphs: Glyphs
) -> list[Line]:
    at: dict[int, str] = {}
    for value, text in y_labels:
        share = min(1.0, max(0.0, chart.y.share(value)))
        at[len(body) - 1 - min(len(body) - 1, int(share * len(body)))] = text
    side, tick = ("│", "┤") if glyphs.braille else ("|", "+")
    return [
        (
            Piece(f"{at.get(row, ''):>{margin - 1}} ", Token.MUTED),
            Piece(tick if row in at else side, Token.RULE),
            *pieces,
        )
        for row, pieces in enumerate(body)
    ]


def _axis(margin: int, width: int, glyphs: Glyphs) -> Line:
    corner = "└" if glyphs.braille else "+"
    return blank(margin), Piece(corner + glyphs.rule * (width - margin - 1), Token.RULE)


def _checkpoints(chart: Chart, margin: int, width: int, glyphs: Glyphs) -> Line:
    room = width - margin - 1
    columns = {min(room - 1, int(chart.x.share(place) * room)) for place in chart.checkpoints if _within(chart, place)}
    text = "".join(glyphs.checkpoint if column in columns else " " for column in range(room))
    return blank(margin + 1), Piece(text, Token.VIOLET)


def _within(chart: Chart, place: float) -> bool:
    return 0 <= chart.x.share(place) <= 1


def _x_labels(chart: Chart, margin: int, width: int) -> Line:
    room = width - margin - 1
    built = LineBuilder().at(margin + 1)
    found = labels(chart.x, chart.x_unit, max(2, room // _EACH_X))
    for place, text in found:
        centre = margin + 1 + int(chart.x.share(place) * room)
        start = max(margin + 1, min(centre - len(text) // 2, width - len(text)))
        if chart.x_unit in (Unit.AGO, Unit.BEFORE_END) and place == chart.x.low:
            start = margin + 1
        follows = start > built.column or built.column == margin + 1
        if follows and max(start, built.column) + len(text) <= width:
            built.at(start).put(text, Token.MUTED)
    return filled(built.line(), width)
