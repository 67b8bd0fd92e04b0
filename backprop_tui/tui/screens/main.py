"""The main screen: every key of the dashboard, carried out on the panes, on runs, or in a dialog."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.geometry import Offset

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.objective import best_of, rank_records
from backprop_tui.presentation.run_order import neighbor_sort, next_sort
from backprop_tui.presentation.states import is_held_back
from backprop_tui.tui.actions import BY_ID, MAIN_ACTIONS, bindings
from backprop_tui.tui.actions import GROUP as GROUP_SECTION
from backprop_tui.tui.actions import RUNS as RUNS_SECTION
from backprop_tui.tui.layout import Zoom
from backprop_tui.tui.notifications import KeyNotice
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.panes.governor import GovernorBar, ProblemBar, problem_view, unseen_problems
from backprop_tui.tui.panes.list_heading import COLUMNS
from backprop_tui.tui.panes.run_entries import GROUP, OLDER
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.panes.selected_run import DETAILS, LOG, METRICS, CardBar, GroupRunOpened
from backprop_tui.tui.screens.dialogs import DialogsScreen
from backprop_tui.tui.screens.ui_state import Targets
from backprop_tui.tui.theme import DARK, LIGHT, TERMINAL
from backprop_tui.tui.widgets.line_widget import ScrollView

# Dialogs are imported when they are opened, so that they do not delay the first paint.

_END = 1 << 30
_THEMES = (DARK, LIGHT, TERMINAL)


class MainScreen(DialogsScreen):
    """Has an `action_` method for each action of the registry."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(MAIN_ACTIONS)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable actions by whether there are runs: `e` and `d` mean something else in an empty store."""
        registered = BY_ID.get(action)
        return registered is None or registered.with_runs in (None, not self.snapshot.is_beginning)

    @property
    def _focused_pane(self) -> RunsTable | ScrollView:
        return self.selected.tab_widget if self.selected.has_focus_within else self.runs_table

    @on(FooterBar.Clicked)
    async def _footer_clicked(self, message: FooterBar.Clicked) -> None:
        await self.carry_out(message.action)

    # Moving around

    def action_move(self, rows: int) -> None:
        self._focused_pane.move(rows)
        self._follow_cursor()

    def action_page(self, share: float) -> None:
        self._focused_pane.page(share)
        self._follow_cursor()

    def action_top(self) -> None:
        self._focused_pane.move_to(0)
        self._follow_cursor()

    def action_end(self) -> None:
        self._focused_pane.move_to(_END)
        self._follow_cursor()

    def action_tab(self, tab: int) -> None:
        self.selected.choose(tab)

    def action_turn_tab(self, by: int) -> None:
        self.selected.choose(self.selected.tab + by)

    def action_other_pane(self) -> None:
        if self.selected.has_focus_within or not self.selected.display:
            self.set_focus(self.runs_table)
        else:
            self.set_focus(self.selected.tab_widget)

    def action_zoom(self) -> None:
        in_run = self.selected.has_focus_within
        self.state.opened = self.state.opened and in_run
        self._set_zoom(Zoom.SELECTED if in_run else Zoom.RUNS)

    def action_unzoom(self) -> None:
        """Ends the zoom; without one the rule between the panes goes where the content wants it."""
        if self.state.zoom is Zoom.NONE:
            self.reset_rule()
        self._set_zoom(Zoom.NONE)

    def _set_zoom(self, zoom: Zoom) -> None:
        self.state.zoom = zoom
        self.paint()

    @on(RunsTable.Opened)
    def action_open(self) -> None:
        """Folds or unfolds a group, shows older runs, enters the selected run, does a remedy, or goes back."""
        self._follow_cursor()
        check, run = self.selected.details.check_at_cursor, self.state.selected_run(self.snapshot)
        if check is not None and run is not None:
            self.work(self._remedy_actions.offer(run, check))
        elif not self.runs_table.has_focus:
            self.action_back()
        elif self.state.is_group_row:
            self.action_fold(self.state.group(self.snapshot) not in self.state.folded)
        elif self.state.row == OLDER:
            self.action_older()
        elif self.state.row is not None:
            self.state.opened = True
            self.paint()
            self.set_focus(self.selected.tab_widget)

    def on_details_tab_remedy_clicked(self) -> None:
        self.action_open()

    @on(RunsTable.MenuRequested)
    def _menu_requested(self, message: RunsTable.MenuRequested) -> None:
        self.work(self._choose_action(message.at))

    async def _choose_action(self, at: Offset) -> None:
        """Offers the actions of the row that was clicked; unless it is marked, they do not act on the marked runs."""
        from backprop_tui.tui.screens.questions import CANCEL, action_menu

        self._follow_cursor()
        row, marks = self.state.row_runs(self.snapshot, self.runs_table.view.run_ids), self.state.marked
        if not marks.issuperset(run.id for run in row.runs):
            self.state.marked = set()
        try:
            targets = self._targets()
            if targets is None:
                return
            actions = [action for action in self.row_actions() if action.section in (RUNS_SECTION, GROUP_SECTION)]
            menu = action_menu(targets.named(targets.runs), [BY_ID["open"], *actions], at)
            answer = await self.ask(menu)
            if answer != CANCEL:
                await self.run_action(answer)
        finally:
            if self.state.marked is not marks:
                self.state.marked |= marks
                self.paint()

    def action_back(self) -> None:
        """Leaves the innermost of: filter input, zoom, selected run, filter, marks, problem line."""
        state = self.state
        if self.filter_input.has_class("-open"):
            self.leave_filter()
        elif state.zoom is not Zoom.NONE and state.zoom is state.zoom_now:
            self._set_zoom(Zoom.NONE)
        elif self.selected.has_focus_within or state.opened:
            state.opened = False
            self.paint()
            self.set_focus(self.runs_table)
        elif state.filter:
            self.set_filter("")
        elif state.marked:
            state.toggle_marks(state.marked)
        else:
            state.seen |= {run.id for run in unseen_problems(self.snapshot, state.seen)}
        self.paint()

    @property
    def shown_problem(self) -> str | None:
        """The run that the problem line names."""
        view = problem_view(self.snapshot, self.state.seen) if self._layout_now.problem_rows else None
        return None if view is None else view.run_id

    @on(ProblemBar.Clicked)
    def action_problem(self) -> None:
        ids = [run.id for run in unseen_problems(self.snapshot, self.state.seen)]
        if not ids:
            self.tell("No new failures")
            return
        row = self.state.row
        self.go_to(ids[(ids.index(row) + 1) % len(ids)] if row in ids else ids[0])

    @on(GovernorBar.Clicked)
    def _governor_clicked(self) -> None:
        """Goes to the first run that is held, and shows why."""
        held = next((run for run in self.snapshot.runs if is_held_back(run)), None)
        if held is None:
            self.tell("No run is waiting for the machine")
            return
        self.go_to(held.id)
        self.selected.choose(DETAILS)

    def action_best(self) -> None:
        members = self.state.group_members(self.snapshot)
        if not members:
            self.tell("Select a group first" if self.state.row else self._why_no_run(), bad=True)
            return
        ranking = rank_records(run.record for run in members)
        best = best_of(ranking)
        if best is not None:
            self.go_to(best.run_id)
            self.tell(best.text[0].upper() + best.text[1:])
        else:
            self.tell(f"No run is the best: {sanitize(str(ranking.problem))}", bad=True)

    @on(CardBar.Clicked)
    async def _card_clicked(self) -> None:
        """Opens what the card advises: the run with a change, or more time."""
        view = self.selected.view
        if view is not None and view.card is not None and view.card.remedy is not None:
            await self.run_action(BY_ID[view.card.remedy].command)

    @on(GroupRunOpened)
    def _run_of_group_opened(self, message: GroupRunOpened) -> None:
        self.go_to(message.run_id)
        self.set_focus(self.runs_table)

    def action_pin(self) -> None:
        """Pins the run under the cursor as the baseline of its group, or unpins it."""
        self._follow_cursor()
        pane = self.selected.group_pane if self.selected.shows_group else None
        if pane is not None and not pane.has_focus:
            self.tell("Choose a row of the table first: tab, j and k, then P", bad=True)
            return
        run = self.snapshot.find(self.state.row if pane is None else pane.run_id)
        if run is None or run.record.get("group") is None:
            self.tell("Select a run of a group first", bad=True)
            return
        is_pinned = bool(run.record.get("baseline")) if pane is None else pane.is_pinned
        name = sanitize(run.arguments or run.label) if pane is None else pane.row_name
        self.work(self._run_actions.pin(run, pinned=not is_pinned, name=name))

    # How the runs are shown

    def action_fold(self, folded: bool) -> None:  # noqa: FBT001 - a parameter of the action string
        group = self.state.group(self.snapshot)
        if group is None or not self.runs_table.has_focus:
            return
        (self.state.folded.add if folded else self.state.folded.discard)(group)
        self.paint()
        if folded:
            self.runs_table.select(GROUP + group)

    @on(RunsTable.Marked)
    def action_mark(self) -> None:
        """Marks or unmarks the run under the cursor, or the members of a group, and goes to the next row.

        Pressed again and again on the way down it stops after the last row; begun there, it marks and unmarks.
        """
        self._follow_cursor()
        runs = self.state.row_runs(self.snapshot, self.runs_table.view.run_ids).runs
        if not runs:
            self.tell(self._why_no_run(), bad=True)
            return
        row, before = self.state.row, self.state.marked_in_turn
        if row in before and row != before[0]:
            self.tell("That was the last row; k goes back up", bad=True)
            return
        self.state.toggle_marks({run.id for run in runs})
        self.paint()
        self.runs_table.move(1)
        self._follow_cursor()
        self.state.marked_in_turn = (*before, row)

    def action_mark_all(self) -> None:
        """Marks every run that is shown, or unmarks them."""
        shown = self.snapshot.known_ids(self.runs_table.view.run_ids)
        if shown:
            self.state.toggle_marks(shown)
            self.paint()
        else:
            self.tell(self._why_no_run(), bad=True)

    def action_older(self) -> None:
        self.state.older = not self.state.older
        self.paint()

    @on(RunsTable.HeadingClicked)
    def _heading_clicked(self, message: RunsTable.HeadingClicked) -> None:
        """Sorts by the column, then the other way round, then in the default order; or shows those without room."""
        if message.column == COLUMNS:
            self.action_view()
            return
        self.sort(next_sort(self.state.sort, message.column, self.state.with_objective(self.snapshot)))

    def action_view(self) -> None:
        """Opens the list of columns; what is changed there applies at once."""
        from backprop_tui.tui.screens.columns import ChooseColumns, column_choices

        runs, state, table = self.snapshot.all_runs, self.state, self.runs_table
        unfinished = [run for run in self.snapshot.unfinished if not self._is_filtered_out(run)]
        if not unfinished and not state.ended.matching:
            unfinished = list(runs)
        choices = column_choices(filter(None, map(table.view.column, state.ended.all_columns(unfinished))))
        self.app.push_screen(ChooseColumns(choices, state, runs, table, self.sort))

    def action_sort_by(self, by: int) -> None:
        """Sorts by the next column, or the previous one."""
        runs = self.state.with_objective(self.snapshot)
        self.sort(neighbor_sort(self.state.sort, self.runs_table.sort_keys(), by, runs))

    def action_reverse(self) -> None:
        if self.state.sort is None:
            self.tell("The runs are in their default order; > sorts them by a column")
        else:
            self.sort(self.state.sort.reversed)

    def action_theme(self) -> None:
        index = _THEMES.index(self.app.theme) if self.app.theme in _THEMES else -1
        self.app.theme = _THEMES[(index + 1) % len(_THEMES)]

    def action_redraw(self) -> None:
        self.app.app_resume_signal.publish(self.app)  # what the terminal shows is as unknown as after a suspension

    # Runs and the queue

    def _on_targets(self, act: Callable[[Targets], Coroutine[Any, Any, None]]) -> None:
        targets = self._targets()
        if targets is not None:
            self.work(act(targets))

    def action_stop(self) -> None:
        self._on_targets(self._run_actions.stop)

    def action_kill(self) -> None:
        self._on_targets(self._run_actions.kill)

    def action_pause(self) -> None:
        self._on_targets(self._run_actions.pause)

    def action_resume(self) -> None:
        self._on_targets(self._run_actions.resume)

    def action_retry_group(self) -> None:
        """Retries the failed members of the group under the cursor that are shown."""
        self._follow_cursor()
        group = self.state.group(self.snapshot)
        shown = self.runs_table.view.run_ids
        members = [run for run in self.state.group_members(self.snapshot) if run.id in shown]
        if members:
            self.work(self._run_actions.retry_failed(Targets(members, group=group)))
        else:
            self.tell("Select a group first" if self.state.row else self._why_no_run(), bad=True)

    def action_move_in_queue(self, by: int) -> None:
        self._on_targets(lambda targets: self._run_actions.move(targets, by))

    def action_remove(self) -> None:
        self._on_targets(self._run_actions.remove)

    def action_undo(self) -> None:
        self.work(self._run_actions.undo())

    def action_hold(self) -> None:
        self.work(self._run_actions.switch_queue(held=self.snapshot.queue_held))

    def action_time(self) -> None:
        self._on_targets(self._run_actions.more_time)

    def action_leave(self) -> None:
        self.work(self._leave())

    async def _leave(self) -> None:
        if await self._run_actions.may_leave(self.snapshot):
            self.app.exit(0)

    # Log and charts of the selected run

    def go_to_line(self, number: int) -> None:
        """Shows the log of the selected run at a line."""
        self.selected.choose(LOG)
        self.selected.log_view.go_to_line(number)

    def action_follow(self) -> None:
        if self._shows(self.selected.tab == LOG and not self.selected.shows_group, "log"):
            self.selected.log_view.action_follow()

    def action_wrap(self) -> None:
        if self._shows(self.selected.tab == LOG and not self.selected.shows_group, "log"):
            self.selected.log_view.action_wrap()

    def _shows(self, is_shown: bool, what: str) -> bool:  # noqa: FBT001
        """Says so if what a key acts on is not shown."""
        if not is_shown:
            self.tell(f"no {what} is shown that this key could change", kind=KeyNotice)
        return is_shown

    def action_next_metric(self) -> None:
        if self.selected.chart_keys.next_metric() or not self.selected.shows_chart:
            self.selected.choose(METRICS)
        else:
            self._shows(self.selected.shows_group, "metric")

    def action_metrics_grid(self) -> None:
        if not self.selected.shows_group:
            self.selected.choose(METRICS)
        self.selected.chart_keys.switch_grid()

    def action_axis(self) -> None:
        if self._shows(self.selected.shows_chart, "chart"):
            self.selected.chart_keys.next_axis()

    def action_plan(self) -> None:
        has_small_chart = bool(self._layout_now.beside or self._layout_now.chart_columns)
        if self._shows(self.selected.shows_chart or has_small_chart, "chart"):
            self.selected.charts.switch_plan()

    def action_log_scale(self) -> None:
        if self._shows(self.selected.shows_chart, "chart"):
            self.selected.chart_keys.switch_log_scale()

    def action_smooth(self) -> None:
        if self._shows(self.selected.shows_chart, "chart"):
            self.tell(f"Smoothing: {self.selected.chart_keys.next_smoothing()}")

    def action_zoom_in(self) -> None:
        self._zoom(closer=True)

    def action_zoom_out(self) -> None:
        self._zoom(closer=False)

    def _zoom(self, *, closer: bool) -> None:
        if not self._shows(self.selected.shows_chart, "chart"):
            return
        if not closer and self.selected.chart_keys.choices.window is None:
            self.tell("the chart is not zoomed in", kind=KeyNotice)
            return
        self.selected.chart_keys.zoom(closer=closer)
        self.paint_selected()

    def action_export(self) -> None:
        self.work(self._export())

    async def _export(self) -> None:
        try:
            path = await self.selected.chart_keys.export()
        except OSError as error:
            self.tell(f"Nothing was exported: {error.strerror}", bad=True)
            return
        if path is not None:
            self.tell(f"Metrics written to {path}")
