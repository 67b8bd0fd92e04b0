"""Draws the Compare screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.presentation import numbers
from backprop_tui.presentation.compare import NOT_SET, ComparisonRow
from backprop_tui.tui.cells import clip, clip_middle, left
from backprop_tui.tui.charts.chart import Chart
from backprop_tui.tui.charts.compare_view import CompareColumn, CompareView
from backprop_tui.tui.charts.draw import draw_chart, padded
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import LineBuilder, heading, width_of
from backprop_tui.tui.tokens import Line, Piece, Token

_LABEL, _LABEL_NARROW = 18, 17
_LEAST_CELL = 12
_LEAST_CHART_ROWS = 8
_LEAST_CURVE_ROWS = 4


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CompareLines:
    """The lines; the chart, with its heading, takes `chart_rows` of them from `chart_top` on."""

    lines: tuple[Line, ...]
    chart_top: int = 0
    chart_rows: int = 0


def draw_compare(view: CompareView, width: int, height: int, glyphs: Glyphs, *, all_options: bool) -> CompareLines:
    """Results, options, and below them the curves, in `height` lines; all options may take more lines."""
    lines = [_heading(view, width, glyphs), _names(view.columns, width, glyphs), _states(view.columns, width, glyphs)]
    lines += [_row(row, len(view.columns), width, glyphs) for row in view.results]
    options = [_row(row, len(view.columns), width, glyphs) for row in view.options]
    if not all_options:
        options = _fitting(options, height - len(lines) - 2 - _LEAST_CHART_ROWS, glyphs)
    lines += [_options_heading(view, width, glyphs, all_options=all_options), *options]
    top, rows = len(lines), height - len(lines)
    if rows >= _LEAST_CURVE_ROWS:
        body = draw_chart(replace(view.chart, title="", note=""), width - 2, rows, glyphs)[1:]
        lines += [_chart_heading(view.chart, width, glyphs), *((Piece(" "), *line) for line in body)]
        return CompareLines(lines=tuple(padded(line, width) for line in lines), chart_top=top, chart_rows=rows)
    return CompareLines(lines=tuple(padded(line, width) for line in (lines if all_options else lines[:height])))


def _fitting(options: list[Line], room: int, glyphs: Glyphs) -> list[Line]:
    """As many options as fit, and the number of the others."""
    if len(options) <= max(0, room):
        return options
    kept = options[: max(0, room - 1)]
    return [*kept, (Piece(f" {glyphs.clipped} {len(options) - len(kept)} more", Token.MUTED),)]


def _heading(view: CompareView, width: int, glyphs: Glyphs) -> Line:
    parts: list[tuple[int, Sequence[Piece]]] = [
        (2, [Piece(f"Compare {len(view.columns)} runs", Token.ACCENT, bold=True)]),
        (width - 12, [Piece("esc", Token.ACCENT, bold=True), Piece(" back", Token.MUTED)]),
    ]
    return heading(parts, width, glyphs, focused=True)


def _options_heading(view: CompareView, width: int, glyphs: Glyphs, *, all_options: bool) -> Line:
    title = "All options" if all_options else "Options that differ"
    hidden = f"{view.same} equal options hidden  " if view.same else ""
    action = "differing only" if all_options else "show all"
    right = [Piece(hidden, Token.MUTED), Piece("a", Token.ACCENT, bold=True), Piece(f" {action}", Token.MUTED)]
    return heading([(2, [Piece(title, bold=True)]), (width - width_of(right) - 3, right)], width, glyphs)


def _chart_heading(chart: Chart, width: int, glyphs: Glyphs) -> Line:
    left_part = [Piece(chart.title, bold=True), Piece(f" {chart.note}", Token.MUTED)]
    keys = [("m", "metric"), ("x", "axis"), ("i", "zoom"), ("L", "log")]
    right: list[Piece] = []
    for place, (key, word) in enumerate(keys):
        right += [Piece(f"{'  ' if place else ''}{key}", Token.ACCENT, bold=True), Piece(f" {word}", Token.MUTED)]
    return heading([(2, left_part), (width - width_of(right) - 3, right)], width, glyphs)


def _places(count: int, width: int) -> tuple[int, list[int], int]:
    """The width of the labels, the column of each run, and the width of its cells."""
    label = _LABEL if width >= 100 else _LABEL_NARROW
    each = max(_LEAST_CELL, min(26, (width - label - 1) // max(1, count)))
    return label, [label + 1 + place * each for place in range(count)], each


def _names(columns: Sequence[CompareColumn], width: int, glyphs: Glyphs) -> Line:
    _, places, each = _places(len(columns), width)
    builder = LineBuilder()
    for place, column in zip(places, columns, strict=True):
        builder.at(place).put(f"{column.letter} ", column.token, bold=True)
        if glyphs.unicode and each >= 20:
            builder.put(glyphs.bar_full * 2 + " ", column.token)
        builder.put(clip(column.name, max(1, place + each - 1 - builder.column), glyphs), bold=True)
    return builder.line()


def _states(columns: Sequence[CompareColumn], width: int, glyphs: Glyphs) -> Line:
    label, places, each = _places(len(columns), width)
    builder = LineBuilder().put(left(" state", label, glyphs), Token.MUTED)
    for place, column in zip(places, columns, strict=True):
        builder.at(place + 2).put(
            clip(f"{glyphs.state(column.state)} {column.state}", each - 3, glyphs), column.state_token
        )
    return builder.line()


def _row(row: ComparisonRow, count: int, width: int, glyphs: Glyphs) -> Line:
    label, places, each = _places(count, width)
    builder = LineBuilder().put(" " + left(row.label, label - 1, glyphs), Token.MUTED)
    for number, (place, cell) in enumerate(zip(places, row.cells, strict=True)):
        best = number in row.best
        builder.at(place).put(glyphs.best if best else " ", Token.OK)
        token = Token.OK if best else Token.MUTED if cell in (NOT_SET, numbers.NOTHING) else Token.FG
        shown = cell if len(cell) <= each - 3 else cell.partition(" at ")[0]
        shown = clip_middle(shown, each - 3, glyphs) if "/" in shown else clip(shown, each - 3, glyphs)
        builder.at(place + 2).put(shown, token, bold=best)
    return builder.line()
