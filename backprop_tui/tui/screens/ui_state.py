"""What the user chose and looked at on the main screen: cursor, filter, folds, marks, zoom, what has been seen."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_order import sort_value
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.layout import Zoom
from backprop_tui.tui.panes.run_entries import GROUP
from backprop_tui.tui.panes.run_list import RunListOptions, members_of
from backprop_tui.tui.snapshot import Snapshot

RESORT_SECONDS = 15.0  # between two orders by values that change, and since the last key: no row moves under a hand
SEEN_AFTER_SECONDS = 2.0  # a problem under the cursor for this long has been seen


@lazy_dataclass(frozen=True, slots=True)
class Targets:
    """The runs that an action applies to: marked ones, the members of `group`, or the selected one."""

    runs: Sequence[KnownRun]
    marked: bool = False
    group: str | None = None

    def named(self, runs: Sequence[KnownRun]) -> str:
        """Some of the targets: `train`, `3 marked runs`, `2 of 3 marked runs`, `4 runs of sweep`."""
        if len(self.runs) == 1:
            return sanitize(self.runs[0].label)
        amount = counted(len(self.runs), "marked run" if self.marked else "run")
        amount += "" if self.group is None else f" of {sanitize(self.group)}"
        return amount if len(runs) == len(self.runs) else f"{len(runs)} of {amount}"


@lazy_dataclass(slots=True, kw_only=True)
class UiState(RunListOptions):
    """Survives every refresh; `row` is the id of the row under the cursor.

    `marked_in_turn` has the rows that were marked or unmarked one after the other, up to the cursor.
    """

    row: str | None = None
    row_since: float = 0.0
    problem_shown: tuple[str, float] | None = None  # the failed run under the cursor, and since when it is shown
    marked_in_turn: tuple[str | None, ...] = ()
    visited: set[str] = field(default_factory=set)  # runs that were selected once, so that their tab was chosen
    zoom: Zoom = Zoom.NONE
    opened: bool = False
    _sorted_as: tuple[object, ...] = ()
    _sorted_at: float = 0.0

    @property
    def zoom_now(self) -> Zoom:
        """The pane that fills the screen: a run that was opened while the runs do takes their place."""
        return Zoom.SELECTED if self.opened and self.zoom is Zoom.RUNS else self.zoom

    def update_order(self, snapshot: Snapshot) -> None:
        """Sorts again when a run has changed its status, or the order has expired; rows do not move with each value."""
        if self.sort is None:
            return
        unfinished = snapshot.unfinished
        sorted_as = self.sort, [(run.id, run.status) for run in unfinished]
        if sorted_as != self._sorted_as:
            self._sorted_as, self._sorted_at = sorted_as, snapshot.moment.monotonic
            self.sort_values = {run.id: sort_value(run, self.sort, snapshot.moment) for run in unfinished}

    def expire_order(self, now: float, silent_seconds: float) -> None:
        """Lets rows move to where their new values belong, when nobody has pressed a key for a while."""
        if min(now - self._sorted_at, silent_seconds) >= RESORT_SECONDS:
            self._sorted_as = ()

    def with_objective(self, snapshot: Snapshot) -> list[KnownRun]:
        """The runs that may say which values of a column are better."""
        return [*snapshot.unfinished, *self.ended.with_objective()]

    def select(self, row: str | None, now: float) -> None:
        """Records that the cursor moved to another row, None while there is none; `now` is monotonic."""
        self.row, self.row_since, self.marked_in_turn = row, now, ()

    def note_seen(self, run: KnownRun | None, now: float) -> None:
        """Marks a problem as seen when it has been shown under the cursor long enough; `now` is monotonic.

        `run` is None while a dialog covers it.
        """
        if run is None or not is_problem(run):
            self.problem_shown = None
            return
        if self.problem_shown is None or self.problem_shown[0] != run.id:
            self.problem_shown = run.id, now
        if now - max(self.problem_shown[1], self.row_since) >= SEEN_AFTER_SECONDS:
            self.seen.add(run.id)

    def toggle_marks(self, ids: AbstractSet[str]) -> None:
        """Marks these runs; if all of them are marked, unmarks them."""
        self.marked_in_turn = ()
        self.marked = self.marked - ids if ids <= self.marked else self.marked | ids

    def target_runs(self, snapshot: Snapshot, shown: AbstractSet[str]) -> Targets:
        """What an action applies to, of the runs that are shown: the marked ones, else those of the row."""
        if not self.marked:
            return self.row_runs(snapshot, shown)
        marked = self.marked & shown
        return Targets([run for run in snapshot.all_runs if run.record["id"] in marked], marked=True)

    def row_runs(self, snapshot: Snapshot, shown: AbstractSet[str]) -> Targets:
        """The runs of the row under the cursor: the members of a group that are shown, or a run."""
        if self.is_group_row:
            members = [run for run in self.group_members(snapshot) if run.id in shown]
            return Targets(members, group=(self.row or "").removeprefix(GROUP))
        run = snapshot.find(self.row)
        return Targets([] if run is None or run.id not in shown else [run])

    def selected_run(self, snapshot: Snapshot) -> KnownRun | None:
        """Returns the run whose pane is shown; of a group the first active one, else its first."""
        if self.is_group_row:
            members = members_of(self.row or "", snapshot.all_runs)
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
        return [] if group is None else [run for run in snapshot.all_runs if run.record.get("group") == group]
