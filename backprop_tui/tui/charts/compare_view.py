"""Runs laid side by side: how they went, what was asked of them, and their curves in one chart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.course import Course, Extreme
from backprop_tui.domain.metric_names import less_is_better, main_loss
from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.axis import Axis
from backprop_tui.plotting.by import By
from backprop_tui.plotting.scale import Scale
from backprop_tui.plotting.track import Track, Tracks, y_scale
from backprop_tui.store.option_table import options_of
from backprop_tui.tui.charts.chart import Chart, ChartCurve
from backprop_tui.tui.charts.choices import AXIS_WORDS, ChartChoices
from backprop_tui.tui.charts.draw import axis_duration
from backprop_tui.tui.charts.metric_charts import X_UNITS, last_value_text, metric_curves
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Moment
from backprop_tui.tui.view.groups import member_names
from backprop_tui.tui.view.run_row import running_seconds
from backprop_tui.tui.view.states import TOKENS, word_of
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import durations, numbers

MOST_RUNS = 6
COLOURS = (Token.ACCENT, Token.WARN, Token.VIOLET, Token.OK, Token.BAD, Token.INFO)
LETTERS = "ABCDEF"
NOT_SET = "not set"
_RESULT_METRICS = 4  # with a row or two each


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A run and what was read of it; `figures` None until that was done."""

    known: KnownRun
    figures: ChartData | None

    @property
    def run(self) -> Run | None:
        """Its record, where it could be read."""
        return self.figures.run if self.figures is not None and self.figures.run is not None else self.known.run

    @property
    def metrics(self) -> Mapping[str, Course]:
        """Its metrics."""
        return self.figures.metrics if self.figures is not None else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The heading of a run."""

    letter: str
    name: str
    token: Token
    word: str
    word_token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A cell for each run; `best` are those that are no worse than any other, where that can be told."""

    label: str
    cells: tuple[str, ...]
    best: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareView:
    """`same` counts the options that are left out because all runs have them alike; `whole` is all of x."""

    columns: tuple[Column, ...]
    results: tuple[Row, ...]
    options: tuple[Row, ...]
    same: int
    chart: Chart
    metric: str | None
    metric_names: tuple[str, ...]
    whole: Scale
    places: tuple[float, ...] = ()  # where points lie on x, in order


def compare_view(
    runs: Sequence[Compared],
    choices: ChartChoices,
    moment: Moment,
    *,
    all_options: bool,
    tracks: Tracks | None = None,
) -> CompareView:
    """The screen of up to six runs; `tracks` are kept from paint to paint."""
    known = tuple(dict.fromkeys(name for one in runs for name in one.metrics))
    names = tuple(choices.matching(known))
    metric = choices.metric if choices.metric in names else main_loss(names) or next(iter(names), None)
    overlay = _Overlay.of(runs, metric, choices, tracks or Tracks())
    options = _options(runs)
    different = tuple(row for row in options if len(set(row.cells)) > 1)
    return CompareView(
        columns=_columns(runs),
        results=(*_at_cursor(overlay, metric, choices, len(runs)), *_results(runs, known, metric, moment)),
        options=tuple(options) if all_options else different,
        same=0 if all_options else len(options) - len(different),
        chart=_chart(overlay, metric, choices),
        metric=metric,
        metric_names=names,
        whole=overlay.whole,
        places=tuple(sorted({place for _, track in overlay.tracks for place in track.places})),
    )


def _columns(runs: Sequence[Compared]) -> tuple[Column, ...]:
    """Named by what tells them apart."""
    names = member_names([str(one.known.record["name"]) for one in runs])
    return tuple(_column(place, one.known, name) for place, (one, name) in enumerate(zip(runs, names, strict=True)))


def _column(place: int, known: KnownRun, name: str) -> Column:
    word = word_of(known)
    return Column(
        letter=LETTERS[place],
        name=neutral(name),
        token=COLOURS[place],
        word=word,
        word_token=TOKENS.get(word, Token.FG),
    )


def _results(runs: Sequence[Compared], names: Sequence[str], metric: str | None, moment: Moment) -> Iterator[Row]:
    """The chosen metric first, then the loss and other scores."""
    loss = main_loss(names)
    scored = [name for name in names if less_is_better(name) is not None]
    first = [one for one in (metric, loss) if one is not None]
    for name in list(dict.fromkeys([*first, *scored]))[:_RESULT_METRICS]:
        courses = [one.metrics.get(name) for one in runs]
        if name in first or less_is_better(name) is None:
            yield _metric_row(name, "last", [None if one is None else one.last for one in courses], at=False)
        if less_is_better(name) is not None:
            yield _metric_row(name, "best", [None if one is None else one.best for one in courses], at=True)
    yield Row(label="step", cells=tuple(_step(one.known) for one in runs))
    yield Row(label="time running", cells=tuple(_running(one, moment) for one in runs))
    peaks = [None if one.run is None else one.run.peak.vram_bytes for one in runs]
    if any(peaks):
        yield Row(label="peak VRAM", cells=tuple(numbers.size(peak) for peak in peaks))


def _metric_row(name: str, which: str, extremes: Sequence[Extreme | None], *, at: bool) -> Row:
    finite = {place: one.value for place, one in enumerate(extremes) if one is not None and math.isfinite(one.value)}
    best: frozenset[int] = frozenset()
    less = less_is_better(name)
    if less is not None and len(set(finite.values())) > 1:
        winner = min(finite.values()) if less else max(finite.values())
        best = frozenset(place for place, value in finite.items() if value == winner)
    return Row(label=f"{neutral(name)} ({which})", cells=tuple(_value(one, at=at) for one in extremes), best=best)


def _value(extreme: Extreme | None, *, at: bool) -> str:
    if extreme is None:
        return numbers.NOTHING
    where = f" at {numbers.count(extreme.step)}" if at and extreme.step is not None else ""
    return numbers.metric(extreme.value) + where


def _step(known: KnownRun) -> str:
    live = known.live
    if live is not None:
        return numbers.steps(live.step, live.total_steps)
    return numbers.steps(known.record.get("step"), known.record.get("total_steps"))


def _running(one: Compared, moment: Moment) -> str:
    if one.known.live is not None:
        return durations.length(running_seconds(one.known.live, moment))
    return durations.length(one.known.record.get("duration_seconds"))


def _options(runs: Sequence[Compared]) -> list[Row]:
    asked = [options_of(one.known.record, one.run) for one in runs]
    names = dict.fromkeys(name for one in asked for name in one)
    return [Row(label=neutral(name), cells=tuple(neutral(one.get(name, NOT_SET)) for one in asked)) for name in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Overlay:
    """The metric of each run that has it, with the place of the run."""

    tracks: Sequence[tuple[int, Track]]
    whole: Scale

    @classmethod
    def of(cls, runs: Sequence[Compared], metric: str | None, choices: ChartChoices, tracks: Tracks) -> _Overlay:
        found = []
        for place, one in enumerate(runs):
            course = None if metric is None else one.metrics.get(metric)
            if course is not None and course.buckets:
                axis = Axis(attempts=Attempts.of(one.run), by=choices.by)
                found.append((place, tracks.of(course, axis, run_id=one.known.id)))
        return cls(tracks=found, whole=Scale(0.0, max([1.0, *(max(track.places) for _, track in found)])))


def _chart(overlay: _Overlay, metric: str | None, choices: ChartChoices) -> Chart:
    if metric is None:
        return Chart(title="curves", empty_text="no figures are known of these runs")
    curves: list[ChartCurve] = []
    for place, track in overlay.tracks:
        letter, value = LETTERS[place], last_value_text(track.course)
        shape = ChartCurve(label="", value=value, token=COLOURS[place], letter=letter, pieces=(), ends_in_letter=True)
        curves += metric_curves(track, template=shape, stretches=choices.stretches)[-1:]
    words = [AXIS_WORDS[choices.by], *(["log scale"] if choices.log else [])]
    words += ["zoomed"] if choices.window is not None else []
    return Chart(
        title=neutral(metric),
        note=", ".join(words),
        curves=tuple(curves),
        x=overlay.whole if choices.window is None else Scale(*choices.window),
        y=y_scale([track for _, track in overlay.tracks], log=choices.log, window=choices.window),
        x_unit=X_UNITS[choices.by],
        cursor=choices.cursor,
        dragged=choices.dragged,
        empty_text="no finite value",
    )


def _at_cursor(overlay: _Overlay, metric: str | None, choices: ChartChoices, count: int) -> Iterator[Row]:
    """What each curve is where the cursor stands, while it is not behind its end."""
    place = choices.cursor
    if place is None or metric is None:
        return
    values: list[Extreme | None] = [None] * count
    for number, track in overlay.tracks:
        found = track.nearest(place)
        if found is not None and place <= max(track.places):
            values[number] = Extreme(found.last, None)
    where = numbers.count(place) if choices.by is By.STEP else axis_duration(place)
    yield _metric_row(metric, f"at {where}", values, at=False)
