"""Runs with everything they measured, and which of them did best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from backprop_tui.cli import figures, tables
from backprop_tui.cli.session import Session
from backprop_tui.client.runs import current
from backprop_tui.domain.course import Course, Extreme
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.metric_names import less_is_better, main_loss
from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject, encode_metrics
from backprop_tui.store.metrics import SeriesBuilder, read_metrics
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import read_view


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A run; `run` is None where only the index knows it."""

    record: JsonObject
    run: Run | None
    metrics: Mapping[str, Course]


def measured(session: Session, run_id: str) -> Measured:
    """What is known of it; the last values alone where no history was kept."""
    record = current(session, run_id)
    try:
        run = read_view(session.home, run_id).run
    except FileNotFoundError:  # the original recorded it
        run = None
    metrics = read_metrics(RunDirectory(session.home.run_folder(run_id)))
    return Measured(record=record, run=run, metrics=metrics or _of_record(record))


def _of_record(record: JsonObject) -> dict[str, Course]:
    found: dict[str, Course] = {}
    for name, value in record["metrics"].items():
        series = SeriesBuilder(name)
        series.add(float(value), record["step"])
        found[name] = series.snapshot()
    return found


def metric_to_compare(runs: Iterable[Measured], asked: str | None) -> str | None:
    """What was asked for, else the loss, else the first that any has; None where there is none.

    Raises:
        UsageError: none has what was asked for.
    """
    names = list(dict.fromkeys(name for one in runs for name in one.metrics))
    if asked is not None and asked not in names:
        known = f"they have {', '.join(names)}" if names else "they have none"
        raise UsageError(f"--metric {asked}: no run has such a metric; {known}")
    return asked or main_loss(names) or next(iter(names), None)


def best_value(run: Measured, metric: str | None) -> Extreme | None:
    """The best it ever was; where the name does not tell which way is better, the last."""
    course = None if metric is None else run.metrics.get(metric)
    if course is None:
        return None
    found = course.last if less_is_better(course.name) is None else course.best
    return found if found is not None and math.isfinite(found.value) else None


def best_first(runs: Sequence[Measured], metric: str | None) -> list[Measured]:
    """Those that have no value last, each kind as they came; what is not known to be better up is better down."""
    sign = -1.0 if metric is not None and less_is_better(metric) is False else 1.0
    rated = [(sign * found.value, one) for one in runs if (found := best_value(one, metric)) is not None]
    rest = [one for one in runs if best_value(one, metric) is None]
    return [*(one for _, one in sorted(rated, key=itemgetter(0))), *rest]


def best_words(run: Measured, metric: str | None) -> str:
    """`loss 0.3921 at step 2338: abc train:lr=3e-4`; `-` where nothing was measured."""
    best = best_value(run, metric)
    if best is None or metric is None:
        return tables.NOTHING
    where = "" if best.step is None else f" at step {best.step}"
    return f"{metric} {figures.measure(best.value)}{where}: {run.record['id']} {run.record['name']}"


def encoded(extreme: Extreme | None) -> JsonObject | None:
    """As JSON has it."""
    return None if extreme is None else {"step": extreme.step, **encode_metrics({"value": extreme.value})}
