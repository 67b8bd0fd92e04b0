"""The rows of the runs list as a whole: ordered, grouped and filtered, with old runs folded away."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import ACTIVE, ENDED
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.tui.panes.governor import unseen_problems
from backprop_tui.tui.panes.run_order import RunFilter, RunSort
from backprop_tui.tui.panes.run_rows import RunRow, group_row, run_row
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.tokens import Token

OLDER = "older:"
RECENT_SECONDS = 86400.0
MOST_ENDED = 50
_ALWAYS_SHOWN_ENDED = 5


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunListOptions:
    """What the user chose: which groups are folded, which runs are marked or seen, the filter, the order, columns.

    `sort` is None for the default order, in which groups stay together; `order` has the ids as they are sorted.
    """

    folded: AbstractSet[str] = field(default_factory=frozenset)
    marked: AbstractSet[str] = field(default_factory=frozenset)
    seen: AbstractSet[str] = field(default_factory=frozenset)
    filter: RunFilter = field(default_factory=RunFilter)
    older: bool = False
    sort: RunSort | None = None
    order: Sequence[str] = ()
    hidden: AbstractSet[str] = field(default_factory=frozenset)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunListView:
    """`shown` counts the runs of the rows, `total` those of the store; `hidden` has the columns to leave out."""

    rows: Sequence[RunRow]
    shown: int
    total: int
    filter: str = ""
    sort: RunSort | None = None
    hidden: AbstractSet[str] = field(default_factory=frozenset)


def run_list_view(snapshot: Snapshot, options: RunListOptions) -> RunListView:
    matching = [run for run in snapshot.runs if not options.filter or options.filter.matches(run)]
    if options.older or options.filter:
        listed, older = matching, 0
    else:
        listed, older = _without_older(matching, snapshot.moment)
    unseen = {run.id for run in unseen_problems(snapshot, options.seen)}
    rows: list[RunRow] = []
    if options.sort is None:
        complete = {group: unit for unit in _units(matching) if (group := _group(unit[0]))} if older else {}
        for unit in _units(listed):
            members = complete.get(_group(unit[0]) or "", unit)
            rows += _unit_rows(unit, members, snapshot.moment, options, unseen)
    else:
        names = _names(matching)
        for run in _in_order(listed, options.order):
            rows.append(_row(run, snapshot.moment, options, unseen, name=names[run.id], member=False))
    if older:
        rows.append(RunRow(run_id=OLDER, state="", token=Token.MUTED, name=f"{older} older, a shows them", dim=True))
    return RunListView(
        rows=tuple(rows),
        shown=len(listed),
        total=max(snapshot.total, len(matching)),
        filter=options.filter.text,
        sort=options.sort,
        hidden=options.hidden,
    )


def _without_older(runs: Sequence[KnownRun], moment: Moment) -> tuple[list[KnownRun], int]:
    """Ended runs of the last day, fifty at most, and always the newest five; and how many are left out."""
    listed: list[KnownRun] = []
    ended = 0
    for run in runs:
        if run.status not in ENDED:
            listed.append(run)
            continue
        ended += 1
        if ended > MOST_ENDED:
            continue
        at = from_iso(run.record.get("ended_at"))
        if ended <= _ALWAYS_SHOWN_ENDED or (at is not None and moment.wall - at < RECENT_SECONDS):
            listed.append(run)
    return listed, len(runs) - len(listed)


def _in_order(runs: Sequence[KnownRun], order: Sequence[str]) -> list[KnownRun]:
    places = {run_id: place for place, run_id in enumerate(order)}
    return sorted(runs, key=lambda run: places.get(run.id, len(places)))


def _names(runs: Sequence[KnownRun]) -> dict[str, str]:
    """The names of runs outside of groups: for members of a group the part that differs between them."""
    names: dict[str, str] = {}
    for unit in _units(runs):
        full = [str(run.record["name"]) for run in unit]
        names |= zip([run.id for run in unit], full if len(unit) == 1 else member_names(full), strict=True)
    return names


def _units(runs: Sequence[KnownRun]) -> list[list[KnownRun]]:
    """The runs in order, members of a group together at the place of the first of them."""
    units: list[list[KnownRun]] = []
    groups: dict[str, list[KnownRun]] = {}
    for run in runs:
        group = run.record.get("group")
        if group is None:
            units.append([run])
        elif group in groups:
            groups[group].append(run)
        else:
            groups[group] = [run]
            units.append(groups[group])
    return sorted(units, key=_rank)


def _rank(unit: Sequence[KnownRun]) -> int:
    """Single active runs first, then groups with active runs, then what is queued, then what has ended."""
    if any(run.status in ACTIVE for run in unit):
        return 1 if len(unit) > 1 else 0
    return 2 if any(run.status not in ENDED for run in unit) else 3


def _group(run: KnownRun) -> str | None:
    group = run.record.get("group")
    return None if group is None else str(group)


def _unit_rows(
    unit: Sequence[KnownRun],
    members: Sequence[KnownRun],
    moment: Moment,
    options: RunListOptions,
    unseen: AbstractSet[str],
) -> list[RunRow]:
    """The rows of a single run or of a group; `members` includes those that are folded away for their age."""
    group = _group(unit[0])
    if group is None or len(members) == 1:
        return [_row(unit[0], moment, options, unseen, name=str(unit[0].record["name"]), member=False)]
    folded = group in options.folded
    head = group_row(group, members, folded=folded)
    if folded:
        return [head]
    names = member_names([str(run.record["name"]) for run in unit])
    return [
        head,
        *(_row(run, moment, options, unseen, name=name, member=True) for run, name in zip(unit, names, strict=True)),
    ]


def _row(
    run: KnownRun, moment: Moment, options: RunListOptions, unseen: AbstractSet[str], *, name: str, member: bool
) -> RunRow:
    return run_row(run, moment, name=name, unseen=run.id in unseen, member=member, marked=run.id in options.marked)
