"""What the user chose and looked at on the main screen: cursor, filter, folds, marks, zoom, what has been seen."""

from __future__ import annotations

from dataclasses import field

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import ACTIVE, ENDED
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.layout import Zoom
from backprop_tui.tui.panes.run_list import GROUP, OLDER, RunListOptions, members_of
from backprop_tui.tui.panes.run_order import sorted_runs
from backprop_tui.tui.snapshot import Snapshot

SEEN_AFTER_SECONDS = 2.0  # a problem under the cursor for this long has been seen


@lazy_dataclass(slots=True, kw_only=True)
class UiState(RunListOptions):
    """Survives every refresh; `row` is the id of the row under the cursor."""

    row: str | None = None
    row_since: float = 0.0
    visited: set[str] = field(default_factory=set)  # runs that were selected once, so that their tab was chosen
    zoom: Zoom = Zoom.NONE
    opened: bool = False
    _sorted_as: tuple[object, ...] = ()

    def update_order(self, snapshot: Snapshot) -> None:
        """Sorts again; sorted rows move when a run changes its status, not with each new value."""
        if self.sort is None:
            return
        runs = snapshot.all_runs
        unfinished = tuple((run.id, run.status.value) for run in runs if run.record["status"] not in ENDED)
        sorted_as = self.sort, unfinished, len(runs)
        if sorted_as != self._sorted_as:
            self._sorted_as = sorted_as
            self.order = [run.id for run in sorted_runs(runs, self.sort, snapshot.moment)]

    def select(self, row: str, now: float) -> None:
        """Records that the cursor moved to another row; `now` is monotonic."""
        self.row, self.row_since = row, now

    def note_seen(self, run: KnownRun | None, now: float) -> None:
        """Marks a problem as seen when the cursor has been on it long enough; `now` is monotonic."""
        if run is not None and is_problem(run) and now - self.row_since >= SEEN_AFTER_SECONDS:
            self.seen.add(run.id)

    def toggle_mark(self, run_id: str) -> None:
        self.marked ^= {run_id}

    def target_runs(self, snapshot: Snapshot) -> list[KnownRun]:
        """Returns the runs that an action applies to: the marked ones, else the group's members, else the selected."""
        if self.marked:
            return [run for run in snapshot.all_runs if run.id in self.marked]
        if self.is_group_row:
            return members_of(self.row or "", snapshot.runs)
        run = snapshot.find(self.row)
        return [] if run is None or self.row == OLDER else [run]

    def selected_run(self, snapshot: Snapshot) -> KnownRun | None:
        """Returns the run whose pane is shown; of a group the first active one, else its first."""
        if self.is_group_row:
            members = members_of(self.row or "", snapshot.runs)
            return next((run for run in members if run.status in ACTIVE), members[0] if members else None)
        return snapshot.find(self.row)

    @property
    def is_group_row(self) -> bool:
        return (self.row or "").startswith(GROUP)

    def group(self, snapshot: Snapshot) -> str | None:
        """Returns the group of the row: the group's own row, or the group that the run is a member of."""
        if self.is_group_row:
            return (self.row or "").removeprefix(GROUP)
        run = snapshot.find(self.row)
        return None if run is None else run.record.get("group")

    def group_members(self, snapshot: Snapshot) -> list[KnownRun]:
        """Returns all runs of the group under the cursor; none without a group."""
        group = self.group(snapshot)
        return [] if group is None else [run for run in snapshot.runs if run.record.get("group") == group]
