"""A group as a table: its settings of hyperparameters against the objective, repeated runs folded to mean and spread.

The mean of the objective is that of the best values of the runs that ended by themselves or at their timebox. Runs that
failed, diverged, were stopped or have not ended are counted and not in it; while no run of a setting has ended, its
mean is provisional: that of the values so far. Such a setting is the best only while none has ended. Runs at different
steps are not compared: they have no provisional mean, and settings at different steps have no order. Other metrics are
the last values of the same runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from backprop_tui.domain.arguments import is_seed_name, varying
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import Direction, is_bookkeeping, is_validation
from backprop_tui.domain.objective import Objective, Ranking, rank
from backprop_tui.domain.spread import Difference, Spread, difference, equally_far, spread_of
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.presentation.compare import uneven_progress
from backprop_tui.presentation.known_run import recorded_status
from backprop_tui.presentation.objective import scores_of
from backprop_tui.presentation.run_facts import best_value, metric_value
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.option_table import NOT_SET, arguments_of


class Standing(StrEnum):
    """What a run contributes to its setting."""

    FINISHED = "finished"
    FAILED = "failed"
    DIVERGED = "diverged"  # it ended, and its last value is not finite
    STOPPED = "stopped"
    RUNNING = "running"
    WAITING = "waiting"


_STANDINGS = {
    Status.COMPLETED: Standing.FINISHED,
    Status.TIMEBOXED: Standing.FINISHED,
    Status.STOPPED: Standing.STOPPED,
    Status.FAILED: Standing.FAILED,
    Status.LOST: Standing.FAILED,
    Status.QUEUED: Standing.WAITING,
}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An argument that varies; `is_numeric` if all its values are numbers. `name` has no dashes."""

    name: str
    argument: str
    values: tuple[str, ...]  # in ascending order, or as they first appear
    is_numeric: bool

    @classmethod
    def of(cls, argument: str, values: Iterable[str]) -> Parameter:
        distinct = list(dict.fromkeys(values))
        numeric = all(_number(value) is not None for value in distinct if value != NOT_SET)
        if numeric:
            distinct.sort(key=_sort_value)
        return cls(name=argument.lstrip("-"), argument=argument, values=tuple(distinct), is_numeric=numeric)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A run of a setting; `value` is its best value of the metric, or the last if no direction is known."""

    record: JsonObject
    standing: Standing
    value: float | None

    @property
    def run_id(self) -> str:
        return str(self.record["id"])


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GroupSetting:
    """A row: the values of the parameters, and the runs that have them, the best first.

    `spread` is None without a value, and if it `is_uneven`: its runs have not ended and are at different steps.
    `steps` are the fewest and the most steps of the runs in the mean, or of the uneven ones.
    """

    values: tuple[str, ...]
    members: tuple[Member, ...]
    spread: Spread | None
    provisional: bool = False
    is_uneven: bool = False
    others: Mapping[str, Spread]
    steps: tuple[int, int] | None = None
    difference: Difference | None = None
    is_baseline: bool = False
    is_best: bool = False

    def count(self, standing: Standing) -> int:
        return sum(member.standing is standing for member in self.members)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """The rows, the best first: then provisional ones, then those without a value.

    `metric` is what they are compared by, None without one; `objective` has its direction. `problem` says why no
    setting is the best. `folded` are the arguments whose values are repetitions. `baseline` is the id of the pinned
    run. `uneven` says how far the finished runs in the means have come, if that differs.
    """

    metric: str | None
    objective: Objective | None
    problem: str | None
    parameters: tuple[Parameter, ...]
    folded: tuple[Parameter, ...]
    rows: tuple[GroupSetting, ...]
    others: tuple[str, ...]
    baseline: str | None
    uneven: str = ""

    @property
    def has_differences(self) -> bool:
        return any(row.is_baseline for row in self.rows)

    @property
    def metric_names(self) -> tuple[str, ...]:
        return (*(() if self.metric is None else (self.metric,)), *self.others)


def group_table(records: Sequence[JsonObject], *, over: Sequence[str] = (), metric: str | None = None) -> GroupTable:
    """The table of a group. Runs are folded over the arguments `over`, else over those that are seeds by their name.

    Raises:
        UsageError: no argument is called as one in `over`, or no run has the metric.
    """
    names = list(dict.fromkeys(str(name) for record in records for name in record.get("metrics") or ()))
    if metric is not None and metric not in names:
        known = f"they have {', '.join(names)}" if names else "they have none"
        raise UsageError(f"--metric {metric}: no run has such a metric", known)
    varying, folded = _split(varying_parameters(records), over, len(records))
    ranking = rank({str(record["id"]): scores_of(record) for record in records}, metric=metric)
    shown = ranking.objective.metric if ranking.objective is not None else metric
    others = [name for name in names if name != shown and not is_bookkeeping(name)]
    others.sort(key=lambda name: not is_validation(name))
    values = {record["id"]: arguments_of(record) for record in records}
    settings: dict[tuple[str, ...], list[JsonObject]] = {}
    for record in records:
        key = tuple(values[record["id"]].get(parameter.argument, NOT_SET) for parameter in varying)
        settings.setdefault(key, []).append(record)
    rows = [_setting(key, members, ranking, others) for key, members in settings.items()]
    baseline = next((str(record["id"]) for record in records if record.get("baseline")), None)
    is_even = equally_far(step for row in rows if row.provisional for step in row.steps or ())
    rows = _compared(_in_order(rows, ranking, varying, is_even=is_even), baseline)
    is_comparable = ranking.best is not None and rows[0].spread and (is_even or not rows[0].provisional)
    best = rows[0] if is_comparable else None
    running = "no run has finished" + ("" if is_even else ", and those that run are at different steps")
    return GroupTable(
        metric=shown,
        objective=ranking.objective,
        problem=ranking.problem or (None if best else running),
        parameters=tuple(varying),
        folded=tuple(folded),
        rows=tuple(replace(row, is_best=_is_as_good(row, best) and len(rows) > 1) for row in rows),
        others=tuple(others),
        baseline=baseline,
        uneven=_uneven(member for row in rows for member in row.members),
    )


def _is_as_good(row: GroupSetting, best: GroupSetting | None) -> bool:
    if best is None or best.spread is None or row.spread is None:
        return False
    return (row.spread.mean, row.provisional) == (best.spread.mean, best.provisional)


def _uneven(members: Iterable[Member]) -> str:
    finished = (member for member in members if member.standing is Standing.FINISHED and member.value is not None)
    return uneven_progress((member.record.get("step"), member.record.get("epoch")) for member in finished)


def varying_parameters(records: Sequence[JsonObject]) -> list[Parameter]:
    """The arguments that are not the same in all runs."""
    arguments = [arguments_of(record) for record in records]
    return [Parameter.of(name, [of_run.get(name, NOT_SET) for of_run in arguments]) for name in varying(arguments)]


def _split(varying: Sequence[Parameter], over: Sequence[str], runs: int) -> tuple[list[Parameter], list[Parameter]]:
    """The hyperparameters, and what is folded.

    A path that is another one in each run says where it writes: it is folded too if there are other arguments.
    """
    names = {_plain(name) for name in over}
    unknown = names - {_plain(parameter.name) for parameter in varying}
    if unknown:
        known = ", ".join(parameter.name for parameter in varying)
        advice = f"they differ in {known}" if known else "all of them have the same arguments"
        raise UsageError(f"--over {min(unknown)}: the runs do not differ in such an argument", advice)
    folded = [parameter for parameter in varying if (_plain(parameter.name) in names if names else is_seed(parameter))]
    paths = [parameter for parameter in varying if len(parameter.values) == runs and _is_path(parameter)]
    others = [parameter for parameter in varying if parameter not in paths]
    folded += [parameter for parameter in paths if others and parameter not in folded]
    return [parameter for parameter in varying if parameter not in folded], folded


def _is_path(parameter: Parameter) -> bool:
    return all("/" in value for value in parameter.values)


def _plain(name: str) -> str:
    return name.strip().lstrip("-").replace("-", "_").lower()


def is_seed(parameter: Parameter) -> bool:
    return is_seed_name(parameter.name)


def _setting(
    values: tuple[str, ...], records: Sequence[JsonObject], ranking: Ranking, others: Sequence[str]
) -> GroupSetting:
    members = [_member(record, ranking.objective) for record in records]
    order = {run_id: index for index, run_id in enumerate(ranking.order)}
    members.sort(key=lambda member: (member.standing is not Standing.FINISHED, order[member.run_id]))
    counted = [member for member in members if member.standing is Standing.FINISHED and member.value is not None]
    provisional = not any(member.standing is Standing.FINISHED for member in members)
    if provisional:
        counted = [member for member in members if member.standing is Standing.RUNNING and member.value is not None]
    steps = [int(member.record["step"]) for member in counted if member.record.get("step") is not None]
    is_uneven = provisional and not equally_far(steps)
    if is_uneven:
        counted = []
    spread = spread_of([member.value for member in counted if member.value is not None])
    spreads = {name: spread_of(_last_values(counted, name)) for name in others}
    return GroupSetting(
        values=values,
        members=tuple(members),
        spread=spread,
        provisional=provisional and (spread is not None or is_uneven),
        is_uneven=is_uneven,
        others={name: spread for name, spread in spreads.items() if spread is not None},
        steps=(min(steps), max(steps)) if steps else None,
    )


def _member(record: JsonObject, objective: Objective | None) -> Member:
    last = None if objective is None else metric_value(record, objective.metric)
    is_judged = objective is not None and objective.direction is not None
    value = best_value(record, objective.metric) if objective is not None and is_judged else last
    status = recorded_status(record)
    standing = Standing.RUNNING if status in ACTIVE else _STANDINGS[status]
    if standing is Standing.FINISHED and last is not None and not math.isfinite(last):
        standing = Standing.DIVERGED
    return Member(record=record, standing=standing, value=value if value is not None and math.isfinite(value) else None)


def _last_values(members: Sequence[Member], name: str) -> list[float]:
    values = [metric_value(member.record, name) for member in members]
    return [value for value in values if value is not None and math.isfinite(value)]


def _in_order(
    rows: Sequence[GroupSetting], ranking: Ranking, parameters: Sequence[Parameter], *, is_even: bool
) -> list[GroupSetting]:
    """The best first; provisional means only if their runs are equally far."""
    direction = None if ranking.objective is None else ranking.objective.direction
    sign = {Direction.MIN: 1.0, Direction.MAX: -1.0, None: 0.0}[direction]
    places = [{value: index for index, value in enumerate(parameter.values)} for parameter in parameters]

    def key(row: GroupSetting) -> tuple[bool, bool, float, list[int]]:
        place = [of_value[value] for of_value, value in zip(places, row.values, strict=True)]
        mean = 0.0 if row.spread is None or (row.provisional and not is_even) else sign * row.spread.mean
        return row.spread is None and not row.is_uneven, row.provisional, mean, place

    return sorted(rows, key=key)


def _compared(rows: Sequence[GroupSetting], baseline: str | None) -> list[GroupSetting]:
    """The rows with their differences to that of the baseline; a provisional mean is not compared."""
    pinned = next((row for row in rows if any(member.run_id == baseline for member in row.members)), None)
    if pinned is None:
        return list(rows)
    base = None if pinned.provisional else pinned.spread
    return [
        replace(
            row,
            is_baseline=row is pinned,
            difference=None
            if row is pinned or base is None or row.spread is None or row.provisional
            else difference(row.spread, base),
        )
        for row in rows
    ]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _sort_value(text: str) -> float:
    value = _number(text)
    return -math.inf if value is None else value
