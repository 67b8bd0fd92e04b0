"""A chart as a value, and its drawing as lines: title and legend, y axis and curves, x axis, marks and tick labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from backprop_tui.domain.formatting import duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import GIGABYTE, MEGABYTE
from backprop_tui.plotting.axes import TIME_STEPS, Scale, ticks
from backprop_tui.plotting.canvas import Bar, Canvas, covered_dots
from backprop_tui.plotting.plots import mark_ends
from backprop_tui.presentation import numbers
from backprop_tui.tui.glyphs import Curves, Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, blank, clip, ends, width_of

_UNIT_SCALE = Scale(0.0, 1.0)
_RESTART, _CURSOR = -1, -2  # owners of canvas cells, besides the indices of the curves
_COLUMNS_PER_LABEL, _ROWS_PER_LABEL = 11, 3
_MIN_WIDTH, _MIN_HEIGHT = 10, 4
_EXTRA_TICKS = 4


class AxisUnit(StrEnum):
    """The quantity on an axis, which decides how its ticks are labeled."""

    STEPS = "steps"
    SECONDS = "seconds"  # since the start
    AGO = "ago"  # seconds before now, negative
    BEFORE_END = "before end"  # seconds before the end of a run, negative
    METRIC = "metric"
    PERCENT = "percent"
    GIGABYTES = "gigabytes"  # values are in bytes
    CELSIUS = "celsius"
    CORES = "cores"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ChartCurve:
    """A curve in one color. Its `pieces` are not connected with each other; within a piece, x never decreases.

    A `faint` curve is drawn behind the others. The legend shows `label` and `value`; a curve without a label is left
    out. `letter` marks the end of the curve, and in ASCII mode draws it.
    """

    label: str
    token: Token
    letter: str
    pieces: tuple[tuple[Bar, ...], ...]
    value: str = ""
    faint: bool = False
    ends_in_letter: bool = False


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its title (bold) and the current `value` next to it.

    `checkpoints`, `gaps` (where values were not finite), `cursor` and `dragged` (a range being selected) are positions
    on x; `restarts` are pairs of an attempt's number and the position where it starts.
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
    gaps: tuple[float, ...] = ()
    cursor: float | None = None
    dragged: tuple[float, float] | None = None
    empty_text: str = ""  # shown when there are no points to draw
    note: str = ""  # muted, after the title
    chosen: bool = False  # the selected one of several charts

    @property
    def has_points(self) -> bool:
        return any(piece for curve in self.curves for piece in curve.pieces)


_TIME_UNITS = (AxisUnit.SECONDS, AxisUnit.AGO, AxisUnit.BEFORE_END)
_ZERO_LABELS = {AxisUnit.AGO: "now", AxisUnit.BEFORE_END: "end"}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ChartFrame:
    """The layout of a chart: the left margin, the plot area in columns and rows, and the rows below it."""

    margin: int
    columns: int
    rows: int
    below: int
    marks: bool  # whether one of the rows below shows marks
    y_labels: Sequence[tuple[float, str]]

    def x_at(self, chart: Chart, column: int) -> float:
        """The position on x under a column of the chart; outside the plot area that of its first or last column."""
        inside = max(0, min(column - self.margin - 1, self.columns - 1))
        return chart.x.value((inside + 0.5) / self.columns)


def chart_frame(chart: Chart, width: int, height: int) -> ChartFrame | None:
    """The layout for a size; None if there is too little room, or nothing to draw."""
    below, rows, marks = _split_rows(chart, height)
    y_labels = tick_labels(chart.y, chart.y_unit, max(2, min(6, rows // _ROWS_PER_LABEL)))
    margin = max([4, *(len(text) for _, text in y_labels)]) + 1
    if height < _MIN_HEIGHT or width - margin < _MIN_WIDTH or not chart.has_points:
        return None
    columns = width - margin - 1
    return ChartFrame(margin=margin, columns=columns, rows=rows, below=below, marks=marks, y_labels=y_labels)


def _split_rows(chart: Chart, height: int) -> tuple[int, int, bool]:
    marks = bool(chart.checkpoints or chart.gaps) and height >= 9
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
        if body and not chart.has_points:
            body[0] = (Piece(clip(chart.empty_text, width, glyphs), Token.MUTED),)
        return [*lines, *(padded(line, width) for line in body)]
    lines += _plot_lines(chart, frame, glyphs)
    axis = ("└" if glyphs.unicode else "+") + glyphs.rule * (width - frame.margin - 1)
    lines.append((blank(frame.margin), Piece(axis, Token.RULE)))
    if frame.marks:
        lines.append(_mark_line(chart, frame.margin, width, glyphs))
    if frame.below > 1:
        lines.append(_x_label_line(chart, frame.margin, width))
    return lines


def padded(line: Line, width: int) -> Line:
    room = width - width_of(line)
    return (*line, blank(room)) if room > 0 else line


def _title_line(chart: Chart, width: int, glyphs: Glyphs) -> Line:
    left = [Piece(clip(chart.title, width, glyphs), Token.ACCENT if chart.chosen else Token.FG, bold=True)]
    if chart.value and width_of(left) + 2 + len(chart.value) <= width:
        left.append(Piece(f"  {chart.value}", bold=True))
    if chart.note and width_of(left) + 2 + len(chart.note) <= width:
        left.append(Piece(f"  {chart.note}", Token.MUTED))
    right: list[Piece] = []
    for curve in sorted(chart.curves, key=lambda curve: curve.token is Token.FAINT):  # faint ones are dropped first
        entry = _legend_entry(curve, glyphs)
        if curve.label and width_of([*left, *right, *entry]) + 4 <= width:
            right += [blank(2), *entry] if right else entry
    return ends(left, right, width) if right else padded(tuple(left), width)


def _legend_entry(curve: ChartCurve, glyphs: Glyphs) -> list[Piece]:
    swatch = glyphs.bar_full * 2 if glyphs.curves is not Curves.ASCII else curve.letter * 2
    return [Piece(swatch, curve.token), Piece(f" {curve.label}", Token.MUTED), Piece(f" {curve.value}".rstrip())]


def _plot_lines(chart: Chart, frame: ChartFrame, glyphs: Glyphs) -> list[Line]:
    body = _draw_curves(chart, frame.columns, frame.rows, glyphs)
    labels_by_row: dict[int, str] = {}
    for value, text in frame.y_labels:
        share = min(1.0, max(0.0, chart.y.share(value)))
        labels_by_row[len(body) - 1 - min(len(body) - 1, int(share * len(body)))] = text
    side, tick = ("│", "┤") if glyphs.unicode else ("|", "+")
    return [
        (
            Piece(f"{labels_by_row.get(row, ''):>{frame.margin - 1}} ", Token.MUTED),
            Piece(tick if row in labels_by_row else side, Token.RULE),
            *pieces,
        )
        for row, pieces in enumerate(body)
    ]


def _draw_curves(chart: Chart, width: int, height: int, glyphs: Glyphs) -> list[list[Piece]]:
    canvas = Canvas(width, height, unicode=glyphs.curves is not Curves.ASCII, blocks=glyphs.curves is Curves.BLOCKS)
    for owner, curve in enumerate(chart.curves):
        for piece in curve.pieces:
            levels = covered_dots(piece, chart.x, chart.y, columns=canvas.columns, rows=canvas.rows)
            canvas.draw(levels, owner, letter=curve.letter, rank=0 if curve.faint else 1)
    lettered = [(owner, curve.letter, curve.pieces) for owner, curve in enumerate(chart.curves) if curve.ends_in_letter]
    mark_ends(canvas, lettered, chart.x, chart.y)
    for number, x in chart.restarts:
        _draw_vertical(canvas, chart.x.share(x), _RESTART, glyphs, label=str(number))
    for x in chart.dragged or (() if chart.cursor is None else (chart.cursor,)):
        _draw_vertical(canvas, chart.x.share(x), _CURSOR, glyphs)
    return [[_canvas_piece(text, owner, chart) for text, owner in row] for row in canvas.runs()]


def _draw_vertical(canvas: Canvas, share: float, owner: int, glyphs: Glyphs, *, label: str = "") -> None:
    """Draws a vertical line behind the curves, with a label at its top."""
    if not 0 <= share <= 1:
        return
    column = min(canvas.width - 1, int(share * canvas.width))
    for row in range(canvas.height):
        canvas.put(column, row, glyphs.divider, owner, behind=True)
    for label_column, letter in enumerate(label, start=column + 1):
        canvas.put(label_column, 0, letter, owner, behind=True)


def _canvas_piece(text: str, owner: int | None, chart: Chart) -> Piece:
    if owner is None or owner == _CURSOR:
        return Piece(text)
    return Piece(text, Token.FAINT if owner == _RESTART else chart.curves[owner].token)


def _mark_line(chart: Chart, margin: int, width: int, glyphs: Glyphs) -> Line:
    room = width - margin - 1
    marks_by_column = {
        min(room - 1, int(chart.x.share(x) * room)): (mark, token)
        for positions, mark, token in (
            (chart.checkpoints, glyphs.checkpoint, Token.VIOLET),
            (chart.gaps, "!", Token.BAD),
        )
        for x in positions
        if 0 <= chart.x.share(x) <= 1
    }
    builder = LineBuilder()
    for column, (mark, token) in sorted(marks_by_column.items()):
        builder.at(margin + 1 + column).put(mark, token)
    return padded(builder.line(), width)


def _x_label_line(chart: Chart, margin: int, width: int) -> Line:
    room = width - margin - 1
    builder = LineBuilder().at(margin + 1)
    for x, text in tick_labels(chart.x, chart.x_unit, max(2, room // _COLUMNS_PER_LABEL)):
        centre = margin + 1 + int(chart.x.share(x) * room)
        start = max(margin + 1, min(centre - len(text) // 2, width - len(text)))
        if chart.x_unit in _ZERO_LABELS and x == chart.x.low:
            start = margin + 1
        is_apart = start > builder.column or builder.column == margin + 1
        if is_apart and max(start, builder.column) + len(text) <= width:
            builder.at(start).put(text, Token.MUTED)
    return padded(builder.line(), width)


def tick_labels(scale: Scale, unit: AxisUnit, most: int) -> list[tuple[float, str]]:
    """About `most` values on an axis with their labels."""
    if unit is AxisUnit.GIGABYTES:
        size = GIGABYTE if scale.high >= GIGABYTE else MEGABYTE
        in_units = Scale(scale.low / size, scale.high / size)
        return [(value * size, text) for value, text in tick_labels(in_units, AxisUnit.METRIC, most)]
    values: list[float] = []
    for count in range(most, most + _EXTRA_TICKS):  # a single label does not show the scale
        values = ticks(scale, count, steps=TIME_STEPS if unit in _TIME_UNITS else (), to_end=unit is AxisUnit.STEPS)
        if unit is AxisUnit.STEPS:
            values = [value for value in values if value == int(value)]
        if len(values) > 1:
            break
    labels: list[tuple[float, str]] = []
    for value, text in zip(values, _tick_texts(values, scale, unit), strict=True):
        if not labels or labels[-1][1] != text:
            labels.append((value, text))
    return labels


def _tick_texts(values: Sequence[float], scale: Scale, unit: AxisUnit) -> list[str]:
    if unit is AxisUnit.STEPS:
        return [numbers.compact_count(value) for value in values]
    if unit in _TIME_UNITS:
        return [_ZERO_LABELS[unit] if value == 0 and unit in _ZERO_LABELS else axis_duration(value) for value in values]
    if unit is AxisUnit.PERCENT:
        return [f"{value:.0f}%" for value in values]
    if scale.is_log and values and max(values) / max(min(values), 1e-300) >= 10:
        return [_power_of_ten_text(value) for value in values]
    return _decimal_texts(values)


def _power_of_ten_text(value: float) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e5 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _decimal_texts(values: Sequence[float]) -> list[str]:
    """As many decimals as distinguish the values; very small or large values are abbreviated."""
    if not values:
        return []
    largest = max(abs(value) for value in values)
    if largest and (largest < 1e-3 or largest >= 1e5):
        return [_abbreviated(value) for value in values]
    step = min((b - a for a, b in pairwise(values)), default=largest or 1.0)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if round(step, decimals) and abs(step - round(step, decimals)) > step * 1e-6:
        decimals += 1
    return [f"{value + 0.0:.{min(decimals, 6)}f}" for value in values]  # adding 0.0 makes -0 positive


def _abbreviated(value: float) -> str:
    if value == 0:
        return "0"
    if 1e5 <= abs(value) < 1e12:
        return numbers.compact_count(value)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def axis_duration(seconds: float) -> str:
    """A time on an axis: 0, 30s, -15m, 1h30m, 2d."""
    if round(seconds) == 0:
        return "0"
    return ("-" if seconds < 0 else "") + duration(abs(seconds))
