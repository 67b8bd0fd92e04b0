"""In which order the runs are listed: sorted by a column, or the default order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import ne
from types import NoneType
from typing import Any

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import Direction
from backprop_tui.presentation.filter_names import Names, names_of_runs
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.objective import best_of_run, objective_of
from backprop_tui.presentation.run_fields import ARGUMENT, BEST_OF_RUN, SORTABLE, Value, field_of
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.presentation.run_line import BEST, LAST
from backprop_tui.store.fields import JsonObject

NEWEST = "created"
_NOTHING: JsonObject = {"metric": None}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunSort:
    """The column, and whether its largest value comes first."""

    key: str
    largest_first: bool = False

    @classmethod
    def by(cls, key: str, runs: Iterable[KnownRun] = ()) -> RunSort:
        """Sorted by a column, the best first; an objective given for the runs says which values of it are better."""
        field = field_of(key)
        natural = cls(key=key, largest_first=field is not None and field.largest_first)
        kind, _, metric = key.partition(":")
        if key == BEST_OF_RUN:
            goal = next(iter(_ranked_by(runs)), None)
            return natural if goal is None else replace(natural, largest_first=goal[1] is Direction.MAX)
        if f"{kind}:" in (BEST, LAST):
            own = (run.record for run in runs if (run.record.get("objective") or _NOTHING)["metric"] == metric)
            given = next((goal.direction for goal in filter(None, map(objective_of, own)) if goal.direction), None)
            return natural if given is None else replace(natural, largest_first=given is Direction.MAX)
        return natural

    @property
    def reversed(self) -> RunSort:
        return replace(self, largest_first=not self.largest_first)


def _ranked_by(runs: Iterable[KnownRun]) -> dict[tuple[str, Direction], None]:
    """The metrics by which the runs are ranked, with the direction of each."""
    goals = (best_of_run(run.record) for run in runs)
    return {(goal.metric, goal.direction): None for goal, _ in filter(None, goals) if goal.direction is not None}


def doubt_of_sort(sort: RunSort, runs: Iterable[KnownRun]) -> str | None:
    """Why the runs have no order by their best value: they are ranked by different metrics. None if they have one."""
    goals = _ranked_by(runs) if sort.key == BEST_OF_RUN else {}
    return f"the runs are ranked by {', '.join(metric for metric, _ in goals)}" if len(goals) > 1 else None


def column_named(word: str, names: Names) -> str | None:
    """The key of the column that a word means, as in a filter: `took`, `lr`, `--lr`, `val_loss`, `best(val_loss)`.

    None if the runs have no argument or metric of that name.
    """
    kind, parenthesis, metric = word.removesuffix(")").partition("(")
    if parenthesis:
        return f"{kind}:{metric}" if f"{kind}:" in (BEST, LAST) and metric in names.metrics else None
    if word in SORTABLE:
        return word
    argument = names.argument(word)
    if argument is not None:
        return ARGUMENT + argument
    return LAST + word if word in names.metrics else None


def compared_columns(runs_filter: RunFilter, runs: Iterable[KnownRun]) -> list[str]:
    """The keys of the columns with what a filter compares, other than with `=`, which is the same in all that match."""
    words = [name for name in runs_filter.names if name not in runs_filter.equal]
    if not words:
        return list(runs_filter.times)
    names = names_of_runs(runs)
    keys = [_compared_column(word, names) for word in words]
    return list(dict.fromkeys([*filter(None, keys), *runs_filter.times]))


def _compared_column(word: str, names: Names) -> str | None:
    kind, parenthesis, metric = word.removesuffix(")").partition("(")
    if parenthesis:
        return f"{kind}:{metric}" if metric in names.metrics else None
    if word in ("step", "took", BEST_OF_RUN):
        return word
    argument = names.argument(word)
    if argument is not None:
        return ARGUMENT + argument
    return LAST + word if word in names.metrics else None


def next_sort(current: RunSort | None, key: str, runs: Iterable[KnownRun] = ()) -> RunSort | None:
    """The sorting after a click on a column's heading: by the column, then reversed, then the default order."""
    if current is None or current.key != key:
        return RunSort.by(key, runs)
    natural = RunSort.by(key, runs)
    return natural.reversed if current == natural else None


def neighbor_sort(current: RunSort | None, keys: Sequence[str], by: int, runs: Iterable[KnownRun]) -> RunSort | None:
    """Sorted by the next column (`by` 1) or the previous one (-1); the default order is beyond both ends.

    From the default order it begins with the best values, if there is such a column.
    """
    if not keys:
        return current
    if current is None:
        best = next((key for key in keys if key.startswith(BEST)), keys[0])
        return RunSort.by(best if by > 0 else keys[-1], runs)
    index = keys.index(current.key) + by if current.key in keys else 0
    return RunSort.by(keys[index], runs) if 0 <= index < len(keys) else None


def sort_value(run: KnownRun, sort: RunSort, moment: Moment) -> Value:
    field = field_of(sort.key)
    return None if field is None else field.value(run, moment)


def sort_runs(runs: Sequence[KnownRun], sort: RunSort, moment: Moment) -> list[KnownRun]:
    """The runs sorted by a column; those without a value come last."""
    field = field_of(sort.key)
    behind = [index for index, run in enumerate(runs) if field is not None and field.is_behind(run)]
    values = [sort_value(run, sort, moment) for run in runs]
    parts = ordered_parts(values, largest_first=sort.largest_first, behind=behind)
    return [runs[index] for part in parts for index in part]


def ordered_parts(
    values: Sequence[Value], *, largest_first: bool, behind: Iterable[int] = ()
) -> tuple[list[int], list[int], list[int]]:
    """The indices of the values: sorted, those `behind` sorted, and those that are None or NaN.

    Numbers come before words, so that an argument may have both.
    """
    kinds = set(map(type, values))
    has_gaps = NoneType in kinds or any(map(ne, values, values))  # NaN is not equal to itself
    without = [index for index, value in enumerate(values) if value is None or value != value] if has_gaps else []  # noqa: PLR0124
    missing = frozenset(without)
    last = [index for index in behind if index not in missing]
    others = missing.union(last)
    first = [index for index in range(len(values)) if index not in others] if others else range(len(values))
    keys: Sequence[Any] = values
    if str in kinds and not kinds <= {str, NoneType}:
        keys = list(map(_numbers_first, values))
    return (
        sorted(first, key=keys.__getitem__, reverse=largest_first),
        sorted(last, key=keys.__getitem__, reverse=largest_first),
        without,
    )


def place_among(part: Sequence[int], values: Sequence[Value], value: Value, *, largest_first: bool) -> int:
    """Where a value belongs among sorted indices of values: before those that are equal."""
    key = _numbers_first(value)

    def follows(index: int) -> bool:
        other = _numbers_first(values[index])
        return other <= key if largest_first else other >= key

    return bisect_left(part, True, key=follows)


def _numbers_first(value: Value) -> tuple[bool, Any]:
    return isinstance(value, str), value
