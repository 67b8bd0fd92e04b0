"""Which rows the list of runs has, in which order; made again only where something changed: there may be 10,000 runs.

An entry is the id of a row, what it stands for (a run, the members of a group, or how many older runs), the name, and
whether it is a member of the group above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Generic, TypeVar, overload

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import ACTIVE
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_fields import chosen_by_default
from backprop_tui.presentation.run_filter import RunFilter

GROUP, OLDER = "group:", "older:"  # at the start of the ids of rows that are no runs
_FILTER_SECONDS = 60.0  # how often `since:7d` is looked at again

RowT = TypeVar("RowT")


@lazy_dataclass(frozen=True, slots=True)
class Entry:
    """`run_id` or the id of another row; `members` of a group; `older` counts runs that are not listed."""

    row_id: str
    name: str = ""
    member: bool = False
    members: Sequence[KnownRun] = ()
    older: int = 0


class LazyRows(Sequence[RowT], Generic[RowT]):
    """A row for each entry, made when it is drawn."""

    def __init__(self, entries: Sequence[Entry], make: Callable[[Entry], RowT]) -> None:
        self._entries, self._make = entries, make
        self._rows: dict[int, RowT] = {}

    @cached_property
    def ids(self) -> list[str]:
        return [entry.row_id for entry in self._entries]

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> RowT: ...
    @overload
    def __getitem__(self, index: slice) -> list[RowT]: ...
    def __getitem__(self, index: int | slice) -> RowT | list[RowT]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        if number not in self._rows:
            self._rows[number] = self._make(self._entries[number])
        return self._rows[number]


class EndedRuns:
    """The ended runs that match the filter, and what follows from them."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self.matching: Sequence[KnownRun] = ()
        self.by_id: dict[str, KnownRun] = {}
        self._by_group: dict[str, list[KnownRun]] = {}
        self._columns: tuple[int, list[str]] | None = None
        self._rows: tuple[tuple[object, ...], list[Entry]] | None = None

    def update(self, runs: Sequence[KnownRun], filter_: RunFilter, now: float) -> Sequence[KnownRun]:
        """The runs that match; the same list while nothing changed."""
        key = (runs, filter_, now // _FILTER_SECONDS if filter_.follows_time else 0)
        if key != self._key:
            self._key, self._columns, self._rows = key, None, None
            self.matching = [run for run in runs if filter_.matches(run, now)] if filter_ else runs
            self.by_id = {run.id: run for run in self.matching}
            self._by_group = _groups(self.matching)
        return self.matching

    def members(self, group: str) -> Sequence[KnownRun]:
        return self._by_group.get(group, ())

    def columns(self, listed: Sequence[KnownRun]) -> list[str]:
        """The columns that tell the listed runs apart, the most telling first."""
        if self._columns is None or self._columns[0] != len(listed):
            self._columns = len(listed), chosen_by_default(listed)
        return self._columns[1]

    def entries(
        self, listed: Sequence[KnownRun], active_groups: AbstractSet[str], folded: AbstractSet[str]
    ) -> list[Entry]:
        """The rows of listed runs and groups of which nothing is unfinished."""
        key = (len(listed), frozenset(active_groups), frozenset(folded))
        if self._rows is None or self._rows[0] != key:
            units = _units(run for run in listed if _group(run) not in active_groups)
            self._rows = key, [entry for unit in units for entry in unit_entries(unit, self._all_of(unit), folded)]
        return self._rows[1]

    def _all_of(self, unit: Sequence[KnownRun]) -> Sequence[KnownRun]:
        """With the members of the group that are not listed for their age."""
        group = _group(unit[0])
        return unit if group is None else self._by_group.get(group, unit)


def unfinished_entries(
    unfinished: Sequence[KnownRun], listed: Sequence[KnownRun], ended: EndedRuns, folded: AbstractSet[str]
) -> list[Entry]:
    """The rows of unfinished runs, and of their groups with the ended members."""
    groups = {group for run in unfinished if (group := _group(run)) is not None}
    of_groups = [run for run in listed if _group(run) in groups] if groups else []
    entries: list[Entry] = []
    for unit in sorted(_units([*unfinished, *of_groups]), key=_rank):
        group = _group(unit[0])
        members = (
            unit if group is None else [*(run for run in unfinished if _group(run) == group), *ended.members(group)]
        )
        entries += unit_entries(unit, members, folded)
    return entries


def unit_entries(unit: Sequence[KnownRun], members: Sequence[KnownRun], folded: AbstractSet[str]) -> list[Entry]:
    """The rows of a single run or of a group; `members` includes those that are folded away for their age."""
    group = _group(unit[0])
    if group is None or len(members) == 1:
        return [Entry(unit[0].id, unit[0].label)]
    head = Entry(GROUP + group, group, members=members)
    if group in folded:
        return [head]
    names = member_names([run.label for run in unit])
    return [head, *(Entry(run.id, name, member=True) for run, name in zip(unit, names, strict=True))]


def sorted_entries(runs: Sequence[KnownRun]) -> list[Entry]:
    """A row for each run without groups; members of a group have the part of their names that differs."""
    names = {
        run.id: name
        for unit in _groups(runs).values()
        if len(unit) > 1
        for run, name in zip(unit, member_names([member.label for member in unit]), strict=True)
    }
    return [Entry(run.id, names.get(run.id) or run.label) for run in runs]


def _groups(runs: Iterable[KnownRun]) -> dict[str, list[KnownRun]]:
    groups: dict[str, list[KnownRun]] = {}
    for run in runs:
        group = run.record.get("group")
        if group is not None:
            groups.setdefault(str(group), []).append(run)
    return groups


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
