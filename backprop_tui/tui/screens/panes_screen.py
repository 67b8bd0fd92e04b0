"""The panes of the main screen: painting, layout, cursor, and questions to the user."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.geometry import Offset, Size
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.actions import footer_actions
from backprop_tui.tui.bridge import Bridge
from backprop_tui.tui.charts.source import ChartSource
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.layout import Layout, compute_layout
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.panes.governor import (
    GovernorBar,
    ProblemBar,
    draw_governor,
    draw_problem,
    governor_line_view,
    problem_view,
)
from backprop_tui.tui.panes.header import draw_header, header_view
from backprop_tui.tui.panes.machine import MachineBar, machine_view
from backprop_tui.tui.panes.run_list import OLDER, run_list_view
from backprop_tui.tui.panes.run_order import RunFilter, RunSort
from backprop_tui.tui.panes.runs import RunsTable, beginning_view
from backprop_tui.tui.panes.selected_run import DETAILS, LOG, SelectedHeading, SelectedRun
from backprop_tui.tui.screens.ui_state import UiState
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget
from backprop_tui.tui.widgets.log import LogView

if TYPE_CHECKING:
    from backprop_tui.tui.screens.questions import Question

_NO_TOAST_WIDTH, _NO_TOAST_HEIGHT = 60, 12  # on smaller screens a notification would cover everything


class PanesScreen(Screen[None]):
    """Shows a snapshot; the main screen adds the actions."""

    def __init__(
        self,
        snapshot: Snapshot,
        bridge: Bridge,
        charts: ChartSource,
        *,
        glyphs: Glyphs,
        selected_run: str | None = None,
    ) -> None:
        super().__init__()
        self.snapshot = snapshot
        self.glyphs = glyphs
        self.state = UiState(row=selected_run)
        self._bridge = bridge
        self._layout_now = compute_layout(80, 24, gpus=0)
        self._painted_size = Size(0, 0)
        self._has_cursor = False
        self._held: str | None = None  # the run whose details were opened because it is held
        self._awaited: str | None = None  # a run that was queued here, to be selected when it appears
        self.runs_table = RunsTable(glyphs=glyphs, id="runs")
        self.runs_table.selected = selected_run
        self.selected = SelectedRun(charts, glyphs=glyphs, id="selected")

    @cached_property
    def example(self) -> str | None:
        """The path of the example script; the package may be installed without its scripts."""
        from backprop_tui.demo.scenario import EXAMPLE

        return EXAMPLE if os.path.isfile(EXAMPLE) else None

    # Painting

    def compose(self) -> ComposeResult:
        yield LineWidget(glyphs=self.glyphs, id="header")
        yield MachineBar(glyphs=self.glyphs, id="machine")
        yield GovernorBar(glyphs=self.glyphs, id="governor")
        yield ProblemBar(glyphs=self.glyphs, id="problem")
        with Container(id="body"):
            yield self.runs_table
            yield self.selected
        yield FooterBar(glyphs=self.glyphs, id="footer")

    def on_mount(self) -> None:
        batch = ExitStack()  # Textual lays the screen out four times before the first paint; it is painted once
        batch.enter_context(self.app.batch_update())
        self.call_later(batch.close)
        self.runs_table.focus()
        self.paint()  # selects a run at once, so that its log is there with the first paint or right after it
        self.call_after_refresh(self._mount_hidden)

    def _mount_hidden(self) -> None:
        """Mount what the first paint does not show; nothing if `q` was pressed before."""
        if not self.is_attached:
            return
        _ = self.filter_input
        self.selected.mount_tabs()
        self.paint_selected()

    def take(self, snapshot: Snapshot) -> None:
        """Shows another snapshot; one that arrives while the app closes is dropped."""
        if not self.is_mounted or not self.app.is_running:
            return
        self.snapshot = snapshot
        self.state.note_seen(self.state.selected_run(snapshot), snapshot.moment.monotonic)
        self._leave_details_when_started()
        self.paint()
        if self._awaited is not None and snapshot.find(self._awaited) is not None:
            self.runs_table.select(self._awaited)
            self._awaited = None

    def fail(self, text: str) -> None:
        """Says in the header that the store cannot be read; the last snapshot stays."""
        self.snapshot = replace(self.snapshot, problem=sanitize(text))
        self.paint()

    @on(events.Resize)
    def _resized(self) -> None:
        if self.app.size != self._painted_size:  # Textual sends this event three times before the first paint
            self.paint()

    def paint(self) -> None:
        """Paints every pane from the snapshot; each sends only what changed."""
        self._painted_size = self.app.size
        self._lay_out()
        width, snapshot = self.app.size.width, self.snapshot
        self.query_one("#header", LineWidget).show([draw_header(header_view(snapshot), width, self.glyphs)])
        self.query_one(MachineBar).show_view(machine_view(snapshot), self._layout_now)
        self.query_one(GovernorBar).show([draw_governor(governor_line_view(snapshot), width, self.glyphs)])
        problem = problem_view(snapshot, self.state.seen)
        self.query_one(ProblemBar).show([] if problem is None else [draw_problem(problem, width, self.glyphs)])
        self.state.update_order(snapshot)
        beginning = beginning_view(snapshot, example=snapshot.is_beginning and self.example is not None)
        self.runs_table.show_view(run_list_view(snapshot, self.state), beginning)
        self._follow_cursor()
        self.paint_selected()

    @on(SelectedRun.Changed)
    @on(LogView.SearchToggled)
    def paint_selected(self) -> None:
        run = self.state.selected_run(self.snapshot)
        if self.state.is_group_row:
            members = self.state.group_members(self.snapshot)
            self.selected.show_group(str(self.state.group(self.snapshot)), members, self.snapshot, self._layout_now)
        else:
            self.selected.show_run(run, self.snapshot, self._layout_now)
        status = None if run is None or self.state.row == OLDER else run.status
        actions = self.selected.footer_actions() or footer_actions(
            status, group=self.state.is_group_row, empty=self.snapshot.is_beginning
        )
        marked = f"{len(self.state.marked)} marked" if self.state.marked else ""
        self.query_one(FooterBar).show_actions(actions, self.app.size.width, note=marked)

    def _lay_out(self) -> None:
        sample = self.snapshot.sample
        new = compute_layout(
            self.app.size.width,
            self.app.size.height,
            gpus=0 if sample is None else len(sample.readings.gpus),
            problem=problem_view(self.snapshot, self.state.seen) is not None,
            zoom=self.state.zoom,
            opened=self.state.opened,
            empty=self.snapshot.is_beginning,
        )
        if new != self._layout_now:
            self._layout_now = new
            self._apply_layout(new)

    def _apply_layout(self, new: Layout) -> None:
        for name, rows in (
            ("machine", new.machine_rows),
            ("governor", new.governor_rows),
            ("problem", new.problem_rows),
            ("footer", new.footer_rows),
        ):
            bar = self.query_one(f"#{name}")
            bar.display = rows > 0
            bar.styles.height = max(1, rows)
        self.query_one("#body").set_class(new.beside, "-beside")
        runs, selected = self.runs_table, self.selected
        runs.display, selected.display = new.runs_rows > 0, new.selected_rows > 0
        if new.runs_rows:
            runs.styles.height, runs.styles.width = new.runs_rows, new.runs_width
        if new.selected_rows:
            selected.styles.height = new.selected_rows
        if not selected.display and selected.has_focus_within:
            runs.focus()
        elif not runs.display and runs.has_focus:
            selected.tab_widget.focus()

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """Lets the mouse select text in a LineWidget, where the offset is the cell itself."""
        widget, offset = super().get_widget_and_offset_at(x, y)
        if offset is None and isinstance(widget, LineWidget):
            region = self.find_widget(widget).region
            offset = Offset(x - region.x, y - region.y)
        return widget, offset

    # Talking to the user, and work in the background

    async def ask(self, question: Question) -> str:
        from backprop_tui.tui.screens.questions import Ask

        return await self.app.push_screen_wait(Ask(question, glyphs=self.glyphs))

    def tell(self, text: str, *, bad: bool = False) -> None:
        if not bad and (self.size.width < _NO_TOAST_WIDTH or self.size.height < _NO_TOAST_HEIGHT):
            return
        self.notify(text, severity="warning" if bad else "information", timeout=5, markup=False)

    def work(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Runs in the background, then reads the store; an unexpected error becomes a notification."""

        async def guarded() -> None:
            try:
                await coroutine
            except Exception as error:  # noqa: BLE001 - a fault of one request must not end the dashboard
                self.tell(f"internal error: {error!r}", bad=True)
            self._bridge.look()

        self.run_worker(guarded(), group="requests")

    # The cursor

    def _follow_cursor(self) -> None:
        """Brings the state up to date with the cursor of the table."""
        row = self.runs_table.selected
        if row is not None and (row != self.state.row or not self._has_cursor):
            self._has_cursor = True
            self.state.select(row, self.snapshot.moment.monotonic)
            self._row_changed()

    @on(RunsTable.Selected)
    def _row_selected(self) -> None:
        self._follow_cursor()
        self.paint_selected()

    def _row_changed(self) -> None:
        """Reads the run's events; the first time opens the log of a failed run and the details of a held one."""
        run = self.state.selected_run(self.snapshot)
        self._bridge.select(None if run is None else run.id)
        if run is None or self.state.is_group_row or run.id in self.state.visited or _is_undecided(run):
            return
        self.state.visited.add(run.id)
        if run.status in (Status.FAILED, Status.LOST, Status.STARTING):
            self.selected.choose(LOG)
        elif run.status is Status.QUEUED and run.record["hold_reasons"]:
            self.selected.choose(DETAILS)
            self._held = run.id

    def _leave_details_when_started(self) -> None:
        """Goes back to the log when a held run starts, unless another tab was chosen meanwhile."""
        run = self.state.selected_run(self.snapshot)
        if self._held is None:
            if run is not None and run.status is Status.QUEUED and self.selected.tab == LOG:
                self._row_changed()  # it was queued a moment ago, and may be held now
            return
        if run is None or run.id != self._held or self.selected.tab != DETAILS:
            self._held = None
        elif run.status is not Status.QUEUED:
            self._held = None
            self.selected.choose(LOG)

    def go_to(self, run_id: str) -> None:
        """Moves the cursor to a run, even if a fold, the filter or its age hides it."""
        run = self.snapshot.find(run_id)
        if run is None:
            return
        self.state.folded.discard(str(run.record.get("group")))
        if self.state.filter and not self.state.filter.matches(run):
            self.state.filter = RunFilter()
            self.set_filter("")
        self.paint()
        if all(row.run_id != run_id for row in self.runs_table.view.rows):
            self.state.older = True
            self.paint()
        self.runs_table.select(run_id)

    @cached_property
    def filter_input(self) -> Input:
        from backprop_tui.tui.textual_patches.line_input import LineInput

        placeholder = "name, tag, group, command; state:failed gpu:1 tag:x"
        line = LineInput(placeholder=placeholder, id="filter", compact=True)
        self.mount(line, before="#footer")
        return line

    def set_filter(self, text: str) -> None:
        self.filter_input.value = text

    @on(Input.Changed, "#filter")
    def _filter_changed(self, message: Input.Changed) -> None:
        self.state.filter = RunFilter.parse(message.value)
        self.paint()

    def action_filter(self) -> None:
        self.filter_input.add_class("-open")
        self.filter_input.focus()

    @on(Input.Submitted, "#filter")
    def close_filter(self) -> None:
        self.filter_input.remove_class("-open")
        self.set_focus(self.runs_table)

    @on(RunsTable.FilterKey)
    def _filter_key(self, message: RunsTable.FilterKey) -> None:
        if self.filter_input.has_class("-open"):
            self.filter_input.post_message(events.Key(message.key, message.character))
        else:
            self.action_filter()

    def sort(self, sort: RunSort | None) -> None:
        """Order the runs; the cursor stays with its run."""
        self.state.sort = sort
        self.paint()

    @on(SelectedHeading.TabClicked)
    def _tab_clicked(self, message: SelectedHeading.TabClicked) -> None:
        self.selected.choose(message.tab)


def _is_undecided(run: KnownRun) -> bool:
    """Whether the governor has not said yet why the queued run waits."""
    return run.status is Status.QUEUED and not run.record["hold_reasons"]
