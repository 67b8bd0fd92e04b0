"""The panes of the main screen: painting, layout, cursor, and questions to the user."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.geometry import Offset, Size
from textual.notifications import Notification, Notify
from textual.timer import Timer
from textual.widget import Widget

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.tui.action import Action
from backprop_tui.tui.bridge import Bridge
from backprop_tui.tui.charts.source import ChartSource
from backprop_tui.tui.footer_actions import FILTER_FOOTER, footer_actions, footer_now
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.layout import ANY_ROWS, Layout, PaneNeeds, compute_layout
from backprop_tui.tui.lines import wrapped
from backprop_tui.tui.panes.footer import FooterBar, keys_beside
from backprop_tui.tui.panes.gauges import MachineView, machine_view
from backprop_tui.tui.panes.governor import (
    GovernorBar,
    ProblemBar,
    draw_governor,
    draw_problem,
    governor_line_view,
    problem_view,
)
from backprop_tui.tui.panes.header import HeaderBar, header_view
from backprop_tui.tui.panes.machine import MachineBar
from backprop_tui.tui.panes.run_entries import OLDER
from backprop_tui.tui.panes.run_list import run_list_view
from backprop_tui.tui.panes.runs import NO_MATCH_ROWS, RunsTable, beginning_view
from backprop_tui.tui.panes.selected_heading import SelectedHeading
from backprop_tui.tui.panes.selected_run import DETAILS, LOG, SelectedRun
from backprop_tui.tui.screens.run_filtering import FilteredScreen
from backprop_tui.tui.screens.ui_state import UiState
from backprop_tui.tui.snapshot import OpenRun, Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget
from backprop_tui.tui.widgets.log import LogView

if TYPE_CHECKING:
    from backprop_tui.tui.screens.questions import Question
    from backprop_tui.tui.user_commands import UserCommand

AnyActionT = TypeVar("AnyActionT", bound="Action | UserCommand")
SETTLE_SECONDS = 0.3
_LOG_SECONDS = 0.05  # that the first paint waits for the log at most; most are read meanwhile
_PREPARE_SECONDS = 0.01  # between two steps, each of which takes a millisecond or two
NEWS_SECONDS, BAD_NEWS_SECONDS = 5.0, 60.0
_TOAST_ROWS = 4  # as in the style sheet
_NO_TOAST_WIDTH, _NO_TOAST_HEIGHT = 60, 12  # on smaller screens a notification would cover everything


class PanesScreen(FilteredScreen):
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
        super().__init__(bridge)
        self.snapshot = snapshot
        self.glyphs = glyphs
        choices = bridge.list_choices
        self.state = UiState(row=selected_run, seen=bridge.seen_failures, columns=choices.columns, sort=choices.sort)
        self._painted_size = Size(0, 0)
        self._has_cursor = False
        self._settling: Timer | None = None
        self._held: str | None = None  # the selected run, if its details were opened because it is held
        self._machine = machine_view(snapshot)  # another one with each snapshot
        self._bars_machine: MachineView | None = None
        self._bars_place: tuple[object, ...] = ()
        self._marked_note = ""  # in the footer
        self._prepared_for: tuple[int, list[str]] = (0, [])
        self._awaited: str | None = None  # a run that was queued here, to be selected when it appears
        self._queued = 0  # how many runs were queued with it
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
        yield HeaderBar(glyphs=self.glyphs, id="header")
        yield MachineBar(glyphs=self.glyphs, id="machine")
        yield GovernorBar(glyphs=self.glyphs, id="governor")
        yield ProblemBar(glyphs=self.glyphs, id="problem")
        with Container(id="body"):
            with Container(id="left"):
                yield self.runs_table
                yield LineWidget(glyphs=self.glyphs, id="histories")
            yield self.selected
        yield FooterBar(glyphs=self.glyphs, id="footer")

    def on_mount(self) -> None:
        batch = ExitStack()  # Textual lays the screen out four times before the first paint; it is painted once
        batch.enter_context(self.app.batch_update())
        self.call_later(self._paint_first, batch)
        self.set_focus(self.runs_table)  # at once: a key that is typed before the first paint may move it
        self.paint()  # selects a run at once, so that its log is there with the first paint or right after it
        self.call_after_refresh(self._mount_hidden)

    def _paint_first(self, batch: ExitStack) -> None:
        """Waits a moment for the log: without it, the first paint would soon be followed by a second one."""
        self.selected.log_view.await_page(_LOG_SECONDS)
        batch.close()

    def _mount_hidden(self) -> None:
        """Mount what the first paint does not show; nothing if `q` was pressed before."""
        if not self.is_attached:
            return
        _ = self.filter_input
        self.selected.mount_tabs()
        self._settle_later()
        self.paint_selected()

    def take(self, snapshot: Snapshot, *, silent_seconds: float = 0.0) -> None:
        """Shows another snapshot, so long after the last key; one that arrives while the app closes is dropped."""
        if not self.is_mounted or not self.app.is_running:
            return
        self.snapshot, self._machine = snapshot, machine_view(snapshot)
        shown = self.state.selected_run(snapshot) if self.is_current else None
        self.state.note_seen(shown, snapshot.moment.monotonic)
        self.state.expire_order(snapshot.moment.monotonic, silent_seconds)
        self._follow_held()
        if self.state.marked:
            self.state.marked = snapshot.known_ids(self.state.marked)
        self.paint()
        self._prepare_sorting()
        awaited = snapshot.find(self._awaited)
        if awaited is not None:
            self.runs_table.select(awaited.id)
            if self._queued:
                what = sanitize(awaited.label) if self._queued == 1 else counted(self._queued, "run")
                hidden = f", hidden by /{sanitize(self.state.filter.text)}" if self._is_filtered_out(awaited) else ""
                self.tell(f"Queued {what}{hidden}")
            self._awaited, self._queued = None, 0

    def take_events(self, opened: OpenRun | None) -> None:
        """Shows the events of the selected run."""
        if self.is_mounted and self.app.is_running:
            self.snapshot = replace(self.snapshot, opened=opened)
            self.selected.show_events(self.snapshot)

    def await_run(self, run_id: str | None, *, queued: int = 0) -> None:
        """Selects a run that was just queued, as soon as it appears, and says that so many runs were queued.

        Its id is empty while it is being queued, and None when there is nothing to wait for.
        """
        self._awaited, self._queued = run_id, queued

    def fail(self, text: str) -> None:
        """Says in the header that the store cannot be read; the last snapshot stays."""
        self.snapshot = replace(self.snapshot, problem=sanitize(text))
        self._machine = machine_view(self.snapshot)
        self.paint()

    @on(events.Resize)
    def _resized(self) -> None:
        if self.app.size != self._painted_size:  # Textual sends this event three times before the first paint
            self.paint()

    def paint(self, *, from_top: bool = False, keep: str | None = None) -> None:
        """Paints every pane from the snapshot; each sends only what changed.

        `from_top` and `keep` are about the list of runs, as in `RunsTable.show_view`.
        """
        self._painted_size = self.app.size
        width, snapshot = self.app.size.width, self.snapshot
        self._ask_for_history()
        self.state.update_order(snapshot)
        runs = run_list_view(snapshot, self.state)
        self._lay_out(runs.lines)
        self._paint_bars(width)
        beginning = beginning_view(snapshot, example=snapshot.is_beginning and self.example is not None)
        self.runs_table.show_view(runs, beginning, from_top=from_top, keep=keep)
        self._marked_note = self._marks_note()
        self._follow_cursor()
        self.paint_selected()
        self._paint_histories()

    def _paint_bars(self, width: int) -> None:
        """What has nothing to do with the list stays as it is while only the list changes."""
        snapshot, layout = self.snapshot, self._layout_now
        problem = problem_view(snapshot, self.state.seen)
        self.query_one(ProblemBar).show([] if problem is None else [draw_problem(problem, width, self.glyphs)])
        if self._bars_machine is self._machine and self._bars_place == (layout, width):
            return
        self._bars_machine, self._bars_place = self._machine, (layout, width)
        self.query_one(HeaderBar).show_view(header_view(snapshot), width)
        self.query_one(MachineBar).show_view(self._machine, layout)
        self.query_one(GovernorBar).show([draw_governor(governor_line_view(snapshot), width, self.glyphs)])

    def _paint_histories(self) -> None:
        shown = self._layout_now
        if shown.history_rows:
            from backprop_tui.tui.panes.wide import device_histories, draw_histories

            lines = draw_histories(device_histories(self.snapshot), shown.runs_width, shown.history_rows, self.glyphs)
            self.query_one("#histories", LineWidget).show(lines)

    @on(SelectedRun.Changed)
    @on(LogView.SearchToggled)
    def paint_selected(self) -> None:
        if self.state.is_group_row:
            snapshot, members = self.snapshot, self.state.group_members(self.snapshot)
            wall = snapshot.moment.wall
            shown = [run for run in members if self.state.filter.matches(run, wall)] if self.state.filter else members
            name = str(self.state.group(snapshot))
            self.selected.show_group(name, shown or members, snapshot, self._layout_now, total=len(members))
        else:
            self.selected.show_run(self.state.selected_run(self.snapshot), self.snapshot, self._layout_now)
        self._paint_footer()

    @on(events.ScreenSuspend)
    def _covered(self) -> None:
        """Textual asks for a repaint of the whole screen, which would repaint the dialog above it too."""
        self._repaint_required = False

    @on(events.ScreenSuspend)
    @on(events.ScreenResume)
    @on(events.DescendantFocus, "#filter")
    @on(events.DescendantBlur, "#filter")
    def _paint_footer(self) -> None:
        """The keys that apply; none while a dialog takes the keys."""
        footer, width = self.query_one(FooterBar), self.app.size.width
        if self.app.screen is not self:
            footer.show([])
            return
        if self._is_filter_open and self.focused is self.filter_input:
            footer.show_actions(FILTER_FOOTER, width, all_keys=False)
            return
        actions = self.offered(self.selected.footer_actions() or self.row_actions())
        actions = footer_now(actions, held=self.snapshot.queue_held, problem=self.query_one(ProblemBar).shown_text)
        footer.show_actions(actions, width, note=self._marked_note)

    def row_actions(self) -> Sequence[Action]:
        """What applies to the marked runs, else to the row under the cursor, most likely first."""
        run = self.state.selected_run(self.snapshot)
        status = None if run is None or self.state.row == OLDER else run.status
        members = self.state.group_members(self.snapshot) if self.state.is_group_row else ()
        group = {member.status for member in members}
        marked = map(self.snapshot.find, self.state.marked & self.runs_table.view.run_ids)
        statuses = [run.status for run in marked if run is not None]
        return footer_actions(status, group=group, marked=statuses, empty=self.snapshot.is_beginning)

    def offered(self, actions: Iterable[AnyActionT]) -> list[AnyActionT]:
        """Those that are not refused because the dashboard is read-only."""
        return [action for action in actions if not (action.changes and self.snapshot.is_read_only)]

    def _marks_note(self) -> str:
        """How many runs are marked, and how many of them an action ignores because they are not shown."""
        if not self.state.marked:
            return ""
        shown = len(self.state.marked & self.runs_table.view.run_ids)
        hidden = len(self.state.marked) - shown
        return f"{shown} marked" + (f", {hidden} hidden" if hidden else "")

    def _lay_out(self, runs: int) -> None:
        """Divides the screen for so many lines of the list, and what the selected run has to show."""
        shown = self._layout_now
        content = self.selected.content_rows
        needs = PaneNeeds(
            runs=0 if self.snapshot.is_beginning else 1 + max(runs, NO_MATCH_ROWS),
            selected=(shown.selected_rows or ANY_ROWS) if content is None else content,
            rule=self.rule,
            before=shown,
        )
        new = compute_layout(
            self.app.size.width,
            self.app.size.height,
            gpus=len(self._machine.gpus),
            problem=problem_view(self.snapshot, self.state.seen) is not None,
            zoom=self.state.zoom_now,
            opened=self.state.opened,
            needs=needs,
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
        left, histories = self.query_one("#left"), self.query_one("#histories")
        left.display = runs.display = new.runs_rows > 0
        selected.display, histories.display = new.selected_rows > 0, new.history_rows > 0
        if new.runs_rows:
            left.styles.height, left.styles.width = new.runs_rows + new.history_rows, new.runs_width
            runs.styles.height, histories.styles.height = new.runs_rows, max(1, new.history_rows)
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

    def tell(
        self, text: str, *, bad: bool = False, seconds: float | None = None, kind: type[Notification] = Notification
    ) -> None:
        """Shows a message in the footer and as many rows above it as it needs; bad news stay longer, or until a key."""
        if not bad and (self.size.width < _NO_TOAST_WIDTH or self.size.height < _NO_TOAST_HEIGHT):
            return
        line = " · ".join(filter(None, map(str.strip, text.splitlines())))
        rows = wrapped(line, self.size.width - keys_beside(self.size.width) - 2)
        if len(rows) > _TOAST_ROWS:
            line = f"{' '.join(map(str.strip, rows[:_TOAST_ROWS]))}{self.glyphs.clipped}"
        timeout = seconds or (BAD_NEWS_SECONDS if bad else NEWS_SECONDS)
        self.app.post_message(Notify(kind(line, severity="warning" if bad else "information", timeout=timeout)))

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
        row = self.runs_table.cursor
        if row != self.state.row or not self._has_cursor:
            self._has_cursor = True
            self.state.select(row, self.snapshot.moment.monotonic)
            self._row_changed()

    @on(RunsTable.Selected)
    def _row_selected(self) -> None:
        self._follow_cursor()
        self.paint_selected()
        self._settle_later()

    def _settle_later(self) -> None:
        """Divides the screen again when the cursor rests: each run has another number of lines to show."""
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE_SECONDS, self._settle)

    def _settle(self) -> None:
        self._settling = None
        shown = self._layout_now
        self._lay_out(self.runs_table.view.lines)
        if self._layout_now != shown:
            self.paint()
        self._prepare_sorting()

    def _prepare_sorting(self) -> None:
        """Finds in small steps what the runs may be sorted by, so that the key that sorts them need not."""
        prepared_for = self.state.ended.revision, self.runs_table.sort_keys()
        if prepared_for != self._prepared_for:
            self._prepared_for = prepared_for
            self.run_worker(self._prepare(prepared_for[1]), group="prepare", exclusive=True)

    async def _prepare(self, columns: Sequence[str]) -> None:
        for _ in self.state.ended.prepare(columns, self.snapshot.moment):
            await asyncio.sleep(_PREPARE_SECONDS)

    def _row_changed(self) -> None:
        """Reads the run's events; shows the log of a failed run the first time, and the details of a held one."""
        run = self.state.selected_run(self.snapshot)
        self._bridge.select(None if run is None else run.id)
        self._held = None
        if not self.state.is_group_row:
            self.selected.borrow(self._tab_of(run))
            self._follow_held()

    def _tab_of(self, run: KnownRun | None) -> int | None:
        """The log of a run that failed or is starting, the first time that it is selected; else the chosen tab."""
        if run is None or run.status is Status.QUEUED or run.id in self.state.visited:
            return None
        self.state.visited.add(run.id)
        return LOG if run.status in (Status.FAILED, Status.LOST, Status.STARTING) else None

    def _follow_held(self) -> None:
        """Shows the details while the selected run is held, and the chosen tab again when it starts."""
        run = self.state.selected_run(self.snapshot)
        if run is not None and run.id != self._held and run.status is Status.QUEUED and run.record["hold_reasons"]:
            self._held = run.id
            self.selected.borrow(DETAILS)
        elif run is not None and run.id == self._held and run.status is not Status.QUEUED:
            self._held = None
            self.selected.borrow(None)

    def go_to(self, run_id: str) -> None:
        """Moves the cursor to a run, even if a fold, the filter or its age hides it."""
        run = self.snapshot.find(run_id)
        if run is None:
            return
        self.state.folded.discard(str(run.record.get("group")))
        if self._is_filtered_out(run):
            self.state.filter = RunFilter()
            self.set_filter("")
        self.paint()
        if run_id not in self.runs_table.view.ids:
            self.state.older = True
            self.paint()
        self.runs_table.select(run_id)

    def _ask_for_history(self) -> None:
        """Lets the bridge read the runs of earlier months when they may be shown: there are many of them."""
        needs_all = self.state.shows_all or self._is_filter_open
        if needs_all != self._bridge.wants_history:
            self._bridge.wants_history = needs_all
            self._bridge.look()

    def sort(self, sort: RunSort | None) -> None:
        """Orders the runs; the cursor stays with its run if that is among the first."""
        self.state.sort = self._bridge.list_choices.sort = sort
        self.paint(from_top=True)

    @on(SelectedHeading.TabClicked)
    def _tab_clicked(self, message: SelectedHeading.TabClicked) -> None:
        self.selected.choose(message.tab)
