"""The main screen: every key of the dashboard, carried out on the panes, on runs, or in a dialog."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import BindingType

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.objective import rank_records
from backprop_tui.presentation.states import is_held_back
from backprop_tui.tui.actions import BY_ID, MAIN_ACTIONS, Scope, bindings
from backprop_tui.tui.layout import Zoom
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.panes.governor import GovernorBar, ProblemBar, unseen_problems
from backprop_tui.tui.panes.run_list import GROUP, OLDER
from backprop_tui.tui.panes.run_order import RunSort, next_sort
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.panes.selected_run import DETAILS, METRICS
from backprop_tui.tui.screens.dialogs import DialogsScreen
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
        owners = {Scope.LOG: self.selected.log_view, Scope.METRICS: self.selected.tab_widget}
        await owners.get(message.action.scope, self).run_action(message.action.command)

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
        self._set_zoom(Zoom.SELECTED if self.selected.has_focus_within else Zoom.RUNS)

    def action_unzoom(self) -> None:
        self._set_zoom(Zoom.NONE)

    def _set_zoom(self, zoom: Zoom) -> None:
        self.state.zoom = zoom
        self.paint()

    @on(RunsTable.Opened)
    def action_open(self) -> None:
        """Folds or unfolds a group, shows older runs, enters the selected run, or goes back."""
        self._follow_cursor()
        if not self.runs_table.has_focus:
            self.action_back()
        elif self.state.is_group_row:
            self.action_fold(self.state.group(self.snapshot) not in self.state.folded)
        elif self.state.row == OLDER:
            self.action_older()
        else:
            self.state.opened = True
            self.paint()
            self.set_focus(self.selected.tab_widget)

    def action_back(self) -> None:
        """Leaves the innermost of: filter input, zoom, selected run, filter, marks, problem line."""
        state = self.state
        if self.filter_input.has_class("-open"):
            self.close_filter()
        elif state.zoom is not Zoom.NONE:
            self._set_zoom(Zoom.NONE)
        elif self.selected.has_focus_within or state.opened:
            state.opened = False
            self.paint()
            self.set_focus(self.runs_table)
        elif state.filter:
            self.set_filter("")
        elif state.marked:
            state.marked.clear()
        else:
            state.seen |= {run.id for run in unseen_problems(self.snapshot, state.seen)}
        self.paint()

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
            self.tell("The governor holds no run")
            return
        self.go_to(held.id)
        self.selected.choose(DETAILS)

    def action_best(self) -> None:
        members = self.state.group_members(self.snapshot)
        if not members:
            self.tell("Select a group first", bad=True)
            return
        ranking = rank_records(run.record for run in members)
        if ranking.best is not None:
            self.go_to(ranking.best[0])
        else:
            self.tell(f"No run is the best: {sanitize(str(ranking.problem))}", bad=True)

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
        """Marks or unmarks the run under the cursor, and goes to the next row."""
        self._follow_cursor()
        run = self.snapshot.find(self.state.row)
        if run is not None:
            self.state.toggle_mark(run.id)
            self.paint()
            self.runs_table.move(1)
            self._follow_cursor()

    def action_older(self) -> None:
        self.state.older = not self.state.older
        self.paint()

    @on(RunsTable.HeadingClicked)
    def _heading_clicked(self, message: RunsTable.HeadingClicked) -> None:
        """Sorts by the column, then the other way round, then in the default order."""
        self.sort(next_sort(self.state.sort, message.column))

    def action_view(self) -> None:
        self.work(self._choose_view())

    async def _choose_view(self) -> None:
        """Asks until an order is chosen or the dialog is canceled, so that several columns can be switched."""
        from backprop_tui.tui.screens.questions import CANCEL, COLUMN, view_question

        while (answer := await self.ask(view_question(self.state, self.glyphs))) != CANCEL:
            kind, _, key = answer.partition(":")
            if kind != COLUMN:
                self.sort(RunSort.by(key) if key else None)
                return
            self.state.hidden ^= {key}
            self.paint()

    def action_theme(self) -> None:
        index = _THEMES.index(self.app.theme) if self.app.theme in _THEMES else -1
        self.app.theme = _THEMES[(index + 1) % len(_THEMES)]

    def action_redraw(self) -> None:
        self.refresh(repaint=True, layout=True)

    # Runs and the queue

    def action_stop(self) -> None:
        self.work(self._run_actions.stop(self._target_runs()))

    def action_kill(self) -> None:
        self.work(self._run_actions.kill(self._target_runs()))

    def action_pause(self) -> None:
        self.work(self._run_actions.pause(self._target_runs()))

    def action_resume(self) -> None:
        self.work(self._run_actions.resume(self._target_runs()))

    def action_retry_group(self) -> None:
        self.work(self._run_actions.retry_failed(self.state.group_members(self.snapshot)))

    def action_move_in_queue(self, by: int) -> None:
        self.work(self._run_actions.move(self._target_runs(), by))

    def action_remove(self) -> None:
        self.work(self._run_actions.remove(self._target_runs()))

    def action_hold(self) -> None:
        self.work(self._run_actions.switch_queue(held=self.snapshot.queue_held))

    def action_time(self) -> None:
        self.work(self._more_time(self._target_runs()))

    async def _more_time(self, runs: list[KnownRun]) -> None:
        if await self._run_actions.more_time(runs):
            await self.action_edit()

    def action_leave(self) -> None:
        self.work(self._leave())

    async def _leave(self) -> None:
        if await self._run_actions.may_leave(self.snapshot):
            self.app.exit(0)

    # Log and charts of the selected run

    def action_follow(self) -> None:
        self.selected.log_view.action_follow()

    def action_wrap(self) -> None:
        self.selected.log_view.action_wrap()

    def action_next_metric(self) -> None:
        if self.selected.charts.next_metric():
            self.selected.choose(METRICS)

    def action_metrics_grid(self) -> None:
        self.selected.choose(METRICS)
        self.selected.charts.switch_grid()

    def action_axis(self) -> None:
        self.selected.charts.next_axis()

    def action_log_scale(self) -> None:
        self.selected.charts.switch_log_scale()

    def action_smooth(self) -> None:
        self.tell(f"Smoothing: {self.selected.charts.next_smoothing()}")

    def action_zoom_in(self) -> None:
        self.selected.charts.zoom(closer=True)
        self.paint_selected()

    def action_zoom_out(self) -> None:
        self.selected.charts.zoom(closer=False)
        self.paint_selected()

    def action_export(self) -> None:
        self.work(self._export())

    async def _export(self) -> None:
        try:
            path = await self.selected.charts.export()
        except OSError as error:
            self.tell(f"Nothing was exported: {error.strerror}", bad=True)
            return
        if path is not None:
            self.tell(f"Metrics written to {path}")
