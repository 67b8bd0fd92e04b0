"""The Resources tab as lines: four charts in two rows, two in one, or figures alone, as there is room."""

from __future__ import annotations

from backprop_tui.tui.charts.chart import Chart
from backprop_tui.tui.charts.draw import draw_chart, filled
from backprop_tui.tui.charts.metrics_tab import side_by_side
from backprop_tui.tui.charts.resources_view import ResourcesView
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import LineBuilder
from backprop_tui.tui.tokens import Line, Piece, Token

_LEAST_WIDTH, _LEAST_ROWS = 34, 6  # of a chart


def draw_resources(view: ResourcesView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines."""
    last = [_last(view, width)] if height > 2 else []
    room = height - len(last)
    across = max(1, min(2, (width - 1) // _LEAST_WIDTH, len(view.charts)))
    if room // -(-len(view.charts) // across) < _LEAST_ROWS:  # then side by side as many as fit
        across = max(1, min(len(view.charts), (width - 1) // _LEAST_WIDTH))
    down = max(1, min(-(-len(view.charts) // across), room // _LEAST_ROWS))
    if room < _LEAST_ROWS - 1:
        figures = [_figures(one, width) for one in view.charts[:room]]
        return [*figures, *([()] * (room - len(figures))), *last]
    each = (width - 1) // across
    lines: list[Line] = []
    for row in range(down):
        shown = view.charts[row * across : (row + 1) * across]
        rows = room // down + (1 if row < room % down else 0)
        blocks = [draw_chart(one, each - 3, rows, glyphs) for one in shown]
        lines += side_by_side(blocks, [place * each for place in range(len(shown))], width, glyphs)
    return [*lines, *last]


def _figures(chart: Chart, width: int) -> Line:
    built = LineBuilder().put(f" {chart.title:<18}"[:width], Token.MUTED)
    if built.column + len(chart.value) <= width:
        built.put(chart.value or "-", bold=True)
    for curve in chart.curves:
        if curve.label and built.column + len(curve.label) + len(curve.value) + 4 <= width:
            built.put(f"   {curve.label} ", Token.MUTED).put(curve.value)
    return filled(built.line(), width)


def _last(view: ResourcesView, width: int) -> Line:
    if view.processes is None:
        return filled((Piece(" nothing was sampled yet", Token.MUTED),), width)
    count = "its one process" if view.processes == 1 else f"all of this run's {view.processes} processes"
    built = LineBuilder().put(f" {count}   ", Token.MUTED).put("x", Token.ACCENT, bold=True)
    return filled(built.put(f" range {view.range_words}", Token.MUTED).line(), width)
