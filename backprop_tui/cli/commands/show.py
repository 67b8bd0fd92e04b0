"""`show`: the curves of a run in the terminal; of a group its runs, the best first, and the curves of the best."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence

from backprop_tui.cli import curves, diagnostics, figures, output, rows, tables
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.measured import Measured, best_first, best_value, encoded, measured, metric_to_compare
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve
from backprop_tui.domain.course import Course, Extreme
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.run import Run
from backprop_tui.plotting import plain
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
    """RUN, which metrics, how."""
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument(
        "--metric",
        metavar="NAME",
        action="append",
        default=[],
        help="plot this one; repeatable (the loss); a group is ordered by the first",
    )
    curves.add_curve_options(parser)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    """Prints what kind of curves there are, then the plots."""
    found = [measured(session, run_id) for run_id in resolve(session, arguments.run)]
    if len(found) == 1:
        return _show_run(found[0], arguments, session)
    metric = metric_to_compare(found, next(iter(arguments.metric), None))
    ordered = best_first(found, metric)
    if session.json:
        output.json_value(_group_json(ordered, metric))
        return OK
    show_ranking(ordered, metric)
    output.line()
    return _show_run(ordered[0], arguments, session)


def show_ranking(ordered: Sequence[Measured], metric: str | None) -> None:
    """The runs of a group, a line each."""
    columns = (
        tables.Column(title="", right=True),
        tables.Column(title="ID"),
        tables.Column(title="STATE"),
        tables.Column(title="NAME", least=8, middle=True),
        tables.Column(title=f"{metric or 'METRIC'} BEST", right=True),
        tables.Column(title="AT", right=True),
        tables.Column(title="LAST", right=True),
    )
    tables.show(columns, [_ranked(place, one, metric) for place, one in enumerate(ordered, start=1)])


def _ranked(place: int, one: Measured, metric: str | None) -> tuple[str, ...]:
    best = best_value(one, metric)
    course = None if metric is None else one.metrics.get(metric)
    return (
        "-" if best is None else str(place),
        one.record["id"],
        one.record["status"],
        one.record["name"],
        _value(best),
        figures.count(None if best is None else best.step),
        _value(None if course is None else course.last),
    )


def _group_json(ordered: Sequence[Measured], metric: str | None) -> JsonObject:
    best = best_value(ordered[0], metric)
    return {
        "metric": metric,
        "best": None if best is None else ordered[0].record["id"],
        "runs": [{"run": one.record["id"], "best": encoded(best_value(one, metric))} for one in ordered],
    }


def _show_run(one: Measured, arguments: argparse.Namespace, session: Session) -> int:
    run_id, found = one.record["id"], one.metrics
    chosen = _chosen(found, arguments.metric, run_id)
    if session.json:
        output.json_value({"run": run_id, "metrics": {name: _as_json(course) for name, course in found.items()}})
        return OK
    output.line(_heading(one.record))
    if not found:
        diagnostics.say("it has printed no metrics that we can read; backprop-tui logs shows what it printed")
        return OK
    asked = curves.how(arguments)
    for series in chosen:
        _plot(series, one.run, asked)
    output.line()
    tables.show(_COLUMNS, [_row(series, unicode=asked.unicode) for series in found.values()])
    return OK


def _heading(record: JsonObject) -> str:
    why = rows.why(record)
    parts = [f"{record['id']}  {record['name']}  {record['status']}", figures.seconds(record["duration_seconds"])]
    return tables.one_line("  ".join([*parts, *([why] if why else [])]))


def _chosen(found: Mapping[str, Course], names: Sequence[str], run_id: str) -> list[Course]:
    """What is plotted large: what was asked for, else the loss, else the first.

    Raises:
        UsageError: there is no such metric.
    """
    for name in names:
        if name not in found:
            known = f"it has {', '.join(found)}" if found else "it has none"
            raise UsageError(f"--metric {name}: run {run_id} has no such metric; {known}")
    loss = main_loss(found)
    usual = [loss] if loss is not None else list(found)[:1]
    return [found[name] for name in (list(dict.fromkeys(names)) or usual)]


def _plot(series: Course, run: Run | None, asked: curves.How) -> None:
    output.line()
    if not series.buckets:
        output.line(f"{series.name}: no finite value")
        return
    output.line(f"{tables.one_line(series.name)}  {_words(series)}")
    curves.plot([curves.track_of(series, run, asked.by)], asked)


def _words(series: Course) -> str:
    parts = [f"last {_value(series.last)}"]
    if series.best is not None:
        parts.append(f"best {_value(series.best)}" + _at(series.best))
    if series.not_finite:
        parts.append(f"{series.not_finite} not finite")
    return ", ".join(parts)


def _value(extreme: Extreme | None) -> str:
    if extreme is None:
        return tables.NOTHING
    return figures.measure(extreme.value) if math.isfinite(extreme.value) else str(extreme.value)


def _at(extreme: Extreme) -> str:
    return "" if extreme.step is None else f" at step {extreme.step}"


def _row(series: Course, *, unicode: bool) -> tuple[str, ...]:
    points = series.drawn()
    best = series.best
    return (
        series.name,
        *(_value(one) for one in (series.first, series.last, series.least, series.most)),
        figures.count(None if best is None else best.step),
        plain.line(points, width=_LINE_WIDTH, unicode=unicode) if points else "",
    )


def _as_json(series: Course) -> JsonObject:
    return {
        "count": series.count,
        **{name: encoded(one) for name, one in (("first", series.first), ("last", series.last))},
        **{name: encoded(one) for name, one in (("least", series.least), ("most", series.most))},
        "best": encoded(series.best),
        "points": [list(point) for point in series.drawn()],
    }
