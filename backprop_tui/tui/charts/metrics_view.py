"""The Metrics tab: the chosen metric large, others small, a table of all, and what is to say about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from backprop_tui.domain.metric_names import main_loss, validation_of
from backprop_tui.domain.values import dataclass
from backprop_tui.store.metrics import Bucket, Course
from backprop_tui.tui.charts.chart import Chart, Curve, Unit
from backprop_tui.tui.charts.choices import ChartChoices
from backprop_tui.tui.charts.course_curves import Attempts, Axis, curves_of, shown, x_scale, y_scale
from backprop_tui.tui.charts.facts import checkpoint_fact, pace_fact
from backprop_tui.tui.charts.figures import RunFigures
from backprop_tui.tui.charts.resumed import resume_words
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Moment
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording import numbers
from backprop_tui.tui.wording.glyphs import Glyphs

NOTHING_YET = "No figures yet. Understood: JSON, tqdm, HF, Lightning, Keras"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric; `token` is the colour of its curve in the large chart, None where it has none there."""

    name: str
    last: str
    best: str
    bad: bool
    trend: tuple[float, ...]
    chosen: bool
    token: Token | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsView:
    """`rows` and `facts` stand beside the charts; `large` is the first of the metrics, `small` the others in turn."""

    large: Chart
    small: tuple[Chart, ...]
    rows: tuple[MetricRow, ...]
    facts: tuple[Line, ...]


def chosen_metric(metrics: Mapping[str, Course], choices: ChartChoices) -> str | None:
    """The one that is shown large: what was chosen, else the loss, else the first."""
    if choices.metric in metrics:
        return choices.metric
    return main_loss(metrics) or next(iter(metrics), None)


def metrics_view(
    known: KnownRun, figures: RunFigures, choices: ChartChoices, moment: Moment, glyphs: Glyphs
) -> MetricsView:
    """The tab of one run."""
    metrics = figures.metrics
    name = chosen_metric(metrics, choices)
    beside = None if name is None else validation_of(name, metrics)
    axis = Axis(attempts=Attempts.of(figures.run), by_time=choices.by_time)
    others = [course for other, course in metrics.items() if other not in (name, beside)]
    loss = main_loss(metrics)
    first = (loss, None if loss is None else validation_of(loss, metrics))
    in_order = sorted(metrics.values(), key=lambda course: first.index(course.name) if course.name in first else 2)
    rows = [_row(course, name, beside) for course in in_order]
    return MetricsView(
        large=large_chart(known, figures, choices),
        small=tuple(_small(known, course, axis, choices) for course in others),
        rows=tuple(rows),
        facts=tuple(_facts(known, figures, choices, moment, glyphs)),
    )


def large_chart(known: KnownRun, figures: RunFigures, choices: ChartChoices) -> Chart:
    """The chosen metric, and what it is on data that is not trained on."""
    metrics = figures.metrics
    name = chosen_metric(metrics, choices)
    if name is None:
        return Chart(title="metrics", nothing=figures.problem or NOTHING_YET)
    beside = validation_of(name, metrics)
    axis = Axis(attempts=Attempts.of(figures.run), by_time=choices.by_time)
    courses = [metrics[name], *([] if beside is None else [metrics[beside]])]
    curves = _main_curves(courses, axis, choices)
    return Chart(
        title=neutral(name),
        value="" if len(courses) > 1 else shown(courses[0]),
        note=_note(figures, choices),
        curves=tuple(curves),
        x=x_scale(courses, axis, total=_total(known)),
        y=y_scale(courses, log=choices.log),
        x_unit=Unit.SECONDS if choices.by_time else Unit.STEPS,
        checkpoints=tuple(_checkpoint_places(known, axis)),
        restarts=axis.restarts(courses[0]),
        cursor=choices.cursor,
        nothing="no finite value",
    )


def _main_curves(courses: Sequence[Course], axis: Axis, choices: ChartChoices) -> list[Curve]:
    two = len(courses) > 1
    names = (("train", "t"), ("val", "v")) if two else (("", "*"),)
    found: list[Curve] = []
    for course, (label, letter), token in zip(courses, names, (Token.ACCENT, Token.WARN), strict=False):
        shape = Curve(label=label, value=shown(course), token=token, letter=letter, pieces=(), ends_in_letter=two)
        few = token is Token.WARN  # what is measured now and then needs no smoothing
        found += curves_of(course, axis, shape=shape, stretches=0 if few else choices.stretches)
    return found


def _note(figures: RunFigures, choices: ChartChoices) -> str:
    words = ["by time"] if choices.by_time else []
    words += ["log scale"] if choices.log else []
    words += [] if figures.caught_up else ["reading"]
    return ", ".join(words)


def _total(known: KnownRun) -> float | None:
    total = known.live.total_steps if known.live is not None else known.record.get("total_steps")
    return float(total) if total else None


def _checkpoint_places(known: KnownRun, axis: Axis) -> Iterator[float]:
    saved = known.live.checkpoints if known.live is not None else () if known.run is None else known.run.checkpoints
    for one in saved:
        if axis.by_time:
            yield axis.attempts.elapsed(one.saved_at)
        elif one.step is not None:
            yield float(one.step)


def _small(known: KnownRun, course: Course, axis: Axis, choices: ChartChoices) -> Chart:
    shape = Curve(label="", token=Token.INFO, letter="*", pieces=())
    return Chart(
        title=neutral(course.name),
        value=shown(course),
        curves=tuple(curves_of(course, axis, shape=shape, stretches=choices.stretches)),
        x=x_scale([course], axis, total=_total(known)),
        y=y_scale([course], log=choices.log),
        x_unit=Unit.SECONDS if axis.by_time else Unit.STEPS,
        nothing="no finite value",
    )


def _row(course: Course, name: str | None, beside: str | None) -> MetricRow:
    last = shown(course)
    return MetricRow(
        name=course.name,
        last=last,
        best="" if course.best is None else numbers.metric(course.best.value),
        bad=last.lstrip("-") in ("NaN", "inf"),
        trend=tuple(one.mean for one in course.buckets),
        chosen=course.name == name,
        token=Token.ACCENT if course.name == name else Token.WARN if course.name == beside else None,
    )


def _facts(
    known: KnownRun, figures: RunFigures, choices: ChartChoices, moment: Moment, glyphs: Glyphs
) -> Iterator[Line]:
    """At the cursor; pace; resumes; checkpoints."""
    name = chosen_metric(figures.metrics, choices)
    if name is not None:
        course, attempts = figures.metrics[name], Attempts.of(figures.run)
        beside = validation_of(name, figures.metrics)
        others = [] if beside is None else [figures.metrics[beside]]
        yield _at_cursor([course, *others], Axis(attempts=attempts, by_time=choices.by_time), choices)
        yield pace_fact(known, moment)
        resumed = resume_words(course, attempts)
        if resumed is not None:
            words, jumped = resumed
            yield Piece("resumed ", Token.MUTED), Piece(words, Token.WARN if jumped else Token.FG)
    yield checkpoint_fact(known, moment, glyphs)


def _at_cursor(courses: Sequence[Course], axis: Axis, choices: ChartChoices) -> Line:
    found = [nearest(course, axis, choices.cursor) for course in courses]
    first = found[0]
    if first is None:
        return ()
    values = [
        Piece(f"  {numbers.metric(one.last)}", token)
        for one, token in zip(found, (Token.ACCENT, Token.WARN), strict=False)
        if one is not None
    ]
    words = "newest " if choices.cursor is None else "at cursor "
    return Piece(words, Token.MUTED), Piece(f"step {numbers.count(first.step)}"), *values


def nearest(course: Course, axis: Axis, place: float | None) -> Bucket | None:
    """The bucket nearest to a place on x; None for the newest."""
    if not course.buckets:
        return None
    if place is None:
        return course.buckets[-1]
    return min(reversed(course.buckets), key=lambda one: abs(axis.place(one) - place))


def moved_cursor(figures: RunFigures, choices: ChartChoices, by: int, columns: int) -> float | None:
    """Where the cursor comes when it moves so many of `columns`; None for the newest point."""
    name = chosen_metric(figures.metrics, choices)
    if name is None:
        return None
    axis = Axis(attempts=Attempts.of(figures.run), by_time=choices.by_time)
    places = sorted(axis.place(one) for one in figures.metrics[name].buckets)
    if not places:
        return None
    step = (places[-1] - places[0]) / max(1, columns)
    wanted = (places[-1] if choices.cursor is None else choices.cursor) + by * step
    return None if wanted >= places[-1] else max(places[0], wanted)
