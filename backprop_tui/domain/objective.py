"""The objective of a run, its best values so far, and the ranking of the runs of a group."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Any

from backprop_tui.domain.goals import MAX_LISTED_METRICS, not_printed
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import (
    Direction,
    choice_rank,
    direction_of,
    is_bookkeeping,
    is_opposed,
    is_smoothed,
    is_validation,
)
from backprop_tui.domain.smoothed_curve import Extreme, SmoothedCurve

MAX_BEST_METRICS = 32  # besides the objective: the record is rewritten every second
MAX_CURVES = 8
_MOST = 1e300  # means of larger values would overflow
BestValues = Mapping[str, Extreme]


class ObjectiveSource(StrEnum):
    """Whether an objective was given or chosen among the printed metrics."""

    OPTION = "option"
    SETTING = "setting"
    VALIDATION = "validation"
    TRAINING = "training"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The metric by which runs are ranked; without a known `direction` no run is best."""

    metric: str
    direction: Direction | None
    source: ObjectiveSource

    def __str__(self) -> str:
        return self.metric if self.direction is None else f"{self.metric}:{self.direction}"

    @property
    def is_option(self) -> bool:
        return self.source is ObjectiveSource.OPTION

    @property
    def is_given(self) -> bool:
        return self.source in (ObjectiveSource.OPTION, ObjectiveSource.SETTING)


def parse_objective(text: str, source: ObjectiveSource = ObjectiveSource.OPTION) -> Objective:
    """Parses METRIC or METRIC:min|max. ValueError for anything else, or if the name alone has no known direction."""
    name, colon, word = text.rpartition(":") if ":" in text else (text, "", "")
    name = name.strip()
    if not name:
        raise ValueError(f"{text!r}: expected METRIC, METRIC:min or METRIC:max, such as val_loss or score:max")
    if colon and word.strip() not in set(Direction):
        raise ValueError(f"{text!r}: {word.strip()!r} is neither min nor max; use {name}:min or {name}:max")
    direction = Direction(word.strip()) if colon else direction_of(name)
    if direction is None:
        raise ValueError(f"{name}: its direction is unknown; use {name}:min or {name}:max")
    return Objective(metric=name, direction=direction, source=source)


def default_objective(names: Iterable[str]) -> Objective | None:
    """The most telling metric: measured on validation data, else on training data; None without one.

    If no metric has a known direction, the first that is not bookkeeping, without a direction.
    """
    judging = [name for name in names if not is_bookkeeping(name)]
    known = [name for name in judging if direction_of(name) is not None and not is_opposed(name)]
    on_validation = [name for name in known if is_validation(name)]
    candidates = on_validation or known or judging
    if not candidates:
        return None
    metric = min(candidates, key=choice_rank) if known else candidates[0]
    return Objective(
        metric=metric,
        direction=direction_of(metric) if known else None,
        source=ObjectiveSource.VALIDATION if is_validation(metric) else ObjectiveSource.TRAINING,
    )


def direction_for(name: str, objective: Objective | None) -> Direction | None:
    """Which values of a metric are better, by the objective, else by its name."""
    return objective.direction if objective is not None and objective.metric == name else direction_of(name)


def still_best(best: BestValues, before: Objective | None, after: Objective | None) -> BestValues:
    """The best values that are still valid under another objective: those with the same direction."""
    return {name: value for name, value in best.items() if direction_for(name, before) is direction_for(name, after)}


class BestTracker:
    """The best value of each metric of an attempt; for training losses the whole curve, to be smoothed."""

    def __init__(self, best: BestValues, curves: Mapping[str, SmoothedCurve], objective: Objective | None) -> None:
        self.best = dict(best)
        self.curves = {name: curve.copy() for name, curve in curves.items()}
        self._objective = objective

    def fields(self) -> dict[str, Any]:
        """A copy of the values as fields of the live record."""
        return {"best": dict(self.best), "curves": {name: curve.copy() for name, curve in self.curves.items()}}

    def update(self, metrics: Mapping[str, float], step: int | None) -> None:
        """Takes the values of one step; `step` is None if the script prints no steps."""
        for name, value in metrics.items():
            if not -_MOST < value < _MOST:  # NaN neither
                continue
            curve = self.curves.get(name)
            if curve is not None:
                curve.add(value, step)
                continue
            direction = direction_for(name, self._objective)
            if direction is None:
                continue
            if is_smoothed(name):
                if self._has_room(name, self.curves, MAX_CURVES):
                    self.curves[name] = SmoothedCurve([(value, step)])
            elif name in self.best or self._has_room(name, self.best, MAX_BEST_METRICS):
                _keep_better(self.best, name, Extreme(value, step), direction)

    def _has_room(self, name: str, kept: Mapping[str, object], limit: int) -> bool:
        return len(kept) < limit or (self._objective is not None and self._objective.metric == name)


def merge_best(
    earlier: BestValues, best: BestValues, curves: Mapping[str, SmoothedCurve], objective: Objective | None
) -> BestValues:
    """Returns the better value of each metric, of earlier attempts and of the newest; on a tie the earlier one.

    An attempt with too few values to smooth does not count if an earlier one has a smoothed value.
    """
    merged = dict(earlier)
    smoothed = {
        name: curve.best(direction)
        for name, curve in curves.items()
        if (direction := direction_for(name, objective)) is not None and (name not in earlier or curve.is_smoothed)
    }
    # Training losses that are not smoothed were recorded by an earlier version.
    for name, extreme in ({name: value for name, value in best.items() if not is_smoothed(name)} | smoothed).items():
        direction = direction_for(name, objective)
        if direction is not None and extreme is not None:
            _keep_better(merged, name, extreme, direction)
    return merged


def _keep_better(best: dict[str, Extreme], name: str, extreme: Extreme, direction: Direction) -> None:
    previous = best.get(name)
    if previous is None or direction.is_better(extreme.value, previous.value):
        best[name] = extreme


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunScores:
    """What a run is ranked by: its objective (given, or chosen among its metrics), best values, and metric names.

    `last` are its last values, for a ranking without any best value.
    `failed` is also a run that was stopped; the values of an `active` one are not final. `diverged` are the metrics
    whose last value is not finite.
    """

    objective: Objective | None
    best: BestValues
    names: Sequence[str]
    failed: bool = False
    active: bool = False
    diverged: Collection[str] = ()
    last: BestValues = field(default_factory=dict)

    def is_bad(self, metric: str) -> bool:
        """Whether the best value of the metric is of a training that came to nothing."""
        return self.failed or metric in self.diverged


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The runs of a group by their objective, the best first: ended ones, active ones, and those that came to nothing.

    An active run is the best only while none has ended; one that failed, diverged or was stopped never is.
    `problem` says why there is no best run; `ranked` is empty then. `unranked` runs have no value of the objective.
    `tied` counts the runs that are as good as the best, with it. `by_last`: the values are the last ones.
    """

    objective: Objective | None = None
    problem: str | None = None
    ranked: tuple[tuple[str, Extreme], ...] = ()
    unranked: tuple[str, ...] = ()
    tied: int = 0
    by_last: bool = False

    @property
    def best(self) -> tuple[str, Extreme] | None:
        return self.ranked[0] if self.ranked else None

    @property
    def order(self) -> list[str]:
        return [*(run_id for run_id, _ in self.ranked), *self.unranked]


def rank(runs: Mapping[str, RunScores], *, metric: str | None = None, or_last: bool = False) -> Ranking:
    """Ranks runs by their common objective, or by `metric`; ties keep the order of `runs`.

    If no run has a best value on record, ended runs are ranked by their last values where `or_last` allows that.
    """
    objective, problem = _common_objective(list(runs.values()), metric)
    if objective is None or objective.direction is None or problem is not None:
        return Ranking(objective=objective, problem=problem, unranked=tuple(runs))
    values = _finite({run_id: scores.best for run_id, scores in runs.items()}, objective.metric)
    by_last = or_last and not values
    if by_last:
        ended = {run_id: scores.last for run_id, scores in runs.items() if not scores.active}
        values = _finite(ended, objective.metric)
    bad = {run_id for run_id in values if runs[run_id].is_bad(objective.metric)}
    if not values or len(bad) == len(values):
        lack = (
            "all runs with a value of {} failed, diverged or were stopped" if values else "no run has a value of {} yet"
        )
        return Ranking(objective=objective, problem=lack.format(objective.metric), unranked=tuple(runs))
    sign = 1.0 if objective.direction is Direction.MIN else -1.0
    places = {run_id: (run_id in bad, runs[run_id].active, sign * best.value) for run_id, best in values.items()}
    return Ranking(
        objective=objective,
        ranked=tuple(sorted(values.items(), key=lambda pair: places[pair[0]])),
        tied=list(places.values()).count(min(places.values())),
        by_last=by_last,
        unranked=tuple(run_id for run_id in runs if run_id not in values),
    )


def _finite(runs: Mapping[str, BestValues], metric: str) -> dict[str, Extreme]:
    """The values of the metric by run."""
    values = {run_id: of_run[metric] for run_id, of_run in runs.items() if metric in of_run}
    return {run_id: extreme for run_id, extreme in values.items() if math.isfinite(extreme.value)}


def _common_objective(runs: Sequence[RunScores], metric: str | None) -> tuple[Objective | None, str | None]:
    """The objective that all runs share, and why there is none."""
    given = {str(run.objective): run.objective for run in runs if run.objective is not None and run.objective.is_given}
    if metric is not None:
        named = Objective(metric=metric, direction=direction_of(metric), source=ObjectiveSource.OPTION)
        return _with_direction(next((run for run in given.values() if run.metric == metric), named))
    if len(given) > 1:
        shown = ", ".join(list(given)[:MAX_LISTED_METRICS])
        return None, f"the runs have different objectives ({shown}); --metric NAME orders them by one metric"
    if given:
        return next(iter(given.values())), None
    objective = default_objective(dict.fromkeys(name for run in runs for name in run.names))
    if objective is None:
        return None, "no run has printed a metric yet"
    others = [run.objective for run in runs if run.objective is not None and objective.metric not in run.names]
    # A run that ended before its first validation does not disagree with the others.
    differing = [other.metric for other in others if other.source is objective.source]
    if differing and objective.direction is not None:
        shown = ", ".join(dict.fromkeys([objective.metric, *differing][:MAX_LISTED_METRICS]))
        return None, f"the runs have no metric in common ({shown}); set one with --objective METRIC:min or METRIC:max"
    return _with_direction(objective)


def _with_direction(objective: Objective) -> tuple[Objective, str | None]:
    if objective.direction is not None:
        return objective, None
    metric = objective.metric
    return (
        objective,
        f"it is unknown whether lower or higher {metric} is better; set --objective {metric}:min or {metric}:max",
    )


def unprinted(objective: Objective | None, names: Iterable[str]) -> str | None:
    """A hint if the script has printed metrics, but not the given objective; else None."""
    printed = list(names)
    if objective is None or not objective.is_given or objective.metric in printed or not printed:
        return None
    return not_printed(objective.metric, printed)


def best_words(metric: str) -> str:
    """What the best value of a metric is called beside the last one, than which a smoothed one may be worse."""
    return "smoothed best" if is_smoothed(metric) else "best"


def meaning(objective: Objective) -> str:
    """`lower is better`, with `smoothed` if the best value is."""
    if objective.direction is None:
        return "it is unknown whether lower or higher is better"
    better = "lower is better" if objective.direction is Direction.MIN else "higher is better"
    return better + (", smoothed" if is_smoothed(objective.metric) else "")
