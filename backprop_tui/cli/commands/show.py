"""`show`: the curves of a run in the terminal; for a group its runs, the best first, and the curves of the best."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from backprop_tui.cli import curves, diagnostics, output, tables
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve
from backprop_tui.client.run_metrics import encode_extreme, metric_to_compare, read_compared_run
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.metric_series import Extreme, MetricSeries
from backprop_tui.domain.run import Run
from backprop_tui.plotting import plots
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.compare import ComparedRun, best_first, best_value
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.run_line import reason_text
from backprop_tui.store.fields import JsonObject

SUMMARY = "show the curves of a run's metrics in the terminal, or the runs of a group, the best first"

_LINE_WIDTH = 16

_COLUMNS = (
    tables.Column(title="METRIC", least=8, middle=True),
    tables.Column(title="FIRST", right=True),
    tables.Column(title="LAST", right=True),
    tables.Column(title="LEAST", right=True),
    tables.Column(title="MOST", right=True),
    tables.Column(title="BEST AT", right=True),
    tables.Column(title="CURVE"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument(
        "--metric",
        metavar="NAME",
        action="append",
        default=[],
        help="plot this metric; repeatable (the loss); a group is ordered by the first",
    )
    curves.add_curve_options(parser)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    runs = [read_compared_run(session, run_id) for run_id in resolve(session, arguments.run)]
    if len(runs) == 1:
        return _show_run(runs[0], arguments, session)
    metric = metric_to_compare(runs, next(iter(arguments.metric), None))
    ordered = best_first(runs, metric)
    if session.json:
        output.json_value(_group_json(ordered, metric))
        return OK
    show_ranking(ordered, metric)
    output.line()
    return _show_run(ordered[0], arguments, session)


def show_ranking(ordered: Sequence[ComparedRun], metric: str | None) -> None:
    columns = (
        tables.Column(title="", right=True),
        tables.Column(title="ID"),
        tables.Column(title="STATE"),
        tables.Column(title="NAME", least=8, middle=True),
        tables.Column(title=f"{metric or 'METRIC'} BEST", right=True),
        tables.Column(title="AT", right=True),
        tables.Column(title="LAST", right=True),
    )
    tables.show(columns, [_ranked(place, run, metric) for place, run in enumerate(ordered, start=1)])


def _ranked(place: int, run: ComparedRun, metric: str | None) -> tuple[str, ...]:
    best = best_value(run, metric)
    course = None if metric is None else run.metrics.get(metric)
    return (
        tables.NOTHING if best is None else str(place),
        run.record["id"],
        run.known.status.value,
        run.record["name"],
        _value(best),
        numbers.count(None if best is None else best.step),
        _value(None if course is None else course.last),
    )


def _group_json(ordered: Sequence[ComparedRun], metric: str | None) -> JsonObject:
    best = best_value(ordered[0], metric)
    return {
        "metric": metric,
        "best": None if best is None else ordered[0].record["id"],
        "runs": [{"run": run.record["id"], "best": encode_extreme(best_value(run, metric))} for run in ordered],
    }


def _show_run(run: ComparedRun, arguments: argparse.Namespace, session: Session) -> int:
    run_id, courses = run.record["id"], run.metrics
    plotted = _plotted(courses, arguments.metric, run_id)
    if session.json:
        output.json_value({"run": run_id, "metrics": {name: _as_json(course) for name, course in courses.items()}})
        return OK
    output.line(_heading(run.record))
    if not courses:
        diagnostics.say(f"no metrics were found in its output; backprop-tui logs {run_id} shows the output")
        return OK
    options = curves.curve_options(arguments)
    for course in plotted:
        _plot(course, run.run, options)
    output.line()
    tables.show(_COLUMNS, [_row(course, unicode=options.unicode) for course in courses.values()])
    return OK


def _heading(record: JsonObject) -> str:
    run = KnownRun(record=record)
    parts = [run.id, record["name"], run.status.value, durations.elapsed(record["duration_seconds"])]
    return tables.one_line("  ".join(filter(None, [*parts, reason_text(run, Moment.now())])))


def _plotted(courses: Mapping[str, MetricSeries], names: Sequence[str], run_id: str) -> list[MetricSeries]:
    """The metrics that were asked for, else the loss, else the first."""
    for name in names:
        if name not in courses:
            known = f"it has {', '.join(courses)}" if courses else "it has none"
            raise UsageError(f"--metric {name}: run {run_id} has no such metric; {known}")
    loss = main_loss(courses)
    default = [loss] if loss is not None else list(courses)[:1]
    return [courses[name] for name in (list(dict.fromkeys(names)) or default)]


def _plot(course: MetricSeries, run: Run | None, options: curves.CurveOptions) -> None:
    output.line()
    if not course.buckets:
        output.line(f"{course.name}: no finite value")
        return
    output.line(f"{tables.one_line(course.name)}  {_summary(course)}")
    curves.plot([curves.track_of(course, run, options.by)], options)


def _summary(course: MetricSeries) -> str:
    parts = [f"last {_value(course.last)}"]
    if course.best is not None:
        at = "" if course.best.step is None else f" at step {numbers.count(course.best.step)}"
        parts.append(f"best {_value(course.best)}{at}")
    if course.not_finite:
        parts.append(f"{numbers.count(course.not_finite)} not finite")
    return ", ".join(parts)


def _value(extreme: Extreme | None) -> str:
    return tables.NOTHING if extreme is None else numbers.metric(extreme.value)


def _row(course: MetricSeries, *, unicode: bool) -> tuple[str, ...]:
    points = course.drawn()
    best = course.best
    return (
        course.name,
        *(_value(extreme) for extreme in (course.first, course.last, course.least, course.most)),
        numbers.count(None if best is None else best.step),
        plots.sparkline(points, width=_LINE_WIDTH, unicode=unicode) if points else "",
    )


def _as_json(course: MetricSeries) -> JsonObject:
    return {
        "count": course.count,
        "first": encode_extreme(course.first),
        "last": encode_extreme(course.last),
        "least": encode_extreme(course.least),
        "most": encode_extreme(course.most),
        "best": encode_extreme(course.best),
        "points": [list(point) for point in course.drawn()],
    }
