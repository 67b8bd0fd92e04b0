"""`compare`: runs side by side: the options that differ, the results, and the curves of one metric in one plot."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

from backprop_tui.cli import curves, diagnostics, output, tables, values
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client.handles import HELP, resolve
from backprop_tui.client.run_metrics import (
    encode_extreme,
    encode_objective,
    metric_to_draw,
    ranked,
    read_compared_run,
    with_known_labels,
)
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import Direction
from backprop_tui.domain.objective import Objective, Ranking, direction_for
from backprop_tui.plotting.track import PlottedSeries
from backprop_tui.presentation import compare, numbers
from backprop_tui.presentation.compare import ComparedRun, ComparisonRow
from backprop_tui.presentation.fitting import columns_of, fitted_names
from backprop_tui.presentation.known_run import Moment
from backprop_tui.presentation.objective import shown_text
from backprop_tui.presentation.states import status_word
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.option_table import options_of

SUMMARY = "compare runs: the options that differ, final and best metrics, curves"

DEFAULT_TOP = 12
_LABEL_LEAST = 12
_CELL = 16  # average width of a run's column; runs that do not fit go into another table below
_LABEL = 22
_CURVE_ROWS = 12
_CURVE_POINTS = 512  # approximate number of points of each curve in the JSON


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help=f"{HELP}; a group stands for its runs, the best first")
    parser.add_argument("--all", action="store_true", help="show the options that are the same, too")
    parser.add_argument("--metric", metavar="NAME", help="metric of the curves and the order (default: the objective)")
    parser.add_argument(
        "--top",
        metavar="N",
        type=values.whole(least=2),
        default=DEFAULT_TOP,
        help=f"compare only the N best of a group (default: {DEFAULT_TOP})",
    )
    curves.add_curve_options(parser)


def execute(arguments: argparse.Namespace, session: Session) -> int:
    compared, ranking, left_out = _compared_runs(session, arguments)
    metric = metric_to_draw(compared, ranking)
    options = curves.curve_options(arguments)
    if session.json:
        output.json_value(_as_json(compared, ranking, metric, options, all_options=arguments.all))
        return OK
    if left_out:
        shown = shown_text(ranking, len(compared), len(compared) + left_out)
        diagnostics.say(f"showing {shown}; --top N shows more")
    rows = compare.option_rows(compared)
    rows = rows if arguments.all else compare.differing(rows)
    if not rows:
        diagnostics.say("all of them were started with the same options")
    _show_table(compared, rows, ranking.objective)
    if uneven := compare.uneven_text(compared, ranking):
        diagnostics.say(f"{uneven}: * marks the best value of a row, whatever step it is from")
    if metric is not None:
        _show_curves(compared, metric, options)
    return OK


def _compared_runs(session: Session, arguments: argparse.Namespace) -> tuple[list[ComparedRun], Ranking, int]:
    """The runs in the order of the arguments, those of a group the best first, and how many were left out."""
    resolved = [resolve(session, handle) for handle in arguments.runs]
    run_ids = list(dict.fromkeys(run_id for of_handle in resolved for run_id in of_handle))
    if len(run_ids) < 2:
        raise UsageError("compare needs at least two runs", "for one: backprop-tui show RUN")
    runs = with_known_labels(session.home, [read_compared_run(session, run_id) for run_id in run_ids])
    ranking = ranked(runs, arguments.metric)
    if not any(len(of_handle) > 1 for of_handle in resolved):
        return runs, ranking, 0
    ordered = compare.in_order(runs, ranking)
    return ordered[: arguments.top], ranking, len(ordered[arguments.top :])


def _show_table(compared: Sequence[ComparedRun], options: Sequence[ComparisonRow], objective: Objective | None) -> None:
    rows = [
        ComparisonRow(label="name", cells=tuple(run.known.label for run in compared)),
        ComparisonRow(label="status", cells=tuple(status_word(run.record["status"]) for run in compared)),
        *compare.outcome_rows(compared, Moment.now()),
        *options,
    ]
    for name in compare.metric_names(compared):
        rows += compare.metric_rows(compared, name, objective=objective)
    starred = [[f"{cell} *" if index in row.best else cell for index, cell in enumerate(row.cells)] for row in rows]
    label = min(_LABEL, max(columns_of(row.label) for row in rows))
    for begin, end in _chunks(len(compared)):
        if begin:
            output.line()
        starred[0][begin:end] = _names(starred[0][begin:end], label)
        columns = (
            tables.Column(title="RUN", least=_LABEL_LEAST, labels=True),
            *(tables.Column(title=run.record["id"], least=6, middle=True, values=True) for run in compared[begin:end]),
        )
        tables.show(columns, [(row.label, *cells[begin:end]) for row, cells in zip(rows, starred, strict=True)])


def _names(names: Sequence[str], label: int) -> Sequence[str]:
    """The names of runs beside each other, cut alike where the label and all of them do not fit."""
    width = output.width()
    if width is None:
        return names
    return fitted_names(names, (width - label) // len(names) - len(tables.GAP), "…" if output.shows_unicode() else "~")


def _show_curves(compared: Sequence[ComparedRun], metric: str, options: curves.CurveOptions) -> None:
    with_curve = [
        (run, series) for run in compared if (series := run.metrics.get(metric)) is not None and series.buckets
    ]
    drawn = with_curve[: len(curves.LETTERS)]
    if not drawn:
        diagnostics.say(f"no curves: no points of {tables.one_line(metric)} on record, only its last and best values")
        return
    output.line()
    labels = [f"{curves.LETTERS[index]} {run.record['id']}" for index, (run, _) in enumerate(drawn)]
    for part in _legend(f"{tables.one_line(metric)} by {options.by}", labels):
        output.line(tables.GAP.join(part))
    curves.plot([curves.track_of(series, run.run, options.by) for run, series in drawn], options, rows=_CURVE_ROWS)


def _legend(title: str, labels: Sequence[str]) -> Iterator[list[str]]:
    """The title and the painted labels, in as many rows as they need."""
    width, row, cells = output.width(), [title], len(title)
    for index, label in enumerate(labels):
        if width is not None and cells + len(tables.GAP) + len(label) > width:
            yield row
            row, cells = [], -len(tables.GAP)
        row.append(curves.painted(label, index))
        cells += len(tables.GAP) + len(label)
    yield row


def _chunks(count: int) -> Iterator[tuple[int, int]]:
    """Ranges of runs that fit beside each other."""
    width = output.width()
    fit = count if width is None else max(1, (width - _LABEL) // _CELL)
    yield from ((begin, min(begin + fit, count)) for begin in range(0, count, fit))


def _as_json(
    compared: Sequence[ComparedRun],
    ranking: Ranking,
    metric: str | None,
    options: curves.CurveOptions,
    *,
    all_options: bool,
) -> JsonObject:
    shown = {run.known.id for run in compared}
    return {
        "runs": [run.record for run in compared],
        "options": _options_json(compared, all_options=all_options),
        "metrics": {
            name: _values_json(compared, name, direction_for(name, ranking.objective))
            for name in compare.metric_names(compared)
        },
        "metric": metric,
        "objective": encode_objective(ranking),
        "best_first": [run_id for run_id in ranking.order if run_id in shown] if ranking.ranked else [],
        "by": options.by,
        "curves": {run.record["id"]: _points(run, metric, options) for run in compared},
    }


def _options_json(compared: Sequence[ComparedRun], *, all_options: bool) -> Mapping[str, list[str]]:
    options = [options_of(run.record, run.run) for run in compared]
    names = dict.fromkeys(name for of_run in options for name in of_run)
    rows = {name: [of_run.get(name, numbers.NOTHING) for of_run in options] for name in names}
    return {name: cells for name, cells in rows.items() if all_options or len(set(cells)) > 1}


def _points(run: ComparedRun, metric: str | None, options: curves.CurveOptions) -> list[list[float]]:
    series = None if metric is None else run.metrics.get(metric)
    if series is None:
        return []
    track: PlottedSeries = curves.track_of(series, run.run, options.by)
    every = max(1, len(track.positions) // _CURVE_POINTS)
    bars = [bar for piece in track.drawn(options.stretches).pieces for bar in piece]
    return [[x, low / 2 + high / 2] for x, low, high in bars[::every]]


def _values_json(runs: Sequence[ComparedRun], name: str, direction: Direction | None) -> JsonObject:
    last = [encode_extreme(run.last_of(name)) for run in runs]
    best = [encode_extreme(run.best_of(name, direction)) for run in runs]
    return {"last": last, "best": best}
