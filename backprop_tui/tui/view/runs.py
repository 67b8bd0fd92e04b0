"""All rows of the runs: in their order, grouped, filtered, with what is old folded away."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field

from backprop_tui.domain.status import ACTIVE, ENDED
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.snapshot import KnownRun, Moment, Snapshot
from backprop_tui.tui.view.filtering import Filter
from backprop_tui.tui.view.groups import group_row, member_names
from backprop_tui.tui.view.problem import unseen_problems
from backprop_tui.tui.view.run_row import RunRow, run_row
from backprop_tui.tui.view.sorting import Sort
from backprop_tui.tui.view.states import word_of
from backprop_tui.tui.view.tokens import Token

OLDER = "older:"
RECENT_SECONDS = 86400.0
MOST_ENDED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the person at the screen chose: what is folded, marked, seen, filtered, and in which order it stands."""

    folded: AbstractSet[str] = field(default_factory=frozenset)
    marked: AbstractSet[str] = field(default_factory=frozenset)
    seen: AbstractSet[str] = field(default_factory=frozenset)
    filter: Filter = field(default_factory=Filter)
    older: bool = False
    sort: Sort | None = None  # None: in the order in which they live, groups together
    order: Sequence[str] = ()  # the ids as they are sorted
    hidden: AbstractSet[str] = field(default_factory=frozenset)  # columns that are not wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsView:
    """`shown` counts the runs of the rows, `total` those of the store."""

    rows: Sequence[RunRow]
    shown: int
    total: int
    filter: str = ""
    sort: Sort | None = None
    hidden: AbstractSet[str] = field(default_factory=frozenset)


def runs_view(snapshot: Snapshot, choices: Choices) -> RunsView:
    """The rows."""
    wanted = choices.filter
    found = [one for one in snapshot.runs if wanted.matches(one, word_of(one))] if wanted else list(snapshot.runs)
    kept, older = (found, 0) if choices.older or wanted else _without_older(found, snapshot.moment)
    unseen = {one.id for one in unseen_problems(snapshot, choices.seen)}
    rows: list[RunRow] = []
    if choices.sort is None:
        wholes = {group: unit for unit in _units(found) if (group := _group(unit[0]))} if older else {}
        for unit in _units(kept):
            whole = wholes.get(_group(unit[0]) or "", unit)
            rows += _rows_of(unit, whole, snapshot.moment, choices, unseen)
    else:
        names = _names(found)
        for one in _as_sorted(kept, choices.order):
            rows.append(_row(one, snapshot.moment, choices, unseen, name=names[one.id], member=False))
    if older:
        rows.append(RunRow(run_id=OLDER, word="", token=Token.MUTED, name=f"{older} older, a shows them", dim=True))
    return RunsView(
        rows=tuple(rows),
        shown=len(kept),
        total=max(snapshot.total, len(found)),
        filter=choices.filter.text,
        sort=choices.sort,
        hidden=choices.hidden,
    )


def _without_older(runs: Sequence[KnownRun], moment: Moment) -> tuple[list[KnownRun], int]:
    """Ended runs of the last day, and at most fifty of them; the newest five whatever their age."""
    kept: list[KnownRun] = []
    ended = 0
    for one in runs:
        if one.status not in ENDED:
            kept.append(one)
            continue
        ended += 1
        if ended > MOST_ENDED:
            continue
        at = from_iso(one.record.get("ended_at"))
        recent = at is not None and moment.wall - at < RECENT_SECONDS
        if recent or ended <= 5:
            kept.append(one)
    return kept, len(runs) - len(kept)


def _as_sorted(runs: Sequence[KnownRun], order: Sequence[str]) -> list[KnownRun]:
    place = {run_id: number for number, run_id in enumerate(order)}
    return sorted(runs, key=lambda one: place.get(one.id, len(place)))


def _names(runs: Sequence[KnownRun]) -> dict[str, str]:
    """What each is called where groups are not together: the members of one by what differs between them."""
    names: dict[str, str] = {}
    for unit in _units(runs):
        whole = [str(one.record["name"]) for one in unit]
        names |= zip([one.id for one in unit], whole if len(unit) == 1 else member_names(whole), strict=True)
    return names


def _units(runs: Sequence[KnownRun]) -> list[list[KnownRun]]:
    """The runs in order, those of a group together where the first of them stands."""
    units: list[list[KnownRun]] = []
    of_group: dict[str, list[KnownRun]] = {}
    for one in runs:
        group = one.record.get("group")
        if group is None:
            units.append([one])
        elif group in of_group:
            of_group[group].append(one)
        else:
            of_group[group] = [one]
            units.append(of_group[group])
    return _active_first(units)


def _active_first(units: list[list[KnownRun]]) -> list[list[KnownRun]]:
    """Stable: groups stand behind the single runs that are active, before those that wait."""

    def rank(unit: list[KnownRun]) -> int:
        if any(one.status in ACTIVE for one in unit):
            return 1 if len(unit) > 1 else 0
        return 2 if any(one.status not in ENDED for one in unit) else 3

    return sorted(units, key=rank)


def _group(run: KnownRun) -> str | None:
    """What it is a member of."""
    group = run.record.get("group")
    return None if group is None else str(group)


def _rows_of(
    unit: Sequence[KnownRun],
    whole: Sequence[KnownRun],
    moment: Moment,
    choices: Choices,
    unseen: AbstractSet[str],
) -> list[RunRow]:
    """Of a run, or of a group; `whole` are all of its members, also those that are folded away for their age."""
    group = _group(unit[0])
    if group is None or len(whole) == 1:
        one = unit[0]
        return [_row(one, moment, choices, unseen, name=str(one.record["name"]), member=False)]
    folded = group in choices.folded
    head = group_row(group, whole, folded=folded)
    if folded:
        return [head]
    members = zip(unit, member_names([str(one.record["name"]) for one in unit]), strict=True)
    return [head, *(_row(one, moment, choices, unseen, name=name, member=True) for one, name in members)]


def _row(
    one: KnownRun, moment: Moment, choices: Choices, unseen: AbstractSet[str], *, name: str, member: bool
) -> RunRow:
    return run_row(one, moment, name=name, unseen=one.id in unseen, member=member, marked=one.id in choices.marked)
