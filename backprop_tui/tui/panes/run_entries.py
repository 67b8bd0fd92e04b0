"""Which rows the list of runs has, in which order; found again only where something changed: runs may be 10,000."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from functools import cached_property
from itertools import chain, compress
from operator import is_
from typing import Any, Generic, TypeVar, overload

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run_names import split_point
from backprop_tui.domain.status import ACTIVE
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.run_facts import alike_in_all, settings_of, without_words
from backprop_tui.presentation.run_fields import all_columns, chosen_by_default, field_of, shared_names
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.presentation.run_order import RunSort, compared_columns, ordered_parts, place_among

GROUP, OLDER = "group:", "older:"  # at the start of the ids of rows that are no runs
_FILTER_SECONDS = 60.0  # how often `since:7d` is looked at again
_INDENT = "  "  # of members of a group
_MAX_JUDGED = 300  # the newest runs, by which the columns are chosen
_MOST_ADDED = 100  # runs that end between two snapshots
_STEP = 250  # runs whose values are found in one step: a key that comes then waits for a millisecond or two

RowT = TypeVar("RowT")


@lazy_dataclass(frozen=True, slots=True)
class Entry:
    """A row that is no run by itself: a group with its members, a member with its name, or how many runs are older."""

    row_id: str
    name: str = ""
    run: KnownRun | None = None
    members: Sequence[KnownRun] = ()
    older: int = 0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ListFacts:
    """What follows from the ended runs that are listed.

    `columns` tell them apart, the most telling first; `compared` are those that the filter compares; `shared` names do
    not say which column is meant. `names` are what the rows are called, `options` the arguments that the runs have,
    `alike` those in the names that are the same in all of them.
    """

    columns: Sequence[str] = ()
    compared: Sequence[str] = ()
    shared: AbstractSet[str] = frozenset()
    names: tuple[str, ...] = ()
    options: AbstractSet[str] = frozenset()
    alike: Mapping[str, str] = field(default_factory=dict)

    def same(self, unfinished: Sequence[KnownRun], ended: int) -> tuple[str, ...]:
        """The arguments in the names of these runs and of so many ended ones that all of them have alike: `lr=1e-3`."""
        if len(unfinished) + ended <= 1:
            return ()
        alike = self.alike
        if unfinished:
            words = map("=".join, alike.items()) if ended else _words(run.arguments for run in unfinished)
            alike = alike_in_all(unfinished, set(words))
        return tuple(map("=".join, alike.items()))


Item = KnownRun | Entry


def id_of(item: Item) -> str:
    return item.row_id if isinstance(item, Entry) else str(item.record["id"])


class IndexedItems(list[Item]):
    """Rows whose ids are found once; the list is not changed after that."""

    @cached_property
    def ids(self) -> list[str]:
        return [item.row_id if isinstance(item, Entry) else item.record["id"] for item in self]

    @cached_property
    def run_ids(self) -> frozenset[str]:
        """The ids of the rows and of the members of groups, so those of every run that is shown."""
        groups = (item.members for item in self if isinstance(item, Entry))
        return frozenset(self.ids).union(run.id for members in groups for run in members)

    def renewed(self, items: Iterable[Item]) -> IndexedItems:
        """Other states of the same items."""
        renewed = IndexedItems(items)
        vars(renewed).update(vars(self))
        return renewed


class LazyRows(Sequence[RowT], Generic[RowT]):
    """A row for each item, made when it is drawn."""

    def __init__(
        self,
        first: IndexedItems,
        rest: IndexedItems,
        make: Callable[[Item], RowT],
        basis: Callable[[Item, bool], object],
    ) -> None:
        """`rest` are the many items, which are the same list while they do not change.

        `basis` returns what a row is made from, by the item and whether it is drawn in the columns of ended runs.
        """
        self._first, self._rest, self._make, self._basis = first, rest, make, basis
        self._items = [*first, *rest] if first else rest
        self._rows: dict[int, RowT] = {}

    @property
    def ids(self) -> Sequence[str]:
        return [*self._first.ids, *self._rest.ids] if self._first else self._rest.ids

    @property
    def run_ids(self) -> frozenset[str]:
        return self._rest.run_ids | self._first.run_ids if self._first else self._rest.run_ids

    def id_at(self, index: int) -> str:
        return id_of(self._items[index])

    def basis_at(self, index: int, *, in_history: bool) -> object:
        """What the row is made from, without making it: two rows of an equal basis are drawn alike."""
        return self._basis(self._items[index], in_history)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> RowT: ...
    @overload
    def __getitem__(self, index: slice) -> list[RowT]: ...
    def __getitem__(self, index: int | slice) -> RowT | list[RowT]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        if number not in self._rows:
            self._rows[number] = self._make(self._items[number])
        return self._rows[number]


class EndedRuns:
    """The ended runs that match the filter, and what follows from them.

    Values of runs are kept in columns, so that another filter or order need not ask each run again.
    """

    def __init__(self) -> None:
        self._runs: Sequence[KnownRun] = ()  # perhaps more than are looked at: the newest may be shown alone
        self._count = 0
        self._values: dict[str, tuple[Callable[[KnownRun], Any], list[Any]]] = {}
        self._filtered: tuple[RunFilter, float] | None = None
        self._indices: Sequence[int] = ()
        self._sizes: Counter[str | None] | None = None
        self.matching: Sequence[KnownRun] = ()
        self._ranked: tuple[int, list[KnownRun]] | None = None
        self.revision = 0  # higher when there are other runs
        self._by_group: dict[str, list[KnownRun]] = {}
        self._facts: tuple[int, ListFacts] | None = None
        self._all_columns: tuple[object, list[str]] | None = None
        self._items: tuple[tuple[object, ...], IndexedItems] | None = None
        self._sorted: dict[RunSort, tuple[list[Any], tuple[list[int], ...]]] = {}
        self._order: tuple[tuple[object, ...], list[int], IndexedItems] | None = None

    def update(self, runs: Sequence[KnownRun], filter_: RunFilter, now: float) -> Sequence[KnownRun]:
        """The runs that match; the same list while nothing changed."""
        self._take(runs)
        filtered = filter_, now // _FILTER_SECONDS if filter_.follows_time else 0.0
        if filtered != self._filtered:
            self._filtered, self._facts, self._items, self._order = filtered, None, None, None
            self._all_columns = None
            self._indices = filter_.select(self._column, len(runs), now)
            self.matching = [runs[index] for index in self._indices] if filter_ else runs
            groups = self._column("group", _group)
            self._by_group = {}
            for index in self._indices if any(groups) else ():
                if groups[index] is not None:
                    self._by_group.setdefault(groups[index], []).append(runs[index])
        return self.matching

    def _take(self, runs: Sequence[KnownRun]) -> None:
        """Keeps the values of the newest runs while older ones are shown below them or hidden again."""
        if not all(map(is_, runs, self._runs)):
            self._renew(runs)
        if len(runs) > len(self._runs):
            self._runs = runs
        if len(runs) != self._count:
            self._count, self._filtered, self._sizes = len(runs), None, None
            self._sorted.clear()
            self.revision += 1

    def _renew(self, runs: Sequence[KnownRun]) -> None:
        """Keeps the values where runs were only added in front, as when they end."""
        before, self._runs, self._count = self._runs, (), -1
        added = next((index for index, run in enumerate(runs[:_MOST_ADDED]) if run is before[0]), 0)
        if not added or not all(map(is_, runs[added:], before)):
            self._values.clear()
            return
        self._runs = [*runs[:added], *before]
        for value_of, values in self._values.values():
            values[:0] = map(value_of, runs[:added])

    def _column(self, key: str, value_of: Callable[[KnownRun], Any], most: int | None = None) -> list[Any]:
        """The values of at least the runs that are looked at; with `most` perhaps of fewer: so many more each time."""
        _, values = self._values.setdefault(key, (value_of, []))
        stop = self._count if most is None else min(self._count, len(values) + most)
        values += map(value_of, self._runs[len(values) : stop])
        return values

    def with_objective(self) -> list[KnownRun]:
        """A run for each thing that runs were recorded to be ranked by."""
        if self._ranked is None or self._ranked[0] != self.revision:
            first: dict[object, KnownRun] = {}
            for run in self._runs[: self._count]:
                if objective := run.record.get("objective"):
                    first.setdefault(tuple(map(objective.get, ("metric", "direction", "source"))), run)
            self._ranked = self.revision, list(first.values())
        return self._ranked[1]

    def prepare(self, keys: Iterable[str], moment: Moment) -> Iterator[None]:
        """Finds all that a sorting by these columns needs, in steps between which keys can be handled."""
        self.with_objective()
        for key in keys:
            for largest_first in (True, False):
                sort = RunSort(key=key, largest_first=largest_first)
                while sort not in self._sorted:
                    if all(len(values) >= self._count for values in self._sort_columns(key, moment, _STEP)):
                        self._sorted_parts(sort, moment)
                    yield

    def group_sizes(self, unfinished: Iterable[KnownRun]) -> dict[str | None, int]:
        """How many runs the groups have, whether they match or not."""
        if self._sizes is None:
            self._sizes = Counter(self._column("group", _group)[: self._count])
        return self._sizes + Counter(map(_group, unfinished))

    def members(self, group: str) -> Sequence[KnownRun]:
        return self._by_group.get(group, ())

    def facts(self, listed: Sequence[KnownRun]) -> ListFacts:
        if self._facts is None or self._facts[0] != len(listed):
            judged = listed[:_MAX_JUDGED]
            names = [run.label if _group(run) is None else _INDENT + run.arguments for run in judged]
            facts = ListFacts(
                columns=chosen_by_default(judged),
                compared=[] if self._filtered is None else compared_columns(self._filtered[0], judged),
                shared=shared_names(judged),
                names=tuple(dict.fromkeys(names)),
                options=frozenset(chain.from_iterable(settings_of(run.record) for run in judged)),
                alike=alike_in_all(listed, set(_words(names))),
            )
            self._facts = len(listed), facts
        return self._facts[1]

    def all_columns(self, unfinished: Sequence[KnownRun]) -> list[str]:
        """Every column in which these runs, or the ended ones that match, have something to show."""
        names = [(run.id, *(tuple(run.record.get(key) or ()) for key in ("metrics", "best"))) for run in unfinished]
        if self._all_columns is None or self._all_columns[0] != names:
            self._all_columns = names, all_columns([*unfinished, *self.matching])
        return self._all_columns[1]

    def items(self, listed: Sequence[KnownRun], others: AbstractSet[str], folded: AbstractSet[str]) -> IndexedItems:
        """The rows of listed runs and groups, without the groups `others`, of which members are unfinished."""
        key = (len(listed), frozenset(others), frozenset(folded))
        if self._items is None or self._items[0] != key:
            rest = (run for run in listed if _group(run) not in others) if others else listed
            items: list[Item] = list(rest)
            if self._by_group:
                units = _units(items)  # type: ignore[arg-type] # they are all runs
                items = [item for unit in units for item in unit_items(unit, self._all_of(unit), folded)]
            self._items = key, IndexedItems(items)
        return self._items[1]

    def _all_of(self, unit: Sequence[KnownRun]) -> Sequence[KnownRun]:
        """With the members of the group that are not listed for their age."""
        group = _group(unit[0])
        return unit if group is None else self._by_group.get(group, unit)

    def sorted_with(
        self, unfinished: Sequence[KnownRun], keys: Sequence[Any], sort: RunSort, moment: Moment
    ) -> IndexedItems:
        """The unfinished runs, which have these values, and all that match, sorted by a column."""
        field = field_of(sort.key)
        behind = [index for index, run in enumerate(unfinished) if field is not None and field.is_behind(run)]
        cached = (sort, [run.id for run in unfinished], keys, behind)
        if self._order is None or self._order[0] != cached:
            order = self._merged(keys, behind, sort, moment)
            self._order = cached, order, IndexedItems(self._of(order, unfinished))
        elif unfinished:
            _, order, items = self._order
            self._order = cached, order, items.renewed(self._of(order, unfinished))
        return self._order[2]

    def _of(self, order: Iterable[int], unfinished: Sequence[KnownRun]) -> Iterable[KnownRun]:
        """The runs of an order, in which `~index` is an unfinished run: `index` from the end."""
        runs = [*self._runs, *reversed(unfinished)] if unfinished else self._runs
        return map(runs.__getitem__, order)

    def _merged(self, keys: Sequence[Any], behind: Sequence[int], sort: RunSort, moment: Moment) -> list[int]:
        """The order of all that match, and of the unfinished runs, which have these values."""
        values, parts = self._sorted_parts(sort, moment)
        chosen = None if len(self._indices) == self._count else frozenset(self._indices)
        unfinished = ordered_parts(keys, largest_first=sort.largest_first, behind=behind)
        order: list[int] = []
        for part, added in zip(parts, unfinished, strict=True):
            indices = list(part) if chosen is None else [index for index in part if index in chosen]
            places = [0] * len(added)  # at the front of those without a value
            if part is not parts[-1]:
                places = [place_among(indices, values, keys[i], largest_first=sort.largest_first) for i in added]
            for index, place in reversed(list(zip(added, places, strict=True))):
                indices.insert(place, ~index)
            order += indices
        return order

    def _sorted_parts(self, sort: RunSort, moment: Moment) -> tuple[list[Any], tuple[list[int], ...]]:
        """The values and the order of all ended runs: a filter only leaves some out."""
        if sort not in self._sorted:
            values, is_behind = (column[: self._count] for column in self._sort_columns(sort.key, moment))
            behind = compress(range(self._count), is_behind)
            self._sorted[sort] = values, ordered_parts(values, largest_first=sort.largest_first, behind=behind)
        return self._sorted[sort]

    def _sort_columns(self, key: str, moment: Moment, most: int | None = None) -> tuple[list[Any], list[Any]]:
        """The values that a column is sorted by, and which of them are behind the others."""
        field = field_of(key)
        if field is None:
            return [None] * self._count, [False] * self._count
        return (
            self._column(f"sort {key}", lambda run: field.value(run, moment), most),
            self._column(f"behind {key}", field.is_behind, most),
        )


def _words(names: Iterable[str]) -> Sequence[str]:
    return " ".join(names).split(" ")


def names_of(items: Iterable[Item], without: AbstractSet[str]) -> tuple[tuple[str, str], ...]:
    """What these rows are called without these arguments, each name once, and where that is too long."""
    names: dict[tuple[str, str], None] = {}
    for item in items:
        if isinstance(item, Entry):
            names[_INDENT + item.name, _INDENT + item.name] = None
        else:
            label, front = without_words(item.label, without), split_point(item.name)[0]
            short = without_words(item.short, without)
            names[label, f"{front} {short}" if short and item.short != item.label else label] = None
    return tuple(names)


def unfinished_items(
    unfinished: Sequence[KnownRun], listed: Sequence[KnownRun], ended: EndedRuns, folded: AbstractSet[str]
) -> list[Item]:
    """The rows of unfinished runs, and of their groups with the ended members."""
    groups = {group for run in unfinished if (group := _group(run)) is not None}
    of_groups = [run for run in listed if _group(run) in groups] if groups else []
    items: list[Item] = []
    for unit in sorted(_units([*unfinished, *of_groups]), key=_rank):
        group = _group(unit[0])
        members = unit
        if group is not None:
            members = [*(run for run in unfinished if _group(run) == group), *ended.members(group)]
        items += unit_items(unit, members, folded)
    return items


def unit_items(unit: Sequence[KnownRun], members: Sequence[KnownRun], folded: AbstractSet[str]) -> list[Item]:
    """The rows of a single run or of a group; `members` includes those that are folded away for their age."""
    group = _group(unit[0])
    if group is None or len(members) == 1:
        return [unit[0]]
    head = Entry(GROUP + group, group, members=members)
    if group in folded:
        return [head]
    names = member_names([run.label for run in unit])
    return [head, *(Entry(run.id, name, run) for run, name in zip(unit, names, strict=True))]


def _units(runs: Iterable[KnownRun]) -> list[list[KnownRun]]:
    """The runs in order, members of a group together at the place of the first of them."""
    units: list[list[KnownRun]] = []
    groups: dict[str, list[KnownRun]] = {}
    for run in runs:
        group = _group(run)
        if group is None:
            units.append([run])
        elif group in groups:
            groups[group].append(run)
        else:
            groups[group] = [run]
            units.append(groups[group])
    return units


def _rank(unit: Sequence[KnownRun]) -> int:
    """Single active runs first, then groups with active runs, then what is queued."""
    if any(run.status in ACTIVE for run in unit):
        return 1 if len(unit) > 1 else 0
    return 2


def _group(run: KnownRun) -> str | None:
    group = run.record.get("group")
    return None if group is None else str(group)
