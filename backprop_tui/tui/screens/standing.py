"""What the person at the screen chose and looked at: filter, folds, marks, zoom, what has been seen."""

from __future__ import annotations

from dataclasses import field

from backprop_tui.domain.status import ACTIVE
from backprop_tui.domain.values import dataclass
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.layout import Zoom
from backprop_tui.tui.panes.run_list import OLDER, RunListOptions
from backprop_tui.tui.panes.run_order import RunFilter, RunSort, sorted_runs
from backprop_tui.tui.panes.run_rows import GROUP, members_of
from backprop_tui.tui.snapshot import Snapshot

LOOKED_AT_SECONDS = 2.0  # a run that was selected for so long has been seen


@dataclass(slots=True)
class Standing:
    """Survives every refresh; `row` is the id of the row under the cursor."""

    row: str | None = None
    row_since: float = 0.0
    filter: RunFilter = field(default_factory=RunFilter)
    folded: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    visited: set[str] = field(default_factory=set)  # whose own tab was opened once
    older: bool = False
    zoom: Zoom = Zoom.NONE
    opened: bool = False
    sort: RunSort | None = None
    hidden: set[str] = field(default_factory=set)  # columns
    _sorted_as: tuple[RunSort | None, frozenset[tuple[str, str]]] = (None, frozenset())
    _order: tuple[str, ...] = ()

    def choices(self, snapshot: Snapshot) -> RunListOptions:
        """As the rows need them. What is sorted moves when a run changes its state, not with each of its figures."""
        now = self.sort, frozenset((one.id, one.status.value) for one in snapshot.runs)
        if self.sort is not None and now != self._sorted_as:
            self._sorted_as = now
            self._order = tuple(one.id for one in sorted_runs(snapshot.runs, self.sort, snapshot.moment))
        return RunListOptions(
            folded=frozenset(self.folded),
            marked=frozenset(self.marked),
            seen=frozenset(self.seen),
            filter=self.filter,
            older=self.older,
            sort=self.sort,
            order=self._order,
            hidden=frozenset(self.hidden),
        )

    def select(self, row: str, now: float) -> None:
        """The cursor is on another row; `now` is monotonic."""
        self.row, self.row_since = row, now

    def look(self, run: KnownRun | None, now: float) -> None:
        """Time passes with the cursor where it is; `now` is monotonic."""
        if run is not None and is_problem(run) and now - self.row_since >= LOOKED_AT_SECONDS:
            self.seen.add(run.id)

    def chosen(self, snapshot: Snapshot) -> list[KnownRun]:
        """What an action is about: the marked runs, else the members of the group, else the selected run."""
        if self.marked:
            return [one for one in snapshot.runs if one.id in self.marked]
        row = self.row or ""
        if row.startswith(GROUP):
            return members_of(row, snapshot.runs)
        found = snapshot.find(row)
        return [] if found is None or row == OLDER else [found]

    def run_of_row(self, snapshot: Snapshot) -> KnownRun | None:
        """The run whose pane is shown: of a group the first that is active, else its first."""
        row = self.row or ""
        if row.startswith(GROUP):
            members = members_of(row, snapshot.runs)
            return next((one for one in members if one.status in ACTIVE), members[0] if members else None)
        return snapshot.find(row)

    @property
    def row_group(self) -> str | None:
        """The group whose own row is under the cursor."""
        row = self.row or ""
        return row.removeprefix(GROUP) if row.startswith(GROUP) else None

    def group_of_row(self, snapshot: Snapshot) -> str | None:
        """The group of the row: its own, or that it is a member of."""
        row = self.row or ""
        if row.startswith(GROUP):
            return row.removeprefix(GROUP)
        found = snapshot.find(row)
        return None if found is None else found.record.get("group")
