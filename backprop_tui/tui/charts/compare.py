"""Content and drawing of the Compare screen: results and options of runs side by side, curves of one metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import is_smoothed
from backprop_tui.domain.metric_series import Extreme, main_loss
from backprop_tui.domain.objective import Objective, direction_for
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.plotting.axes import Axis, Scale, XUnit
from backprop_tui.plotting.track import PlottedSeries, PlottedSeriesCache, y_scale
from backprop_tui.presentation import numbers
from backprop_tui.presentation.compare import (
    NOT_SET,
    ComparedRun,
    ComparisonRow,
    default_metric,
    differing,
    member_names,
    metric_names,
    metric_row,
    metric_rows,
    option_rows,
    outcome_rows,
    ranking_of,
)
from backprop_tui.presentation.curves import X_UNITS, axis_duration
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.tui.charts.chart import Chart, ChartCurve, draw_chart, padded
from backprop_tui.tui.charts.choices import AXIS_WORDS, ChartChoices
from backprop_tui.tui.charts.metric_charts import last_value_text, metric_curves
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import (
    STATE_TOKENS,
    Line,
    LineBuilder,
    Piece,
    Token,
    clip,
    clip_middle,
    heading,
    left,
    width_of,
)

MAX_RUNS = 6
COLOURS = (Token.ACCENT, Token.WARN, Token.VIOLET, Token.OK, Token.BAD, Token.INFO)
LETTERS = "ABCDEF"
_RESULT_METRICS = 4  # each takes a row or two
_LABEL, _LABEL_NARROW = 18, 17
_MIN_CELL = 12
_MIN_CHART_ROWS = 8
_MIN_CURVE_ROWS = 4


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CompareColumn:
    letter: str
    name: str
    token: Token
    state: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CompareView:
    """`same` counts the options that are left out because all runs share them.

    `whole` is the full range of x, `points` has the x of every point, in order.
    """

    columns: tuple[CompareColumn, ...]
    results: tuple[ComparisonRow, ...]
    options: tuple[ComparisonRow, ...]
    same: int
    chart: Chart
    metric: str | None
    metric_names: tuple[str, ...]
    whole: Scale
    points: tuple[float, ...] = ()


def compared_run(known: KnownRun, data: ChartData | None) -> ComparedRun:
    """A run with what was read of it so far; None before it was read."""
    if data is None:
        return ComparedRun(known=known, metrics={})
    return ComparedRun(known=replace(known, run=data.run or known.run), metrics=data.metrics)


def compare_view(
    runs: Sequence[ComparedRun],
    choices: ChartChoices,
    moment: Moment,
    *,
    all_options: bool,
    tracks: PlottedSeriesCache | None = None,
) -> CompareView:
    """The screen; `tracks` keeps the curves that were computed for earlier calls."""
    known = metric_names(runs)
    names = tuple(choices.matching(known))
    metric = choices.metric if choices.metric in names else default_metric(names)
    objective = ranking_of(runs).objective
    overlay = _Overlay.of(runs, metric, choices, tracks or PlottedSeriesCache())
    options = option_rows(runs)
    different = differing(options)
    return CompareView(
        columns=_columns(runs),
        results=(
            *_cursor_row(overlay, metric, choices, len(runs), objective),
            *_results(runs, known, metric, moment, objective),
        ),
        options=tuple(options if all_options else different),
        same=0 if all_options else len(options) - len(different),
        chart=_chart(overlay, metric, choices),
        metric=metric,
        metric_names=names,
        whole=overlay.whole,
        points=tuple(sorted({x for _, track in overlay.tracks for x in track.positions})),
    )


def _columns(runs: Sequence[ComparedRun]) -> tuple[CompareColumn, ...]:
    names = member_names([str(run.record["name"]) for run in runs])
    return tuple(
        CompareColumn(letter=LETTERS[index], name=sanitize(name), token=COLOURS[index], state=run.known.status.value)
        for index, (run, name) in enumerate(zip(runs, names, strict=True))
    )


def _results(
    runs: Sequence[ComparedRun], names: Sequence[str], metric: str | None, moment: Moment, objective: Objective | None
) -> Iterator[ComparisonRow]:
    """The chosen metric, the objective, the loss, other metrics with a better direction, then the outcomes."""
    judged = objective.metric if objective is not None and objective.metric in names else None
    first = [name for name in (metric, judged, main_loss(names)) if name is not None]
    rated = [name for name in names if direction_for(name, objective) is not None]
    for name in list(dict.fromkeys([*first, *rated]))[:_RESULT_METRICS]:
        yield from metric_rows(runs, name, last=name in first, objective=objective)
    yield from outcome_rows(runs, moment)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Overlay:
    """The curves of the metric, each with the index of its run, and the full range of x."""

    tracks: Sequence[tuple[int, PlottedSeries]]
    whole: Scale

    @classmethod
    def of(
        cls, runs: Sequence[ComparedRun], metric: str | None, choices: ChartChoices, tracks: PlottedSeriesCache
    ) -> _Overlay:
        drawn = []
        for index, run in enumerate(runs):
            series = None if metric is None else run.metrics.get(metric)
            if series is not None and series.buckets:
                axis = Axis(attempts=AttemptTimeline.of(run.run), by=choices.by)
                drawn.append((index, tracks.of(series, axis, run_id=run.known.id)))
        return cls(tracks=drawn, whole=Scale(0.0, max([1.0, *(max(track.positions) for _, track in drawn)])))


def _chart(overlay: _Overlay, metric: str | None, choices: ChartChoices) -> Chart:
    if metric is None:
        return Chart(title="curves", empty_text="these runs have no metrics")
    curves: list[ChartCurve] = []
    for index, track in overlay.tracks:
        letter, value = LETTERS[index], last_value_text(track.series)
        shape = ChartCurve(label="", value=value, token=COLOURS[index], letter=letter, pieces=(), ends_in_letter=True)
        curves += metric_curves(track, template=shape, stretches=choices.stretches)[-1:]
    notes = [AXIS_WORDS[choices.by], *(["log scale"] if choices.log else [])]
    notes += ["zoomed"] if choices.window is not None else []
    return Chart(
        title=sanitize(metric),
        note=", ".join(notes),
        curves=tuple(curves),
        x=overlay.whole if choices.window is None else Scale(*choices.window),
        y=y_scale([track for _, track in overlay.tracks], log=choices.log, window=choices.window),
        x_unit=X_UNITS[choices.by],
        cursor=choices.cursor,
        dragged=choices.dragged,
        empty_text="no finite value",
    )


def _cursor_row(
    overlay: _Overlay, metric: str | None, choices: ChartChoices, count: int, objective: Objective | None
) -> Iterator[ComparisonRow]:
    """The value of each curve at the cursor, up to the end of the curve."""
    cursor = choices.cursor
    if cursor is None or metric is None:
        return
    values: list[Extreme | None] = [None] * count
    for index, track in overlay.tracks:
        bucket = track.nearest(cursor)
        if bucket is not None and cursor <= max(track.positions):
            values[index] = Extreme(bucket.last, None)
    where = numbers.count(cursor) if choices.by is XUnit.STEP else axis_duration(cursor)
    direction = None if is_smoothed(metric) else direction_for(metric, objective)
    yield metric_row(metric, f"at {where}", values, direction)


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
        options = _fitting(options, height - len(lines) - 2 - _MIN_CHART_ROWS, glyphs)
    lines += [_options_heading(view, width, glyphs, all_options=all_options), *options]
    top, rows = len(lines), height - len(lines)
    if rows >= _MIN_CURVE_ROWS:
        body = draw_chart(replace(view.chart, title="", note=""), width - 2, rows, glyphs)[1:]
        lines += [_chart_heading(view.chart, width, glyphs), *((Piece(" "), *line) for line in body)]
        return CompareLines(lines=tuple(padded(line, width) for line in lines), chart_top=top, chart_rows=rows)
    return CompareLines(lines=tuple(padded(line, width) for line in (lines if all_options else lines[:height])))


def _fitting(options: list[Line], room: int, glyphs: Glyphs) -> list[Line]:
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
    right: list[Piece] = []
    for key, text in (("m", "metric"), ("x", "axis"), ("i", "zoom"), ("L", "log")):
        right += [Piece(f"{'  ' if right else ''}{key}", Token.ACCENT, bold=True), Piece(f" {text}", Token.MUTED)]
    return heading([(2, left_part), (width - width_of(right) - 3, right)], width, glyphs)


def _columns_at(count: int, width: int) -> tuple[int, list[int], int]:
    """The width of the labels, the column of each run, and the width of its cells."""
    label = _LABEL if width >= 100 else _LABEL_NARROW
    each = max(_MIN_CELL, min(26, (width - label - 1) // max(1, count)))
    return label, [label + 1 + index * each for index in range(count)], each


def _names(columns: Sequence[CompareColumn], width: int, glyphs: Glyphs) -> Line:
    _, starts, each = _columns_at(len(columns), width)
    builder = LineBuilder()
    for start, column in zip(starts, columns, strict=True):
        builder.at(start).put(f"{column.letter} ", column.token, bold=True)
        if glyphs.unicode and each >= 20:
            builder.put(glyphs.bar_full * 2 + " ", column.token)
        builder.put(clip(column.name, max(1, start + each - 1 - builder.column), glyphs), bold=True)
    return builder.line()


def _states(columns: Sequence[CompareColumn], width: int, glyphs: Glyphs) -> Line:
    label, starts, each = _columns_at(len(columns), width)
    builder = LineBuilder().put(left(" state", label, glyphs), Token.MUTED)
    for start, column in zip(starts, columns, strict=True):
        text = clip(f"{glyphs.state(column.state)} {column.state}", each - 3, glyphs)
        builder.at(start + 2).put(text, STATE_TOKENS.get(column.state, Token.FG))
    return builder.line()


def _row(row: ComparisonRow, count: int, width: int, glyphs: Glyphs) -> Line:
    label, starts, each = _columns_at(count, width)
    builder = LineBuilder().put(" " + left(row.label, label - 1, glyphs), Token.MUTED)
    for index, (start, cell) in enumerate(zip(starts, row.cells, strict=True)):
        best = index in row.best
        builder.at(start).put(glyphs.best if best else " ", Token.OK)
        token = Token.OK if best else Token.MUTED if cell in (NOT_SET, numbers.NOTHING) else Token.FG
        shown = cell if len(cell) <= each - 3 else cell.partition(" at ")[0]
        shown = clip_middle(shown, each - 3, glyphs) if "/" in shown else clip(shown, each - 3, glyphs)
        builder.at(start + 2).put(shown, token, bold=best)
    return builder.line()
