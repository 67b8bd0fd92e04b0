"""A chart as a value, and its drawing as lines: title and legend, y axis and curves, x axis, marks and tick labels."""

from __future__ import annotations

from collections.abc import Mapping

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.plotting.axes import Scale
from backprop_tui.plotting.canvas import Canvas
from backprop_tui.plotting.plots import Curve, cell_at, draw_curve, mark_ends
from backprop_tui.plotting.track import Pieces, Style
from backprop_tui.presentation.curves import AxisUnit, column_labels, planned_text, row_labels
from backprop_tui.tui.glyphs import Curves, Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, blank, clip, ends, width_of, wrapped

_UNIT_SCALE = Scale(0.0, 1.0)
_RESTART, _CURSOR, _NOTE = -1, -2, -3  # owners of canvas cells, besides the indices of the curves
_OWN_TOKENS = {_RESTART: Token.FAINT, _CURSOR: Token.FG, _NOTE: Token.MUTED}
_GAP = "gap "
_MIN_WIDTH, _MIN_HEIGHT = 10, 3
_NO_ROOM = "no room for the curves"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ChartCurve:
    """A curve in one color. Its `pieces` are not connected with each other; within a piece, x never decreases.

    The legend shows `label` and `value`; a curve without a label is left out. In ASCII mode the curve is drawn with
    its `letter`, which may also mark its end.
    """

    label: str
    token: Token
    letter: str
    pieces: Pieces
    value: str = ""
    style: Style = Style.LINE
    ends_in_letter: bool = False

    @property
    def shape(self) -> Curve:
        return Curve(pieces=self.pieces, letter=self.letter, style=self.style)

    @property
    def is_behind(self) -> bool:
        return self.style < Style.LINE


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its title (bold) and the current `value` next to it; `gap` is between its curves.

    `checkpoints`, `holes` (where values were not finite), `cursor` and `dragged` (a range being selected) are positions
    on x; `restarts` are pairs of an attempt's number and the position where it starts; `pauses` are ranges. `planned`
    is the end of the training, if that is beyond x.
    """

    title: str
    name: str = ""  # of the metric, as the script prints it
    value: str = ""
    curves: tuple[ChartCurve, ...] = ()
    x: Scale = _UNIT_SCALE
    y: Scale = _UNIT_SCALE
    x_unit: AxisUnit = AxisUnit.STEPS
    y_unit: AxisUnit = AxisUnit.METRIC
    checkpoints: tuple[float, ...] = ()
    restarts: tuple[tuple[int, float], ...] = ()
    holes: tuple[float, ...] = ()
    pauses: tuple[tuple[float, float], ...] = ()
    planned: float | None = None
    gap: str = ""
    cursor: float | None = None
    dragged: tuple[float, float] | None = None
    empty_text: str = ""  # shown when there are no points to draw
    note: str = ""  # muted, after the title
    warning: str = ""  # after the title; where it has no room, a mark
    chosen: bool = False  # the selected one of several charts

    @property
    def has_points(self) -> bool:
        return any(piece for curve in self.curves for piece in curve.pieces)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ChartFrame:
    """The layout of a chart: the left margin, the plot area in columns and rows, and the rows below it."""

    margin: int
    columns: int
    rows: int
    below: int
    marks: bool  # whether one of the rows below shows marks
    y: Scale
    y_labels: Mapping[int, str]  # by the row, from the bottom

    def x_at(self, chart: Chart, column: int) -> float:
        """The position on x under a column of the chart; outside the plot area that of its first or last column."""
        inside = max(0, min(column - self.margin - 1, self.columns - 1))
        return chart.x.value((inside + 0.5) / self.columns)


def chart_frame(chart: Chart, width: int, height: int) -> ChartFrame | None:
    """The layout for a size; None if there is too little room, or nothing to draw."""
    below, rows, marks = _split_rows(chart, height)
    y, y_labels = row_labels(chart.y, chart.y_unit, rows)
    margin = max([4, *(len(text) for text in y_labels.values())]) + 1
    if height < _MIN_HEIGHT or width - margin < _MIN_WIDTH or not chart.has_points:
        return None
    columns = width - margin - 1
    return ChartFrame(margin=margin, columns=columns, rows=rows, below=below, marks=marks, y=y, y_labels=y_labels)


def _split_rows(chart: Chart, height: int) -> tuple[int, int, bool]:
    if height <= _MIN_HEIGHT:
        return 0, height - 1, False
    marks = bool(chart.checkpoints or chart.holes or chart.pauses) and height >= 9
    below = 2 + int(marks)
    rows = height - 1 - below
    return (below, rows, marks) if rows >= 2 else (1, height - 2, False)


def draw_chart(chart: Chart, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """Draws `height` lines of `width` cells."""
    if height <= 0 or width <= 0:
        return []
    lines = [_title_line(chart, width, glyphs)]
    frame = chart_frame(chart, width, height)
    if frame is None:
        body: list[Line] = [()] * (height - 1)
        rows = wrapped(_NO_ROOM if chart.has_points else chart.empty_text, width)[: len(body)]
        body[: len(rows)] = [(Piece(clip(row, width, glyphs), Token.MUTED),) for row in rows]
        return [*lines, *(padded(line, width) for line in body)]
    lines += _plot_lines(chart, frame, glyphs, has_gap=bool(chart.gap) and Piece(_GAP, Token.MUTED) not in lines[0])
    if frame.below:
        axis = ("└" if glyphs.unicode else "+") + glyphs.rule * (width - frame.margin - 1)
        lines.append((blank(frame.margin), Piece(axis, Token.RULE)))
    if frame.marks:
        lines.append(_mark_line(chart, frame.margin, width, glyphs))
    if frame.below > 1:
        lines.append(_x_label_line(chart, frame.margin, width, glyphs))
    return lines


def padded(line: Line, width: int) -> Line:
    room = width - width_of(line)
    return (*line, blank(room)) if room > 0 else line


def _title_line(chart: Chart, width: int, glyphs: Glyphs) -> Line:
    left = [Piece(clip(chart.title, width, glyphs), Token.ACCENT if chart.chosen else Token.FG, bold=True)]
    if chart.value and width_of(left) + 2 + len(chart.value) <= width:
        left.append(Piece(f"  {chart.value}", bold=True))
    if chart.warning:
        left.append(Piece("  !", Token.WARN, bold=True))
    right: list[Piece] = []
    # If there is no room, the gap is dropped first, then what is behind.
    named = sorted((curve for curve in chart.curves if curve.label), key=lambda curve: curve.is_behind)
    has_all = True
    for entry in (_legend_entry(curve, glyphs) for curve in named):
        if width_of([*left, *right, *entry]) + 4 <= width:
            right += [blank(2), *entry] if right else entry
        else:
            has_all = False
    if chart.warning and width_of([*left, *right]) + 3 + len(chart.warning) <= width:
        left.append(Piece(f" {chart.warning}", Token.WARN))
    if chart.note and width_of([*left, *right]) + 4 + len(chart.note) <= width:
        left.append(Piece(f"  {chart.note}", Token.MUTED))
    gap = [blank(2), Piece(_GAP, Token.MUTED), Piece(chart.gap)]
    if chart.gap and has_all and width_of([*left, *right, *gap]) + 2 <= width:
        right += gap
    return ends(left, right, width) if right else padded(tuple(left), width)


def _legend_entry(curve: ChartCurve, glyphs: Glyphs) -> list[Piece]:
    swatch = glyphs.point if curve.style is Style.POINTS else glyphs.bar_full * 2
    swatch = swatch if glyphs.unicode else curve.letter * len(swatch)
    return [Piece(swatch, curve.token), Piece(f" {curve.label}", Token.MUTED), Piece(f" {curve.value}".rstrip())]


def _plot_lines(chart: Chart, frame: ChartFrame, glyphs: Glyphs, *, has_gap: bool) -> list[Line]:
    """The plot area and its labels; with `has_gap`, it shows the gap too, where nothing is drawn."""
    body = _draw_curves(chart, frame, glyphs, note=_GAP + chart.gap if has_gap else "")
    side, tick = ("│", "┤") if glyphs.unicode else ("|", "+")
    return [
        (
            Piece(f"{frame.y_labels.get(row, ''):>{frame.margin - 1}} ", Token.MUTED),
            Piece(tick if row in frame.y_labels else side, Token.RULE),
            *pieces,
        )
        for row, pieces in zip(range(frame.rows - 1, -1, -1), body, strict=True)
    ]


def _draw_curves(chart: Chart, frame: ChartFrame, glyphs: Glyphs, *, note: str) -> list[list[Piece]]:
    is_ascii, blocks = glyphs.curves is Curves.ASCII, glyphs.curves is Curves.BLOCKS
    canvas = Canvas(frame.columns, frame.rows, unicode=not is_ascii, blocks=blocks)
    for owner, curve in sorted(enumerate(chart.curves), key=lambda item: item[1].style):
        draw_curve(canvas, owner, curve.shape, chart.x, frame.y)
    lettered = [(owner, curve.shape) for owner, curve in enumerate(chart.curves) if curve.ends_in_letter]
    mark_ends(canvas, lettered, chart.x, frame.y)
    note_place = _empty_place(canvas, len(note)) if note else None
    for number, x in chart.restarts:
        canvas.draw_vertical(chart.x.share(x), glyphs.divider, _RESTART, label=str(number))
    for x in chart.dragged or (() if chart.cursor is None else (chart.cursor,)):
        canvas.draw_vertical(chart.x.share(x), glyphs.divider, _CURSOR, behind=False)
    if chart.cursor is not None and chart.dragged is None:
        _mark_read_points(canvas, chart, chart.cursor, frame.y, glyphs)
    if note_place is not None:
        for column, letter in enumerate(note, start=note_place[0]):
            canvas.put(column, note_place[1], letter, _NOTE)
    return [[_canvas_piece(text, owner, chart) for text, owner in row] for row in canvas.runs()]


def _empty_place(canvas: Canvas, size: int) -> tuple[int, int] | None:
    """Column and row for a text where nothing is drawn, nor beside it: as far right as possible, then as high."""
    for column in range(canvas.width - size, 0, -1):
        width = min(size + 2, canvas.width - column + 1)
        for row in range(canvas.height):
            if canvas.is_empty(column - 1, row, width):
                return column, row
    return None


def _mark_read_points(canvas: Canvas, chart: Chart, cursor: float, y: Scale, glyphs: Glyphs) -> None:
    """Marks the point of each curve whose value is shown for the cursor."""
    for owner, curve in enumerate(chart.curves):
        cell = None if curve.is_behind else cell_at(canvas, curve.shape, cursor, chart.x, y)
        if cell is not None:
            canvas.put(*cell, glyphs.read_point, owner)


def _canvas_piece(text: str, owner: int | None, chart: Chart) -> Piece:
    if owner is None:
        return Piece(text)
    return Piece(text, _OWN_TOKENS[owner] if owner < 0 else chart.curves[owner].token)


def _mark_line(chart: Chart, margin: int, width: int, glyphs: Glyphs) -> Line:
    room = width - margin - 1
    marks_by_column: dict[int, tuple[str, Token]] = {}
    for spans, mark, token in (
        (chart.pauses, "", Token.MUTED),
        ([(x, x) for x in chart.checkpoints], glyphs.checkpoint, Token.VIOLET),
        ([(x, x) for x in chart.holes], "!", Token.BAD),
    ):
        for start, end in spans:
            first, last = chart.x.share(start), chart.x.share(end)
            if last >= 0 and first <= 1:
                columns = range(min(room - 1, int(max(0.0, first) * room)), min(room - 1, int(last * room)) + 1)
                text = mark or _pause_text(len(columns), glyphs)
                marks_by_column |= {column: (letter, token) for column, letter in zip(columns, text, strict=False)}
    builder = LineBuilder()
    for column, (mark, token) in sorted(marks_by_column.items()):
        builder.at(margin + 1 + column).put(mark, token)
    return padded(builder.line(), width)


def _pause_text(columns: int, glyphs: Glyphs) -> str:
    """`── paused ──`, or only the glyph of a pause if there is no room for the word."""
    paused = glyphs.state("paused")
    return " paused ".center(columns, glyphs.rule) if columns >= len(" paused ") else paused * columns


def _x_label_line(chart: Chart, margin: int, width: int, glyphs: Glyphs) -> Line:
    room = width - margin - 1
    planned = planned_text(chart.planned, unicode=glyphs.unicode)
    planned = planned if len(planned) <= room // 3 else ""
    builder = LineBuilder()
    for start, text in column_labels(chart.x, chart.x_unit, room, room - len(planned) - 2 * bool(planned)):
        builder.at(margin + 1 + start).put(text, Token.MUTED)
    if planned:
        builder.at(width - len(planned)).put(planned, Token.FAINT)
    return padded(builder.line(), width)
