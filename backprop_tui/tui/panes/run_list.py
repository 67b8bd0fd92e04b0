"""The rows of the runs list: ordered, grouped and filtered, with old runs folded away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from itertools import takewhile

from rich.cells import cell_len

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    limit_seconds,
    slice_text,
    step_columns,
)
from backprop_tui.presentation.run_facts import settings_of, without_words
from backprop_tui.presentation.run_fields import RunField, Value, field_of, qualified
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.tui.lines import Token
from backprop_tui.tui.panes.governor import unseen_problems
from backprop_tui.tui.panes.run_entries import (
    GROUP,
    OLDER,
    EndedRuns,
    Entry,
    IndexedItems,
    Item,
    LazyRows,
    ListFacts,
    names_of,
    unfinished_items,
)
from backprop_tui.tui.panes.run_row import STEP_CELLS, RunRow, gpu_or_position, group_row, has_sentence, run_row
from backprop_tui.tui.snapshot import Snapshot

MAX_ENDED = 50
_ALWAYS_SHOWN_ENDED = 5
# Sorted by these, unfinished runs keep their columns, and ended runs have them too.
UNFINISHED_SORTS = frozenset({"name", "gpu", "progress", "step", "loss", "left", "eta"})
TIMES = ("took", "started", "ended", "created")
LEAST_GPU_CELLS, _MOST_GPU_CELLS = 4, 14  # with the gap behind

_VALUES: dict[str, Callable[[KnownRun], object]] = {
    "trend": lambda run: run.curve.values,
    "eta": lambda run: run.live is not None and run.live.eta_seconds,
    "timebox": limit_seconds,
    "saved": lambda run: run.live is not None and run.live.checkpoints,
    "slice": lambda run: run.run is not None and slice_text(run.run),
    "tags": lambda run: run.record["tags"],
}


def sorted_figure(sort: RunSort | None) -> str:
    """The key of the sorted column if it has figures, which even a failed run then shows; else empty."""
    return "" if sort is None or sort.key in (*TIMES, "name") else sort.key


def members_of(row_id: str, runs: Iterable[KnownRun]) -> list[KnownRun]:
    """The runs of the group that the row stands for; empty for other rows."""
    if not row_id.startswith(GROUP):
        return []
    return [run for run in runs if run.record.get("group") == row_id.removeprefix(GROUP)]


@lazy_dataclass(slots=True, kw_only=True)
class RunListOptions:
    """What the user chose: which groups are folded, which runs are marked or seen, the filter, the order, columns.

    `sort` is None for the default order, in which groups stay together; `sort_values` has the values of unfinished
    runs that they are sorted by, by id.
    `columns` has the columns that are shown (True) or hidden (False) other than by default, the last choice last.
    """

    folded: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    filter: RunFilter = field(default_factory=RunFilter)
    older: bool = False
    sort: RunSort | None = None
    sort_values: dict[str, Value] = field(default_factory=dict)
    columns: dict[str, bool] = field(default_factory=dict)
    ended: EndedRuns = field(default_factory=EndedRuns)

    @property
    def shows_all(self) -> bool:
        """Whether runs are listed that the index has moved to the files of earlier months."""
        return self.older or bool(self.filter) or self.sort is not None

    @property
    def hidden(self) -> frozenset[str]:
        return frozenset(key for key, shown in self.columns.items() if not shown)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunListView:
    """`shown` counts the runs of the rows, `total` those of the store; `hidden` has the columns to leave out.

    The rows from `history_from` on have the columns of ended runs: those of `history` that fit, the sorted one and then
    the first ones first; `asked` are the columns that the user chose or filters by, `shared` has the names that do not
    say which column is meant, `used` the columns that active runs have values for, `names` what ended runs are called.
    `options` are the arguments that runs have, `same` those that names leave out since all runs have them alike.
    """

    rows: Sequence[RunRow]
    shown: int
    total: int
    filter: str = ""
    sort: RunSort | None = None
    hidden: AbstractSet[str] = field(default_factory=frozenset)
    above: int = 0  # rows that are scrolled out above
    below: int = 0
    history: Sequence[str] = ()
    shared: AbstractSet[str] = field(default_factory=frozenset)
    asked: AbstractSet[str] = field(default_factory=frozenset)
    names: tuple[str, ...] = ()
    unfinished_names: tuple[tuple[str, str], ...] = ()
    options: AbstractSet[str] = field(default_factory=frozenset)
    same: tuple[str, ...] = ()
    history_from: int = 0
    gpu_cells: int = LEAST_GPU_CELLS
    used: AbstractSet[str] = field(default_factory=frozenset)
    step_cells: int = 0  # that steps need, 0 while none is known

    def column(self, key: str) -> RunField | None:
        """The column of a key, under a name that no other one has."""
        column = field_of(key)
        return None if column is None else qualified(column, self.shared)

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the rows, without making them."""
        return self.rows.ids if isinstance(self.rows, LazyRows) else [row.run_id for row in self.rows]

    @property
    def run_ids(self) -> frozenset[str]:
        """The runs that are shown: by a row of their own, or by the row of their group."""
        return self.rows.run_ids if isinstance(self.rows, LazyRows) else frozenset(self.ids)

    def id_at(self, index: int) -> str:
        return self.rows.id_at(index) if isinstance(self.rows, LazyRows) else self.rows[index].run_id

    def basis_at(self, index: int) -> object:
        """What the row is made from: it need not be drawn again while that is the same."""
        if not isinstance(self.rows, LazyRows):
            return self.rows[index]
        return self.rows.basis_at(index, in_history=index >= self.history_from)

    @property
    def has_two_parts(self) -> bool:
        """Whether ended runs follow unfinished ones, below a heading of their own."""
        return 0 < self.history_from < len(self.rows)

    @property
    def lines(self) -> int:
        """How many lines the rows take, with the heading of ended runs between them."""
        return len(self.rows) + int(self.has_two_parts)


def run_list_view(snapshot: Snapshot, options: RunListOptions) -> RunListView:
    now = snapshot.moment.wall
    runs = snapshot.all_runs if options.shows_all else snapshot.runs
    first_ended = next((index for index, run in enumerate(runs) if run.status in ENDED), len(runs))
    unfinished = [run for run in runs[:first_ended] if not options.filter or options.filter.matches(run, now)]
    ended = options.ended.update(runs[first_ended:], options.filter, now)
    listed = ended if options.shows_all else _without_older(ended, snapshot)
    older = len(ended) - len(listed)
    first, rest = _items(unfinished, listed, snapshot.moment, options)
    facts = options.ended.facts(listed)
    same = facts.same(unfinished, len(listed))
    left_out = frozenset(same)
    if older:
        rest = IndexedItems([*rest, Entry(OLDER, older=older)])
    return RunListView(
        rows=_rows(first, rest, snapshot, options, left_out),
        shown=len(unfinished) + len(listed),
        total=max(snapshot.total, len(runs)),
        filter=options.filter.text,
        sort=options.sort,
        hidden=options.hidden,
        history=_history_columns(options, facts),
        asked=_asked(options, facts),
        shared=facts.shared,
        names=tuple(dict.fromkeys(without_words(name, left_out) for name in facts.names)),
        unfinished_names=names_of(first or unfinished, left_out),
        options=frozenset(facts.options).union(*(settings_of(run.record) for run in unfinished)),
        same=same,
        history_from=_history_from(first, rest, options.sort) if unfinished else 0,
        gpu_cells=_gpu_cells(unfinished, snapshot.host),
        used=_used_columns(unfinished),
        step_cells=max((step_columns(run, STEP_CELLS) for run in _active(unfinished)), default=0),
    )


def _active(unfinished: Iterable[KnownRun]) -> Iterable[KnownRun]:
    """The first of them, before those that wait."""
    return takewhile(lambda run: run.status is not Status.QUEUED, unfinished)


def _used_columns(unfinished: Iterable[KnownRun]) -> frozenset[str]:
    """The columns that active runs have values for, among those that may have no room."""
    used: set[str] = set()
    for run in _active(unfinished):
        used |= {name for name, value in _VALUES.items() if name not in used and value(run)}
    return frozenset(used)


def _gpu_cells(unfinished: Iterable[KnownRun], here: str) -> int:
    """How wide the column of the GPUs has to be: names of other machines need more, and 0 if no run has any text."""
    longest = max((cell_len(gpu_or_position(run, here)) for run in unfinished), default=0)
    return longest and max(LEAST_GPU_CELLS, min(longest + 1, _MOST_GPU_CELLS))


def _items(
    unfinished: Sequence[KnownRun], listed: Sequence[KnownRun], moment: Moment, options: RunListOptions
) -> tuple[IndexedItems, IndexedItems]:
    """The rows: those that change with unfinished runs, then the others."""
    if options.sort is not None:
        values = [options.sort_values.get(run.id) for run in unfinished]
        return IndexedItems(), options.ended.sorted_with(unfinished, values, options.sort, moment)
    before = unfinished_items(unfinished, listed, options.ended, options.folded)
    groups = {str(run.record["group"]) for run in unfinished if run.record.get("group") is not None}
    return IndexedItems(before), options.ended.items(listed, groups, options.folded)


def _history_from(first: IndexedItems, rest: IndexedItems, sort: RunSort | None) -> int:
    """The index of the first row with the columns of ended runs."""
    if sort is None:
        return len(first)
    return len(rest) if sort.key in UNFINISHED_SORTS else 0


def _rows(
    first: IndexedItems, rest: IndexedItems, snapshot: Snapshot, options: RunListOptions, same: AbstractSet[str]
) -> LazyRows[RunRow]:
    unseen = {run.id for run in unseen_problems(snapshot, options.seen)}
    moment = snapshot.moment
    today = durations.date(moment.wall, 0.0)
    has_names = len({run.name for run in snapshot.unfinished}) > 1
    sizes = options.ended.group_sizes(snapshot.unfinished) if options.filter else {}

    def row(item: Item) -> RunRow:
        run = item.run if isinstance(item, Entry) else item
        if run is not None:
            name, member = (item.name, True) if isinstance(item, Entry) else (without_words(run.label, same), False)
            bold, marked = run.id in unseen, run.id in options.marked
            made = run_row(run, moment, name, here=snapshot.host, member=member, bold=bold, marked=marked)
            if run.status in ENDED:
                return made
            return replace(made, keeps_front=has_names, short=sanitize(without_words(run.short, same)))
        assert isinstance(item, Entry)  # noqa: S101 - for the type checker
        if item.older:
            text = f"{item.older} older, a shows them"
            return RunRow(run_id=OLDER, state="", token=Token.MUTED, name=text, dim=True)
        return group_row(item.name, item.members, folded=item.name in options.folded, total=sizes.get(item.name, 0))

    def basis(item: Item, in_history: bool) -> object:  # noqa: FBT001 - called by position
        """The figures of an ended run stay, and its times are of the day; elsewhere it has its age."""
        run = item.run if isinstance(item, Entry) else item
        if run is None:
            return item, isinstance(item, Entry) and (item.name in options.folded, sizes.get(item.name))
        time = today if in_history and run.status in ENDED else moment
        figure = sorted_figure(options.sort) if in_history and has_sentence(run, moment) else ""
        return time, item, run.id in unseen, run.id in options.marked, figure, has_names, same

    return LazyRows(first, rest, row, basis)


def _history_columns(options: RunListOptions, facts: ListFacts) -> list[str]:
    """The chosen columns, the newest first, those filtered by, the default ones, and in any case the sorted one."""
    sorted_by = [] if options.sort is None or options.sort.key == "name" else [options.sort.key]
    chosen = [key for key, shown in reversed(options.columns.items()) if shown]
    keys = dict.fromkeys([*chosen, *facts.compared, *facts.columns, *sorted_by])
    return [key for key in keys if key in sorted_by or options.columns.get(key) is not False]


def _asked(options: RunListOptions, facts: ListFacts) -> frozenset[str]:
    """The columns that the user chose, filters by or sorts by; that of `since:7d` may give way to names."""
    chosen = (key for key, shown in options.columns.items() if shown)
    compared = (key for key in facts.compared if key not in options.filter.times)
    return frozenset([*chosen, *compared, *([] if options.sort is None else [options.sort.key])])


def _without_older(ended: Sequence[KnownRun], snapshot: Snapshot) -> list[KnownRun]:
    """Ended runs of the last day, fifty at most, and always the newest five."""
    newest = enumerate(ended[:MAX_ENDED])
    return [run for index, run in newest if index < _ALWAYS_SHOWN_ENDED or snapshot.ended_recently(run)]
