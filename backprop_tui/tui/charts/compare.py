"""Content and drawing of the Compare screen: results and options of runs side by side, curves of one metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import is_smoothed, main_loss
from backprop_tui.domain.objective import Objective, Ranking, best_words, direction_for
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.plotting.axes import Scale, XUnit
from backprop_tui.presentation import numbers
from backprop_tui.presentation.compare import (
    ComparedRun,
    ComparisonRow,
    default_metric,
    difference_row,
    differing,
    mean_row,
    member_names,
    metric_names,
    metric_row,
    metric_rows,
    option_rows,
    outcome_rows,
    ranking_of,
    uneven_text,
)
from backprop_tui.presentation.curves import axis_duration
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.objective import best_of
from backprop_tui.presentation.states import status_word
from backprop_tui.store.option_table import NOT_SET
from backprop_tui.tui.charts.chart import Chart, draw_chart, padded
from backprop_tui.tui.charts.choices import ChartChoices
from backprop_tui.tui.charts.overlay import OverlaidRun, Overlay, OverlayCache, category_token, letter_of, overlay_of
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
    hint,
    left,
    pressing,
    width_of,
    wrapped,
)

_T = TypeVar("_T")
_RESULT_METRICS = 4  # each takes a row or two
_LABEL, _LABEL_NARROW, _LABEL_WIDE = 20, 17, 26  # the last if the columns leave room for it
_MIN_CELL, _MAX_CELL = 15, 26  # a mean with its deviation fits; only longer texts get more
_LONG_MEAN_CELL = 17  # the same with four digits
_MIN_CHART_ROWS = 8
_MIN_OPTION_ROWS = 3  # before the chart takes the rest
_MIN_CURVE_ROWS = 4


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CompareColumn:
    letter: str
    name: str
    token: Token
    state: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CompareView:
    """The first column is the baseline. `same` counts the options that are left out because all runs share them.

    `best` is the index of the best run, None if there is none; `best_text` says which it is and by what, or why not.
    `whole` is the full range of x, `points` has the x of the points, in order.
    """

    columns: tuple[CompareColumn, ...]
    results: tuple[ComparisonRow, ...]
    options: tuple[ComparisonRow, ...]
    same: int
    best: int | None
    best_text: str
    chart: Chart
    metric: str | None
    metric_names: tuple[str, ...]
    whole: Scale
    points: tuple[float, ...] = ()


def compared_run(known: KnownRun, data: ChartData | None) -> ComparedRun:
    """A run with what was read of it so far; None before it was read."""
    if data is None:
        return ComparedRun(known=known, metrics={}, is_read=False)
    known = replace(known, run=data.run or known.run)
    return ComparedRun(known=known, metrics=data.metrics, is_read=data.caught_up)


def compare_view(
    runs: Sequence[ComparedRun],
    choices: ChartChoices,
    moment: Moment,
    *,
    all_options: bool,
    shown: Sequence[int] | None = None,
    cache: CompareCache | None = None,
) -> CompareView:
    """The screen, with the curves of the columns that are `shown`, None for all; `cache` keeps what was computed."""
    known = metric_names(runs)
    names = tuple(choices.matching(known))
    cache = cache or CompareCache()
    ranking = cache.keep(runs, "ranking", lambda: ranking_of(runs))
    judged = None if ranking.objective is None else ranking.objective.metric
    metric = next((name for name in (choices.metric, judged) if name in names), None) or default_metric(names)
    columns = _columns(runs)
    drawn = range(len(runs)) if shown is None else shown
    overlay = overlay_of([_overlaid(runs, columns, index) for index in drawn], metric, choices, cache.overlay)
    rows = cache.keep(runs, f"rows {metric}", lambda: _rows(runs, known, metric, moment, ranking.objective))
    results = list(rows.results)
    if choices.cursor is not None and metric is not None:
        results[0] = _cursor_row(overlay, metric, choices, len(runs), ranking.objective)
    options = rows.options if all_options else differing(rows.options)
    best, best_text = _best(runs, ranking)
    return CompareView(
        columns=columns,
        results=tuple(results),
        options=tuple(options),
        same=len(rows.options) - len(options),
        best=best,
        best_text=best_text,
        chart=overlay.chart,
        metric=metric,
        metric_names=names,
        whole=overlay.whole,
        points=overlay.points,
    )


def _best(runs: Sequence[ComparedRun], ranking: Ranking) -> tuple[int | None, str]:
    """The index of the best run with what it is the best by; None with the reason if no run is."""
    best = best_of(ranking)
    if best is None:
        return None, f"no best: {sanitize(str(ranking.problem))}"
    index = [run.known.id for run in runs].index(best.run_id)
    uneven = uneven_text(runs, ranking).partition(" (")[0]
    smoothed = best.words.removesuffix("best")
    text = f"best {letter_of(index)}, {smoothed}{best.metric} {best.value}"
    return index, text + (f", {uneven}" if uneven else "")


def _overlaid(runs: Sequence[ComparedRun], columns: Sequence[CompareColumn], index: int) -> OverlaidRun:
    column = columns[index]
    return OverlaidRun(compared=runs[index], token=column.token, letter=column.letter, column=index)


def _columns(runs: Sequence[ComparedRun]) -> tuple[CompareColumn, ...]:
    names = member_names([run.known.label for run in runs])
    return tuple(
        CompareColumn(
            letter=letter_of(index), name=sanitize(name), token=category_token(index), state=str(run.record["status"])
        )
        for index, (run, name) in enumerate(zip(runs, names, strict=True))
    )


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    results: tuple[ComparisonRow, ...]
    options: Sequence[ComparisonRow]


class CompareCache:
    """Keeps the curves, and what else was computed of the runs as long as none has changed."""

    def __init__(self) -> None:
        self.overlay = OverlayCache()
        self._runs: Sequence[ComparedRun] = ()
        self._kept: dict[str, Any] = {}

    def keep(self, runs: Sequence[ComparedRun], key: str, compute: Callable[[], _T]) -> _T:
        is_same = len(runs) == len(self._runs) and all(
            new.record is old.record and new.metrics is old.metrics for new, old in zip(runs, self._runs, strict=True)
        )
        if not is_same:
            self._runs, self._kept = runs, {}
        if key not in self._kept:
            self._kept[key] = compute()
        return cast("_T", self._kept[key])


def _rows(
    runs: Sequence[ComparedRun], names: Sequence[str], metric: str | None, moment: Moment, objective: Objective | None
) -> _Rows:
    results = tuple(_results(runs, names, metric, moment, objective))
    return _Rows(results=results, options=option_rows(runs))


def _results(
    runs: Sequence[ComparedRun], names: Sequence[str], metric: str | None, moment: Moment, objective: Objective | None
) -> Iterator[ComparisonRow]:
    """The chosen metric, the objective, the loss, other metrics with a better direction, then the outcomes.

    The first row has the last values of the chosen metric: those at the cursor take their place, so that no row moves.
    """
    judged = objective.metric if objective is not None and objective.metric in names else None
    first = [name for name in (metric, judged, main_loss(names)) if name is not None]
    rated = [name for name in names if direction_for(name, objective) is not None]
    for name in list(dict.fromkeys([*first, *rated]))[:_RESULT_METRICS]:
        yield from metric_rows(runs, name, last=name in first, objective=objective)
        if name == (judged or metric):
            yield from _against_the_baseline(runs, name, objective)
    yield from outcome_rows(runs, moment)


def _against_the_baseline(
    runs: Sequence[ComparedRun], metric: str, objective: Objective | None
) -> Iterator[ComparisonRow]:
    """The differences of the best values to that of the first run, and the means over seeds.

    If no run has a best value, the last ones are compared; a best value and a last one never are.
    """
    direction = direction_for(metric, objective)
    values, kind = [run.best_of(metric, direction) for run in runs], best_words(metric)
    if not any(values):
        values, kind = [run.last_of(metric) for run in runs], "last"
    finite = [None if value is None or not math.isfinite(value.value) else value.value for value in values]
    yield from filter(None, (difference_row(kind, finite, letter_of(0)), mean_row(runs, metric)))


def _cursor_row(
    overlay: Overlay, metric: str, choices: ChartChoices, count: int, objective: Objective | None
) -> ComparisonRow:
    """The value of each curve at the cursor, up to the end of the curve."""
    cursor = 0.0 if choices.cursor is None else choices.cursor
    values: list[Extreme | None] = [None] * count
    for run, track in overlay.tracks:
        bucket = track.nearest(cursor)
        if bucket is not None and cursor <= max(track.positions):
            values[run.column] = Extreme(bucket.last, None)
    where = numbers.count(cursor) if choices.by is XUnit.STEP else axis_duration(cursor)
    direction = None if is_smoothed(metric) else direction_for(metric, objective)
    return metric_row(metric, f"at {where}", values, direction)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CompareLines:
    """The lines; the chart, with its heading, takes `chart_rows` of them from `chart_top` on.

    `shown` are the indices of the columns that fit beside each other.
    """

    lines: tuple[Line, ...]
    shown: tuple[int, ...]
    chart_top: int = 0
    chart_rows: int = 0


def shown_columns(count: int, width: int, first: int) -> tuple[int, ...]:
    """The indices of the columns that fit beside each other, scrolled to `first`."""
    return _Grid(count, width, first).shown


class _Grid:
    """Where the labels and the columns are: the baseline stays, the others are scrolled to `first`."""

    def __init__(self, count: int, width: int, first: int, most: int = _MAX_CELL, longest: int = 0) -> None:
        self.width = width
        least = _LABEL if width >= 100 else _LABEL_NARROW
        self.label = max(least, min(max(_LABEL_WIDE, longest + 2), width - 1 - count * _LONG_MEAN_CELL))
        fitting = max(1, (width - self.label - 1) // _MIN_CELL)
        self.cell = max(1, min(most, (width - self.label - 1) // max(1, min(count, fitting))))
        self.room = self.cell - 3  # a mark before the text, a blank after it
        start = max(1, min(first, count - fitting + 1))
        self.shown = tuple(range(count)) if count <= fitting else (0, *range(start, start + fitting - 1))
        self.starts = [self.label + 1 + place * self.cell for place in range(len(self.shown))]


def draw_compare(
    view: CompareView, width: int, height: int, glyphs: Glyphs, *, all_options: bool, first: int = 1
) -> CompareLines:
    """Results, options, and below them the curves, in `height` lines; all options may take more lines.

    If not all columns fit, those from `first` on are shown beside that of the baseline.
    """
    table = (*view.results, *view.options)
    longest = max((len(cell) for row in table for cell in row.cells), default=0)
    label = max((len(row.label) for row in table), default=0)
    grid = _Grid(len(view.columns), width, first, max(_MAX_CELL, longest + 3), label)
    lines = [_heading(view, grid, glyphs), *_names(view.columns, grid, glyphs), _states(view.columns, grid, glyphs)]
    lines += [line for row in view.results for line in _result(row, grid, glyphs)]
    options = [_row(row, grid, glyphs) for row in view.options]
    if not all_options:
        room = max(_MIN_OPTION_ROWS, height - len(lines) - 2 - _MIN_CHART_ROWS)
        rest = height - len(lines) - 1
        options = _fitting(options, room if rest - room >= _MIN_CURVE_ROWS else rest, glyphs)
    lines += [_options_heading(view, width, glyphs, all_options=all_options), *options]
    top, rows = len(lines), height - len(lines)
    if rows >= _MIN_CURVE_ROWS:
        body = draw_chart(replace(view.chart, title="", note="", warning=""), width - 2, rows, glyphs)[1:]
        lines += [_chart_heading(view.chart, width, glyphs), *((Piece(" "), *line) for line in body)]
        shown = tuple(padded(line, width) for line in lines)
        return CompareLines(lines=shown, shown=grid.shown, chart_top=top, chart_rows=rows)
    kept = lines if all_options else lines[:height]
    return CompareLines(lines=tuple(padded(line, width) for line in kept), shown=grid.shown)


def _fitting(options: list[Line], room: int, glyphs: Glyphs) -> list[Line]:
    if len(options) <= room:
        return options
    kept = options[: max(0, room - 1)]
    return [*kept, (Piece(f" {glyphs.clipped} {len(options) - len(kept)} more", Token.MUTED),)]


def _heading(view: CompareView, grid: _Grid, glyphs: Glyphs) -> Line:
    count = len(view.columns)
    title = [Piece(f"Compare {count} runs", Token.ACCENT, bold=True)]
    if len(grid.shown) < count:
        letters = [view.columns[index].letter for index in (0, grid.shown[-1])]
        if len(grid.shown) > 2:
            letters = [letters[0], f"{view.columns[grid.shown[1]].letter}-{letters[1]}"]
        title += [
            Piece(f"  {' '.join(letters)}"),
            Piece("  "),
            Piece("[", Token.ACCENT, bold=True, click=pressing("[")),
            Piece(" "),
            *hint("]", "more"),
        ]
    right = [Piece(view.best_text, Token.OK if view.best is not None else Token.WARN)]
    right += hint("esc", "back", before="  ")
    start = grid.width - width_of(right) - 2
    if start < width_of(title) + 6:
        right, start = right[2:], grid.width - 12
    return heading([(2, title), (start, right)], grid.width, glyphs, focused=True)


def _options_heading(view: CompareView, width: int, glyphs: Glyphs, *, all_options: bool) -> Line:
    title = "All options" if all_options else "Options that differ"
    hidden = f"{view.same} equal options hidden  " if view.same else ""
    action = "differing only" if all_options else "show all"
    right = [Piece(hidden, Token.MUTED), *hint("a", action)]
    return heading([(2, [Piece(title, bold=True)]), (width - width_of(right) - 3, right)], width, glyphs)


def _chart_heading(chart: Chart, width: int, glyphs: Glyphs) -> Line:
    warning = [Piece(f" ! {chart.warning}", Token.WARN)] if chart.warning else []
    left_part = [Piece(chart.title, bold=True), *warning, Piece(f" {chart.note}", Token.MUTED)]
    right: list[Piece] = []
    for key, text in (("m", "metric"), ("x", "axis"), ("i", "zoom"), ("L", "log")):
        right += hint(key, text, before="  " if right else "")
    return heading([(2, left_part), (width - width_of(right) - 3, right)], width, glyphs)


def _names(columns: Sequence[CompareColumn], grid: _Grid, glyphs: Glyphs) -> list[Line]:
    """The letters and names, in two lines if a name has too many words for one."""
    room = grid.room
    texts = {index: wrapped(columns[index].name, room) for index in grid.shown}
    first, second = LineBuilder(), LineBuilder()
    for start, index in zip(grid.starts, grid.shown, strict=True):
        rest = " ".join(row.strip() for row in texts[index][1:])
        first.at(start).put(f"{columns[index].letter} ", columns[index].token, bold=True)
        first.put(clip_middle(texts[index][0], room, glyphs), bold=True)
        second.at(start + 2).put(clip_middle(rest, room, glyphs) if rest else "", bold=True)
    first.at(grid.width)
    return [first.line(), second.line()] if any(len(rows) > 1 for rows in texts.values()) else [first.line()]


def _states(columns: Sequence[CompareColumn], grid: _Grid, glyphs: Glyphs) -> Line:
    builder = LineBuilder().put(left(" state", grid.label, glyphs), Token.MUTED)
    for start, index in zip(grid.starts, grid.shown, strict=True):
        state = columns[index].state
        text = clip(f"{glyphs.state(state)} {status_word(state)}", grid.room, glyphs)
        builder.at(start + 2).put(text, STATE_TOKENS.get(state, Token.FG))
    return builder.line()


def _result(row: ComparisonRow, grid: _Grid, glyphs: Glyphs) -> Iterator[Line]:
    """The values; below them their steps if there is no room beside."""
    yield _row(row, grid, glyphs)
    steps = [cell.partition(" at ")[2] for cell in row.cells]
    if any(step and len(cell) > grid.room for step, cell in zip(steps, row.cells, strict=True)):
        cells = tuple(step and f"at {step}" for step in steps)
        yield _row(ComparisonRow(label="", cells=cells), grid, glyphs)


def _row(row: ComparisonRow, grid: _Grid, glyphs: Glyphs) -> Line:
    label = clip_middle(row.label, grid.label - 2, glyphs)  # the kind of value is at its end
    builder = LineBuilder().put(" " + left(label, grid.label - 1, glyphs), Token.MUTED)
    for start, index in zip(grid.starts, grid.shown, strict=True):
        cell, best = row.cells[index], index in row.best
        builder.at(start).put(glyphs.best if best else " ", Token.OK)
        token = Token.OK if best else Token.MUTED if cell in (NOT_SET, numbers.NOTHING) else Token.FG
        shown = cell if len(cell) <= grid.room else cell.partition(" at ")[0].partition(" ±")[0]
        shown = clip_middle(shown, grid.room, glyphs) if "/" in shown else clip(shown, grid.room, glyphs)
        builder.at(start + 2).put(shown, token, bold=best)
    return builder.line()
