"""The metrics of runs, and which of several runs did best by one of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from backprop_tui.client.runs import current
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.course import Course, Extreme
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import less_is_better, main_loss
from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.metrics import SeriesBuilder
from backprop_tui.store.metrics import read_metrics as read_series
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import read_view


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetrics:
    """A run with everything it measured; `run` is None if only the index knows it."""

    record: JsonObject
    run: Run | None
    metrics: Mapping[str, Course]


def read_metrics(session: ClientSession, run_id: str) -> RunMetrics:
    """Reads the metrics of a run; only the last values if no history was kept."""
    record = current(session, run_id)
    try:
        run = read_view(session.home, run_id).run
    except FileNotFoundError:  # the original tool recorded it
        run = None
    metrics = read_series(RunDirectory(session.home.run_folder(run_id)))
    return RunMetrics(record=record, run=run, metrics=metrics or _last_values(record))


def _last_values(record: JsonObject) -> dict[str, Course]:
    courses: dict[str, Course] = {}
    for name, value in record["metrics"].items():
        series = SeriesBuilder(name)
        series.add(float(value), record["step"])
        courses[name] = series.snapshot()
    return courses


def metric_to_compare(runs: Iterable[RunMetrics], asked: str | None) -> str | None:
    """The metric that was asked for, else the loss, else the first that any run has; None if there is none.

    Raises:
        UsageError: no run has the metric that was asked for.
    """
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    if asked is not None and asked not in names:
        known = f"they have {', '.join(names)}" if names else "they have none"
        raise UsageError(f"--metric {asked}: no run has such a metric; {known}")
    return asked or main_loss(names) or next(iter(names), None)


def best_value(run: RunMetrics, metric: str | None) -> Extreme | None:
    """The best value; the last one if the metric's name does not say which way is better."""
    course = None if metric is None else run.metrics.get(metric)
    if course is None:
        return None
    value = course.last if less_is_better(course.name) is None else course.best
    return value if value is not None and math.isfinite(value.value) else None


def best_first(runs: Sequence[RunMetrics], metric: str | None) -> list[RunMetrics]:
    """Sorted by the metric, runs without a value last; less is better unless the metric's name says otherwise."""
    sign = -1.0 if metric is not None and less_is_better(metric) is False else 1.0
    rated = [(sign * best.value, run) for run in runs if (best := best_value(run, metric)) is not None]
    rest = [run for run in runs if best_value(run, metric) is None]
    return [*(run for _, run in sorted(rated, key=itemgetter(0))), *rest]
