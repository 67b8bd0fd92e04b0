"""`show`: the curves of a run in the terminal; for a group its runs, the best first, and the curves of the best."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence

from backprop_tui.cli import curves, diagnostics, output, tables
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve
from backprop_tui.client.run_metrics import (
    encode_extreme,
    encode_objective,
    last_values,
    metric_to_draw,
    ranked,
    read_compared_run,
    with_known_labels,
)
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import is_smoothed, main_loss, validation_counterpart
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.objective import Ranking, best_words, direction_for
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.plotting import plots
from backprop_tui.plotting.axes import XUnit
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.compare import ComparedRun, in_order, value_text
from backprop_tui.presentation.curves import FIGURES_MISSING, missing_text
from backprop_tui.presentation.group_table import is_seed, varying_parameters
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.objective import best_in, objective_of, order_text
from backprop_tui.presentation.run_line import reason_text
from backprop_tui.presentation.states import status_word
from backprop_tui.store.fields import JsonObject

SUMMARY = "show the curves of a run's metrics in the terminal, or the runs of a group, the best first"

_LINE_WIDTH = 16

COLUMNS = (
    tables.Column(title="METRIC", least=8, labels=True),
    tables.Column(title="FIRST", right=True, spare=3),
    tables.Column(title="LAST", right=True),
    tables.Column(title="LEAST", right=True, spare=4),
    tables.Column(title="MOST", right=True, spare=4),
    tables.Column(title="BEST *SMOOTHED", right=True, spare=1),
    tables.Column(title="CURVE", spare=2),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument(
        "--metric",
        metavar="NAME",
        action="append",
        default=[],
        help="plot this metric; repeatable (default: the loss); a group is ordered by the first",
    )
    parser.add_argument(
        "--over",
        metavar="NAME",
        action="append",
        help="show a group as a table, with mean and deviation over the runs that differ only in this argument, "
        "such as seed; repeatable, or a list with commas",
    )
    curves.add_curve_options(parser)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    run_ids = resolve(session, arguments.run)
    if arguments.over is not None:
        from backprop_tui.cli.group_tables import show_table

        return show_table(session, run_ids, arguments.over, next(iter(arguments.metric), None))
    runs = with_known_labels(session.home, [read_compared_run(session, run_id) for run_id in run_ids])
    if len(runs) == 1:
        return _show_run(runs[0], arguments, session)
    ranking = ranked(runs, next(iter(arguments.metric), None))
    ordered = in_order(runs, ranking)
    metric = metric_to_draw(runs, ranking)
    if session.json:
        output.json_value(_group_json(ranking, metric))
        return OK
    output.line(tables.one_line(order_text(ranking)))
    show_ranking(ordered, ranking, metric)
    seeds = filter(is_seed, varying_parameters([run.record for run in runs]))
    over = ",".join(parameter.name for parameter in seeds)
    if over:
        handle = shlex.quote(arguments.run)
        diagnostics.say(f"backprop-tui show {handle} --over {over} shows mean and deviation over the seeds")
    if ranking.best is None:
        diagnostics.say("backprop-tui show RUN draws the curves of one of them")
        return OK
    output.line()
    return _show_run(ordered[0], arguments, session)


def show_ranking(ordered: Sequence[ComparedRun], ranking: Ranking, metric: str | None) -> None:
    """The runs of a group; without an order only the last value of the metric."""
    name = metric or "METRIC"
    best = (
        tables.Column(
            title=f"{name} {'LAST' if ranking.by_last else best_words(name).upper()}", right=True, least=9, values=True
        ),
        tables.Column(title="AT", right=True, spare=2),
    )
    last = tables.Column(title="LAST" if ranking.ranked else f"{name} LAST", right=True, least=9, spare=3, values=True)
    columns = (
        tables.Column(title="", right=True),
        tables.Column(title="ID"),
        tables.Column(title="STATE", spare=1),
        tables.Column(title="NAME", least=8, middle=True),
        *(best if ranking.ranked else ()),
        *(() if ranking.by_last else (last,)),
    )
    values = dict(ranking.ranked)
    rows = []
    for number, run in enumerate(ordered, start=1):
        value = values.get(run.known.id)
        figures: tuple[str, ...] = ()
        if values:
            figures = (value_text(value), numbers.count(None if value is None else value.step))
        figures += () if ranking.by_last else (value_text(None if metric is None else run.last_of(metric)),)
        place = numbers.NOTHING if value is None else str(number)
        rows.append((place, run.known.id, status_word(run.record["status"]), run.known.label, *figures))
    tables.show(columns, rows)
    missing = [run.known.id for run in ordered if metric is not None and _has_skips(run, metric)]
    if missing:
        diagnostics.say(f"{missing_text(missing)}: part of the output was not read, so its best value may be another")


def _has_skips(run: ComparedRun, metric: str) -> bool:
    return metric in run.metrics and run.metrics[metric].skips > 0


def _group_json(ranking: Ranking, metric: str | None) -> JsonObject:
    values = {} if ranking.by_last else dict(ranking.ranked)
    return {
        "metric": metric,
        "objective": encode_objective(ranking),
        "problem": ranking.problem,
        "best": None if ranking.best is None else ranking.best[0],
        "runs": [{"run": run_id, "best": encode_extreme(values.get(run_id))} for run_id in ranking.order],
    }


def _show_run(run: ComparedRun, arguments: argparse.Namespace, session: Session) -> int:
    run_id, metrics = run.record["id"], run.metrics or last_values(run.record)
    plotted = _plotted(metrics, arguments.metric, run_id)
    if session.json:
        output.json_value(
            {"run": run_id, "metrics": {name: _as_json(series, run.record) for name, series in metrics.items()}}
        )
        return OK
    output.line(_heading(run.known))
    if not metrics and not run.record["attempts"]:
        diagnostics.say("it has not started, so it has no metrics yet")
        return OK
    if not metrics:
        diagnostics.say(f"no metrics were found in its output; backprop-tui logs {run_id} shows the output")
        return OK
    options = curves.curve_options(arguments)
    for series in plotted:
        _plot(series, run, options)
    output.line()
    tables.show(COLUMNS, [_row(series, run.record, unicode=options.unicode) for series in metrics.values()])
    return OK


def _heading(run: KnownRun) -> str:
    took = durations.elapsed(run.record["duration_seconds"])
    parts = [run.id, run.label, status_word(run.record["status"]), took]
    return tables.one_line("  ".join(filter(None, [*parts, reason_text(run, Moment.now())])))


def _plotted(metrics: Mapping[str, MetricSeries], names: Sequence[str], run_id: str) -> list[MetricSeries]:
    """The metrics that were asked for, else the loss, else the first."""
    for name in names:
        if name not in metrics:
            known = f"it has {', '.join(metrics)}" if metrics else "it has none"
            raise UsageError(f"--metric {name}: run {run_id} has no such metric", known)
    loss = main_loss(metrics)
    default = [loss] if loss is not None else list(metrics)[:1]
    return [metrics[name] for name in (list(dict.fromkeys(names)) or default)]


def _plot(series: MetricSeries, run: ComparedRun, options: curves.CurveOptions) -> None:
    """Plots a metric; a training metric together with its validation."""
    output.line()
    if not series.buckets:
        output.line(f"{series.name}: no finite value")
        return
    validation = validation_counterpart(series.name, run.metrics)
    both = [series] if validation is None else [series, run.metrics[validation]]
    tracks = [curves.track_of(each, run.run, options.by) for each in both if each.buckets]
    output.line(f"{tables.one_line(series.name)}  {_summary(series, run.record)}")
    legend = curves.legend(tracks, options)
    if legend:
        output.line(legend)
    total = run.record.get("total_steps")
    curves.plot_with_validation(tracks, options, planned=total if options.by is XUnit.STEP else None)


def _best(series: MetricSeries, record: JsonObject) -> Extreme | None:
    return best_in(record, series, direction_for(series.name, objective_of(record)))


def _summary(series: MetricSeries, record: JsonObject) -> str:
    parts, best = [f"last {value_text(series.last)}"], _best(series, record)
    if best is not None:
        at = "" if best.step is None else f" at step {numbers.count(best.step)}"
        parts.append(f"{best_words(series.name)} {value_text(best)}{at}")
    if series.not_finite:
        parts.append(f"{numbers.count(series.not_finite)} not finite")
    if series.skips:
        parts.append(f"{FIGURES_MISSING}: part of the output was not read")
    return ", ".join(parts)


def _row(series: MetricSeries, record: JsonObject, *, unicode: bool) -> tuple[str, ...]:
    points, best = series.drawn(), _best(series, record)
    return (
        series.name,
        *(value_text(extreme) for extreme in (series.first, series.last, series.least, series.most)),
        value_text(best, with_step=True) + ("*" if best and is_smoothed(series.name) else ""),
        plots.sparkline(points, width=_LINE_WIDTH, unicode=unicode) if points else "",
    )


def _as_json(series: MetricSeries, record: JsonObject) -> JsonObject:
    return {
        "count": series.count,
        "first": encode_extreme(series.first),
        "last": encode_extreme(series.last),
        "least": encode_extreme(series.least),
        "most": encode_extreme(series.most),
        "best": encode_extreme(_best(series, record)),
        "points": [list(point) for point in series.drawn()],
    }
