"""The rows of the runs list: ordered, grouped and filtered, with old runs folded away."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    exceeds_timebox,
    last_loss,
    limit_seconds,
    running_seconds,
    share_done,
    slice_text,
    step_text,
)
from backprop_tui.presentation.objective import best_of, rank_records
from backprop_tui.presentation.run_line import RunLine, end_facts, run_line
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.lines import STATE_TOKENS, Token
from backprop_tui.tui.panes.governor import unseen_problems
from backprop_tui.tui.panes.run_order import RunFilter, RunSort
from backprop_tui.tui.snapshot import Snapshot

GROUP, OLDER = "group:", "older:"  # at the start of the ids of rows that are no runs
MAX_ENDED = 50
_ALWAYS_SHOWN_ENDED = 5
STEP_CELLS = 13
_WITH_PROGRESS = frozenset({Status.RUNNING, Status.PAUSED, Status.STOPPING})
_GROUP_STATES = ("running", "paused", "queued", "completed", "timeboxed", "stopped", "failed")
_COUNTED_AS = {"starting": "running", "stopping": "running", "lost": "failed"}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GroupSummary:
    """The members of a group counted by state, and the best of them: `val_loss 0.3921`, and its name."""

    size: int
    counts: tuple[tuple[str, int], ...]
    best: str
    best_name: str
    folded: bool


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """`run_id` is the id of the run, or `group:` and the name of the group. Shares are between 0 and 1."""

    run_id: str
    state: str
    token: Token
    name: str
    gpu: str = ""
    waiting: bool = False  # `gpu` is its place in the queue
    has_progress: bool = False
    progress: float | None = None
    step: str = ""
    loss: str = ""
    loss_token: Token = Token.FG
    trend: tuple[float, ...] = ()
    timebox: float | None = None
    left: str = ""
    eta: str = ""
    eta_warns: bool = False
    saved: str = ""
    slice: str = ""
    tags: str = ""
    line: RunLine | None = None
    end: str = ""
    bold: bool = False  # a failure that nobody has looked at
    dim: bool = False
    member: bool = False
    marked: bool = False
    group: GroupSummary | None = None


def run_row(run: KnownRun, moment: Moment, name: str, *, member: bool = False) -> RunRow:
    ended = run.status in ENDED
    row = RunRow(
        run_id=run.id,
        state=run.status.value,
        token=STATE_TOKENS[run.status],
        name=sanitize(name),
        gpu=_gpu_or_place(run),
        waiting=run.status is Status.QUEUED,
        line=run_line(run, moment),
        end=end_facts(run, moment) if ended else "",
        tags=" ".join(f"#{sanitize(str(tag))}" for tag in run.record["tags"]),
        dim=ended and not is_problem(run),
        member=member,
    )
    if run.status not in _WITH_PROGRESS or run.run is None or run.live is None:
        return row
    return _with_progress(row, run, run.live, moment)


def _with_progress(row: RunRow, run: KnownRun, live: Live, moment: Moment) -> RunRow:
    seconds = running_seconds(live, moment)
    limit = limit_seconds(run)
    left = None if limit is None else limit - seconds
    loss = last_loss(run)
    eta = live.eta_seconds
    warns = exceeds_timebox(run, moment)
    checkpoint = next(reversed(live.usable_checkpoints), None)
    return replace(
        row,
        has_progress=live.step is not None or live.epoch is not None or loss is not None,
        progress=share_done(live),
        step=step_text(run, cells=STEP_CELLS),
        loss="" if loss is None else numbers.metric(loss),
        loss_token=Token.BAD if loss is not None and not math.isfinite(loss) else Token.FG,
        trend=run.curve.values,
        timebox=None if limit is None else min(1.0, seconds / limit),
        left=durations.remaining(None if left is None else max(0.0, left)),
        eta="" if eta is None or run.status is Status.PAUSED else durations.eta(eta) + ("!" if warns else " "),
        eta_warns=warns,
        saved="" if checkpoint is None else durations.ago(moment.wall - checkpoint.saved_at),
        slice="" if run.run is None else slice_text(run.run),
    )


def _gpu_or_place(run: KnownRun) -> str:
    """The GPUs of an active run, the place in the queue of a queued one."""
    if run.status is Status.QUEUED:
        return "" if run.queue_position is None else f"#{run.queue_position}"
    if run.status in ENDED:
        return ""
    return index_ranges(sorted(int(gpu["index"]) for gpu in run.record.get("gpus") or ()))


def index_ranges(indices: Sequence[int]) -> str:
    """GPU indices in few letters: 0, 2,3 or 4-7."""
    parts: list[str] = []
    start = 0
    for position, index in enumerate(indices):
        if position + 1 < len(indices) and indices[position + 1] == index + 1:
            continue
        first = indices[start]
        parts += (
            [f"{first}-{index}"] if index - first >= 2 else [str(single) for single in indices[start : position + 1]]
        )
        start = position + 1
    return ",".join(parts)


def members_of(row_id: str, runs: Iterable[KnownRun]) -> list[KnownRun]:
    """The runs of the group that the row stands for; empty for other rows."""
    if not row_id.startswith(GROUP):
        return []
    return [run for run in runs if run.record.get("group") == row_id.removeprefix(GROUP)]


def group_row(group: str, members: Sequence[KnownRun], *, folded: bool) -> RunRow:
    states = [_COUNTED_AS.get(run.status.value, run.status.value) for run in members]
    counts = tuple((state, states.count(state)) for state in _GROUP_STATES if state in states)
    best = best_of(rank_records(run.record for run in members))
    names = member_names([str(run.record["name"]) for run in members])
    best_name = "" if best is None else names[[run.id for run in members].index(best[0])]
    return RunRow(
        run_id=GROUP + group,
        state="group",
        token=Token.FG,
        name=sanitize(group),
        group=GroupSummary(
            size=len(members),
            counts=counts,
            best="" if best is None else f"{best[1]} {best[2]}",
            best_name=sanitize(best_name),
            folded=folded,
        ),
    )


@lazy_dataclass(slots=True, kw_only=True)
class RunListOptions:
    """What the user chose: which groups are folded, which runs are marked or seen, the filter, the order, columns.

    `sort` is None for the default order, in which groups stay together; `order` has the ids as they are sorted.
    """

    folded: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    filter: RunFilter = field(default_factory=RunFilter)
    older: bool = False
    sort: RunSort | None = None
    order: Sequence[str] = ()
    hidden: set[str] = field(default_factory=set)  # columns


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
        listed, older = _without_older(matching, snapshot)
    unseen = {run.id for run in unseen_problems(snapshot, options.seen)}
    rows: list[RunRow] = []
    if options.sort is None:
        complete = {group: unit for unit in _units(matching) if (group := _group(unit[0]))} if older else {}
        for unit in _units(listed):
            members = complete.get(_group(unit[0]) or "", unit)
            rows += _unit_rows(unit, members, snapshot.moment, options.folded)
    else:
        names = _names(matching)
        rows += [run_row(run, snapshot.moment, names[run.id]) for run in _in_order(listed, options.order)]
    rows = [replace(row, bold=row.run_id in unseen, marked=row.run_id in options.marked) for row in rows]
    if older:
        rows.append(RunRow(run_id=OLDER, state="", token=Token.MUTED, name=f"{older} older, a shows them", dim=True))
    return RunListView(
        rows=tuple(rows),
        shown=len(listed),
        total=max(snapshot.total, len(matching)),
        filter=options.filter.text,
        sort=options.sort,
        hidden=frozenset(options.hidden),
    )


def _without_older(runs: Sequence[KnownRun], snapshot: Snapshot) -> tuple[list[KnownRun], int]:
    """Ended runs of the last day, fifty at most, and always the newest five; and how many are left out."""
    listed: list[KnownRun] = []
    ended = 0
    for run in runs:
        if run.status not in ENDED:
            listed.append(run)
            continue
        ended += 1
        if ended > MAX_ENDED:
            continue
        if ended <= _ALWAYS_SHOWN_ENDED or snapshot.ended_recently(run):
            listed.append(run)
    return listed, len(runs) - len(listed)


def _in_order(runs: Sequence[KnownRun], order: Sequence[str]) -> list[KnownRun]:
    indices = {run_id: index for index, run_id in enumerate(order)}
    return sorted(runs, key=lambda run: indices.get(run.id, len(indices)))


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
    unit: Sequence[KnownRun], members: Sequence[KnownRun], moment: Moment, folded: AbstractSet[str]
) -> list[RunRow]:
    """The rows of a single run or of a group; `members` includes those that are folded away for their age."""
    names = [str(run.record["name"]) for run in unit]
    group = _group(unit[0])
    if group is None or len(members) == 1:
        return [run_row(unit[0], moment, names[0])]
    head = group_row(group, members, folded=group in folded)
    if group in folded:
        return [head]
    named = zip(unit, member_names(names), strict=True)
    return [head, *(run_row(run, moment, name, member=True) for run, name in named)]
