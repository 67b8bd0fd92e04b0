"""Reads runs with every metric they have recorded, for comparing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.client.runs import current
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.objective import Ranking
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.presentation import compare
from backprop_tui.presentation.compare import ComparedRun
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.store.fields import JsonObject, encode_metrics
from backprop_tui.store.home import Home
from backprop_tui.store.index import read_recent
from backprop_tui.store.metrics import SeriesBuilder, read_metrics
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import marked_views, read_view


def read_compared_run(session: ClientSession, run_id: str) -> ComparedRun:
    """Reads the metrics of a run; without a history its record has the last and the best values."""
    record = current(session, run_id)
    try:
        run = read_view(session.home, run_id).run
    except FileNotFoundError:  # the original tool recorded it
        run = None
    metrics = read_metrics(RunDirectory(session.home.run_folder(run_id)))
    return ComparedRun(known=KnownRun(record=record, run=run), metrics=metrics)


def with_known_labels(home: Home, runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    """The runs called as in the list: with the arguments that tell them from recent runs of their name."""
    records = dict(read_recent(home)) | {view.run.id: view.record for view in marked_views(home)}
    records |= {run.known.id: run.record for run in runs}
    known = {run.id: run.differing for run in with_labels([KnownRun(record=record) for record in records.values()])}
    return [replace(run, known=replace(run.known, differing=known[run.known.id])) for run in runs]


def last_values(record: JsonObject) -> dict[str, MetricSeries]:
    """The metrics of a run whose history was not kept, each with its last value."""
    all_series: dict[str, MetricSeries] = {}
    for name, value in record["metrics"].items():
        builder = SeriesBuilder(name)
        builder.add(float(value), record["step"])
        all_series[name] = builder.snapshot()
    return all_series


def ranked(runs: Sequence[ComparedRun], asked: str | None) -> Ranking:
    """The runs by the metric that was asked for, else by their objective. UsageError if no run has the metric."""
    names = compare.metric_names(runs)
    if asked is not None and asked not in names:
        known = f"they have {', '.join(names)}" if names else "they have none"
        raise UsageError(f"--metric {asked}: no run has such a metric", known)
    return compare.ranking_of(runs, asked)


def metric_to_draw(runs: Sequence[ComparedRun], ranking: Ranking) -> str | None:
    """The metric by which the runs are ranked, else the loss, else the first that any run has; None without one."""
    names = compare.metric_names(runs)
    objective = ranking.objective
    return objective.metric if objective is not None and objective.metric in names else compare.default_metric(names)


def encode_objective(ranking: Ranking) -> JsonObject | None:
    objective = ranking.objective
    if objective is None:
        return None
    return {"metric": objective.metric, "direction": objective.direction, "source": objective.source}


def encode_extreme(extreme: Extreme | None) -> JsonObject | None:
    return None if extreme is None else {"step": extreme.step, **encode_metrics({"value": extreme.value})}
