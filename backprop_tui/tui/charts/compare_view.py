"""The Compare screen: results and options of up to six runs side by side, and their curves in one chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import Extreme, less_is_better, main_loss
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.plotting.axes import Axis, Scale, XUnit
from backprop_tui.plotting.track import PlottedSeries, PlottedSeriesCache, y_scale
from backprop_tui.presentation import numbers
from backprop_tui.presentation.compare import (
    ComparedRun,
    ComparisonRow,
    differing,
    member_names,
    metric_names,
    metric_row,
    metric_rows,
    metric_to_compare,
    option_rows,
    outcome_rows,
)
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.tui.charts.chart import Chart, ChartCurve
from backprop_tui.tui.charts.choices import AXIS_WORDS, ChartChoices
from backprop_tui.tui.charts.draw import axis_duration
from backprop_tui.tui.charts.metric_charts import X_UNITS, last_value_text, metric_curves
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.tokens import STATE_TOKENS, Token

MOST_RUNS = 6
COLOURS = (Token.ACCENT, Token.WARN, Token.VIOLET, Token.OK, Token.BAD, Token.INFO)
LETTERS = "ABCDEF"
_RESULT_METRICS = 4  # each takes a row or two


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CompareColumn:
    """The heading of a run."""

    letter: str
    name: str
    token: Token
    state: str

    @property
    def state_token(self) -> Token:
        return STATE_TOKENS.get(self.state, Token.FG)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CompareView:
    """`same` counts the options that are left out because all runs share them.

    `whole` is the full range of x, `places` has the x of every point, in order.
    """

    columns: tuple[CompareColumn, ...]
    results: tuple[ComparisonRow, ...]
    options: tuple[ComparisonRow, ...]
    same: int
    chart: Chart
    metric: str | None
    metric_names: tuple[str, ...]
    whole: Scale
    places: tuple[float, ...] = ()


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
    metric = choices.metric if choices.metric in names else metric_to_compare(names)
    overlay = _Overlay.of(runs, metric, choices, tracks or PlottedSeriesCache())
    options = option_rows(runs)
    different = differing(options)
    return CompareView(
        columns=_columns(runs),
        results=(*_cursor_row(overlay, metric, choices, len(runs)), *_results(runs, known, metric, moment)),
        options=tuple(options if all_options else different),
        same=0 if all_options else len(options) - len(different),
        chart=_chart(overlay, metric, choices),
        metric=metric,
        metric_names=names,
        whole=overlay.whole,
        places=tuple(sorted({place for _, track in overlay.tracks for place in track.positions})),
    )


def _columns(runs: Sequence[ComparedRun]) -> tuple[CompareColumn, ...]:
    names = member_names([str(run.record["name"]) for run in runs])
    return tuple(
        CompareColumn(letter=LETTERS[place], name=sanitize(name), token=COLOURS[place], state=run.known.status.value)
        for place, (run, name) in enumerate(zip(runs, names, strict=True))
    )


def _results(
    runs: Sequence[ComparedRun], names: Sequence[str], metric: str | None, moment: Moment
) -> Iterator[ComparisonRow]:
    """The chosen metric, the loss, other metrics with a better direction, then the outcomes."""
    first = [name for name in (metric, main_loss(names)) if name is not None]
    rated = [name for name in names if less_is_better(name) is not None]
    for name in list(dict.fromkeys([*first, *rated]))[:_RESULT_METRICS]:
        yield from metric_rows(runs, name, last=name in first)
    yield from outcome_rows(runs, moment)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Overlay:
    """The curves of the metric, each with the place of its run, and the full range of x."""

    tracks: Sequence[tuple[int, PlottedSeries]]
    whole: Scale

    @classmethod
    def of(
        cls, runs: Sequence[ComparedRun], metric: str | None, choices: ChartChoices, tracks: PlottedSeriesCache
    ) -> _Overlay:
        drawn = []
        for place, run in enumerate(runs):
            course = None if metric is None else run.metrics.get(metric)
            if course is not None and course.buckets:
                axis = Axis(attempts=AttemptTimeline.of(run.run), by=choices.by)
                drawn.append((place, tracks.of(course, axis, run_id=run.known.id)))
        return cls(tracks=drawn, whole=Scale(0.0, max([1.0, *(max(track.positions) for _, track in drawn)])))


def _chart(overlay: _Overlay, metric: str | None, choices: ChartChoices) -> Chart:
    if metric is None:
        return Chart(title="curves", empty_text="these runs have no metrics")
    curves: list[ChartCurve] = []
    for place, track in overlay.tracks:
        letter, value = LETTERS[place], last_value_text(track.series)
        shape = ChartCurve(label="", value=value, token=COLOURS[place], letter=letter, pieces=(), ends_in_letter=True)
        curves += metric_curves(track, template=shape, stretches=choices.stretches)[-1:]
    words = [AXIS_WORDS[choices.by], *(["log scale"] if choices.log else [])]
    words += ["zoomed"] if choices.window is not None else []
    return Chart(
        title=sanitize(metric),
        note=", ".join(words),
        curves=tuple(curves),
        x=overlay.whole if choices.window is None else Scale(*choices.window),
        y=y_scale([track for _, track in overlay.tracks], log=choices.log, window=choices.window),
        x_unit=X_UNITS[choices.by],
        cursor=choices.cursor,
        dragged=choices.dragged,
        empty_text="no finite value",
    )


def _cursor_row(overlay: _Overlay, metric: str | None, choices: ChartChoices, count: int) -> Iterator[ComparisonRow]:
    """The value of each curve at the cursor, up to the end of the curve."""
    place = choices.cursor
    if place is None or metric is None:
        return
    values: list[Extreme | None] = [None] * count
    for number, track in overlay.tracks:
        bucket = track.nearest(place)
        if bucket is not None and place <= max(track.positions):
            values[number] = Extreme(bucket.last, None)
    where = numbers.count(place) if choices.by is XUnit.STEP else axis_duration(place)
    yield metric_row(metric, f"at {where}", values)
