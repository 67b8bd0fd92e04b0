"""How both front ends show which run is best: always with the metric, never if its direction is unknown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import Direction
from backprop_tui.domain.objective import (
    Objective,
    ObjectiveSource,
    Ranking,
    RunScores,
    best_words,
    default_objective,
    direction_for,
    meaning,
    rank,
    unprinted,
)
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.presentation import numbers
from backprop_tui.presentation.states import PROBLEM_STATUSES
from backprop_tui.store.fields import JsonObject

if TYPE_CHECKING:
    from backprop_tui.domain.metric_series import MetricSeries

_NO_SERIES: Mapping[str, MetricSeries] = MappingProxyType({})


def objective_of(record: JsonObject, names: Iterable[str] = ()) -> Objective | None:
    """The objective of a run: as recorded, else chosen among its metrics and `names`; None if it has none."""
    source = record.get("objective")
    if not source or (source["source"] not in (ObjectiveSource.OPTION, ObjectiveSource.SETTING) and names):
        return default_objective(dict.fromkeys([*map(str, record.get("metrics") or ()), *names]))
    return _decoded(source["metric"], source["direction"], source["source"])


@lru_cache(maxsize=256)  # the dashboard ranks the runs of each group every second
def _decoded(metric: str, direction: str | None, source: str) -> Objective:
    known = None if direction is None else Direction(direction)
    return Objective(metric=metric, direction=known, source=ObjectiveSource(source))


def scores_of(record: JsonObject, series: Mapping[str, MetricSeries] = _NO_SERIES) -> RunScores:
    """What a run is ranked by: its record, completed by the metrics that were read."""
    names = dict.fromkeys([*map(str, record.get("metrics") or ()), *series])
    objective = objective_of(record, series)
    best = {
        str(name): Extreme(float(value["value"]), value["step"]) for name, value in (record.get("best") or {}).items()
    }
    for name, values in series.items():
        extreme = None if name in best else values.best_by(direction_for(name, objective))
        if extreme is not None:
            best[name] = extreme
    last = {name: values.last for name, values in series.items() if values.last is not None}
    last |= {str(name): last_on_record(record, name) for name in record.get("metrics") or ()}
    return RunScores(
        objective=objective,
        best=best,
        names=tuple(names),
        failed=record.get("status") in (Status.FAILED, Status.LOST, Status.STOPPED),
        active=record.get("status") in ACTIVE,
        diverged=tuple(name for name, extreme in last.items() if not math.isfinite(extreme.value)),
        last=last,
    )


def last_on_record(record: JsonObject, name: str) -> Extreme:
    """The last value of a metric that is on record, which has no step of its own."""
    return Extreme(float(record["metrics"][name]), None)


def best_on_record(record: JsonObject, name: str) -> Extreme | None:
    recorded = (record.get("best") or {}).get(name)
    return None if recorded is None else Extreme(float(recorded["value"]), recorded["step"])


def best_in(record: JsonObject, series: MetricSeries, direction: Direction | None) -> Extreme | None:
    """The best value of a metric as the run has it on record, else that of its points, which are smoothed anew."""
    recorded = best_on_record(record, series.name)
    return series.best_by(direction) if recorded is None or direction is None else recorded


def came_to_nothing(record: JsonObject, metric: str) -> bool:
    """Whether the run failed or diverged, so that its values of the metric are behind those of other runs."""
    last = (record.get("metrics") or {}).get(metric)
    return record.get("status") in PROBLEM_STATUSES or (last is not None and not math.isfinite(float(last)))


def rank_records(records: Iterable[JsonObject]) -> Ranking:
    return rank({str(record["id"]): scores_of(record) for record in records})


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class BestRun:
    """The best run of a group as it is shown: `words` (`smoothed best`), `metric` and `value` (`0.4105 (3 tied)`)."""

    run_id: str
    words: str
    metric: str
    value: str

    @property
    def text(self) -> str:
        return f"{self.words} {self.metric} {self.value}"


def best_of(ranking: Ranking) -> BestRun | None:
    if ranking.best is None or ranking.objective is None:
        return None
    run_id, value = ranking.best
    tied = f" ({ranking.tied} tied)" if ranking.tied > 1 else ""
    return BestRun(
        run_id=run_id,
        words="best" if ranking.by_last else best_words(ranking.objective.metric),
        metric=_ranked_by(ranking, ranking.objective),
        value=numbers.metric(value.value) + tied,
    )


def _ranked_by(ranking: Ranking, objective: Objective) -> str:
    """`val_loss`, or `last val_loss` if no best value is on record."""
    return f"last {sanitize(objective.metric)}" if ranking.by_last else sanitize(objective.metric)


def shown_text(ranking: Ranking, shown: int, total: int) -> str:
    """`the 8 best of 20 by val_loss, lower is better`; without an order the first ones."""
    if ranking.best is None or ranking.objective is None:
        return f"the first {shown} of {total} ({order_text(ranking)})"
    return f"the {shown} best of {total} by {_ranked_by(ranking, ranking.objective)}, {meaning(ranking.objective)}"


def value_at(metric: str, value: Extreme) -> str:
    """`val_loss 0.2100 at step 300`."""
    where = "" if value.step is None else f" at step {numbers.count(value.step)}"
    return f"{sanitize(metric)} {numbers.metric(value.value)}{where}"


def order_text(ranking: Ranking) -> str:
    """What the runs of a group are ordered by, or why they are not."""
    if ranking.problem is not None or ranking.objective is None:
        return f"not ordered: {ranking.problem}"
    return f"best first by {_ranked_by(ranking, ranking.objective)}, {meaning(ranking.objective)}"


def best_of_run(record: JsonObject) -> tuple[Objective, Extreme] | None:
    """The objective of a run with its best value; None without an objective, a known direction or a value."""
    scores = scores_of(record)
    objective = scores.objective
    if objective is None or objective.direction is None or objective.metric not in scores.best:
        return None
    return objective, scores.best[objective.metric]


def objective_lines(record: JsonObject) -> Iterable[tuple[str, str]]:
    """The rows about the objective in the details of a run."""
    objective = objective_of(record)
    if objective is None:
        return
    best, last = best_of_run(record), (record.get("metrics") or {}).get(objective.metric)
    if best is not None:
        yield "best", f"{value_at(objective.metric, best[1])}, {meaning(objective)}"
    elif objective.direction is None and last is not None:
        yield "objective", f"{objective.metric}, last {numbers.metric(float(last))}; {meaning(objective)}"
    elif objective.is_given:
        yield "objective", f"{objective}, {meaning(objective)}; no value yet"
    doubt = unprinted(objective, record.get("metrics") or ())
    if doubt is not None:
        yield "warning", doubt
