"""A chart as lines of a given size: title and legend, the curves behind their axis, marks, labels."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.canvas import Canvas
from backprop_tui.plotting.columns import covered
from backprop_tui.plotting.overlay import mark_ends
from backprop_tui.tui.cells import clip
from backprop_tui.tui.charts.chart import Chart, Curve, Unit
from backprop_tui.tui.charts.labels import labels
from backprop_tui.tui.glyphs import Curves, Glyphs
from backprop_tui.tui.lines import LineBuilder, blank, ends, width_of
from backprop_tui.tui.tokens import Line, Piece, Token

_RESTART, _CURSOR = -1, -2  # owners of cells, beside the places of the curves
_EACH_X, _EACH_Y = 11, 3  # cells that a label needs
_LEAST_WIDTH, _LEAST_HEIGHT = 10, 4
_HOLE = "!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around the curves: columns at the left, rows below, and how many columns and rows they have."""

    margin: int
    columns: int
    rows: int
    below: int
    marks: bool
    y_labels: Sequence[tuple[float, str]]

    def place(self, chart: Chart, column: int) -> float:
        """The place on x under a column of the chart; columns beside the curves are their first or last."""
        inside = max(0, min(column - self.margin - 1, self.columns - 1))
        return chart.x.value((inside + 0.5) / self.columns)


def frame_of(chart: Chart, width: int, height: int) -> Frame | None:
    """None where there is no room for curves, or nothing to draw."""
    below, rows, marks = _rows(chart, height)
    y_labels = labels(chart.y, chart.y_unit, max(2, min(6, rows // _EACH_Y)))
    margin = max([4, *(len(text) for _, text in y_labels)]) + 1
    has_points = any(piece for curve in chart.curves for piece in curve.pieces)
    if height < _LEAST_HEIGHT or width - margin < _LEAST_WIDTH or not has_points:
        return None
    columns = width - margin - 1
    return Frame(margin=margin, columns=columns, rows=rows, below=below, marks=marks, y_labels=y_labels)


def draw_chart(chart: Chart, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines of `width` cells."""
    if height <= 0 or width <= 0:
        return []
    lines = [_title(chart, width, glyphs)]
    frame = frame_of(chart, width, height)
    if frame is None:
        is_empty = not any(piece for curve in chart.curves for piece in curve.pieces)
        said = Piece(clip(chart.nothing, width, glyphs), Token.MUTED)
        lines += [filled((said,) if place == 0 and is_empty else (), width) for place in range(height - 1)]
        return lines
    body = _body(chart, frame.columns, frame.rows, glyphs)
    lines += _with_axis(chart, body, frame.y_labels, frame.margin, glyphs)
    lines.append(_axis(frame.margin, width, glyphs))
    if frame.marks:
        lines.append(_marks(chart, frame.margin, width, glyphs))
    if frame.below > 1:
        lines.append(_x_labels(chart, frame.margin, width))
    return lines


def _rows(chart: Chart, height: int) -> tuple[int, int, bool]:
    """Rows below the curves, of the curves, and whether marks have one."""
    marks = bool(chart.checkpoints or chart.holes) and height >= 9
    below = 2 + int(marks)
    rows = height - 1 - below
    return (below, rows, marks) if rows >= 2 else (1, height - 2, False)


def filled(line: Line, width: int) -> Line:
    """With blanks up to a width."""
    room = width - width_of(line)
    return (*line, blank(room)) if room > 0 else line


def _title(chart: Chart, width: int, glyphs: Glyphs) -> Line:
    left = [Piece(clip(chart.title, width, glyphs), Token.ACCENT if chart.chosen else Token.FG, bold=True)]
    if chart.value and width_of(left) + 2 + len(chart.value) <= width:
        left.append(Piece(f"  {chart.value}", bold=True))
    if chart.note and width_of(left) + 2 + len(chart.note) <= width:
        left.append(Piece(f"  {chart.note}", Token.MUTED))
    right: list[Piece] = []
    for curve in sorted(chart.curves, key=lambda one: one.token is Token.FAINT):  # what is pale gives way first
        entry = legend(curve, glyphs)
        if curve.label and width_of([*left, *right, *entry]) + 4 <= width:
            right += [blank(2), *entry] if right else entry
    return ends(left, right, width) if right else filled(tuple(left), width)


def legend(curve: Curve, glyphs: Glyphs) -> list[Piece]:
    """Its colour or letter, its name, its value."""
    swatch = glyphs.bar_full * 2 if glyphs.curves is not Curves.ASCII else curve.letter * 2
    return [Piece(swatch, curve.token), Piece(f" {curve.label}", Token.MUTED), Piece(f" {curve.value}".rstrip())]


def _body(chart: Chart, width: int, height: int, glyphs: Glyphs) -> list[list[Piece]]:
    canvas = Canvas(width, height, unicode=glyphs.curves is not Curves.ASCII, blocks=glyphs.curves is Curves.BLOCKS)
    for owner, curve in enumerate(chart.curves):
        levels = {}
        for piece in curve.pieces:
            levels = covered(piece, chart.x, chart.y, columns=canvas.columns, rows=canvas.rows)
            canvas.draw(levels, owner, letter=curve.letter, rank=0 if curve.faint else 1)
    ends_marked = [(at, one.letter, one.pieces) for at, one in enumerate(chart.curves) if one.ends_in_letter]
    mark_ends(canvas, ends_marked, chart.x, chart.y)
    for number, place in chart.restarts:
        _upright(canvas, chart.x.share(place), _RESTART, glyphs, label=str(number))
    for at in chart.dragged or (() if chart.cursor is None else (chart.cursor,)):
        _upright(canvas, chart.x.share(at), _CURSOR, glyphs)
    return [[_piece(text, owner, chart) for text, owner in row] for row in canvas.runs()]


def _upright(canvas: Canvas, share: float, owner: int, glyphs: Glyphs, *, label: str = "") -> None:
    if not 0 <= share <= 1:
        return
    column = min(canvas.width - 1, int(share * canvas.width))
    for row in range(canvas.height):
        canvas.put(column, row, glyphs.divider, owner, behind=True)
    for place, letter in enumerate(label, start=column + 1):
        canvas.put(place, 0, letter, owner, behind=True)


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
    side, tick = ("│", "┤") if glyphs.unicode else ("|", "+")
    return [
        (
            Piece(f"{at.get(row, ''):>{margin - 1}} ", Token.MUTED),
            Piece(tick if row in at else side, Token.RULE),
            *pieces,
        )
        for row, pieces in enumerate(body)
    ]


def _axis(margin: int, width: int, glyphs: Glyphs) -> Line:
    corner = "└" if glyphs.unicode else "+"
    return blank(margin), Piece(corner + glyphs.rule * (width - margin - 1), Token.RULE)


def _marks(chart: Chart, margin: int, width: int, glyphs: Glyphs) -> Line:
    """Checkpoints, and where values were not finite."""
    room = width - margin - 1
    owners = {
        min(room - 1, int(chart.x.share(place) * room)): (mark, token)
        for places, mark, token in (
            (chart.checkpoints, glyphs.checkpoint, Token.VIOLET),
            (chart.holes, _HOLE, Token.BAD),
        )
        for place in places
        if _within(chart, place)
    }
    built = LineBuilder()
    for column, (mark, token) in sorted(owners.items()):
        built.at(margin + 1 + column).put(mark, token)
    return filled(built.line(), width)


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
