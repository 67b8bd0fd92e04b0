"""The one screen: header, gauges, governor, problem, runs, the selected run, footer."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import ACTIONS, BY_ID, beginning_keys, by_shown, footer_keys
from backprop_tui.tui.charts.source import ChartSource, NoCharts
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.layout import Layout, layout
from backprop_tui.tui.panes.beginning import beginning_view
from backprop_tui.tui.panes.governor import governor_line_view, problem_view
from backprop_tui.tui.panes.header import header_view
from backprop_tui.tui.panes.machine import machine_view
from backprop_tui.tui.panes.run_list import OLDER, run_list_view
from backprop_tui.tui.panes.run_order import RunFilter
from backprop_tui.tui.panes.run_rows import GROUP
from backprop_tui.tui.panes.selected_run import selected_run_view
from backprop_tui.tui.requests import Desk
from backprop_tui.tui.screens.ask import Ask, Question
from backprop_tui.tui.screens.charting import Charting
from backprop_tui.tui.screens.copying import Copying
from backprop_tui.tui.screens.dialogs import Dialogs
from backprop_tui.tui.screens.digests import Digests
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.screens.keys import Keys
from backprop_tui.tui.screens.run_actions import RunActions
from backprop_tui.tui.screens.standing import Standing
from backprop_tui.tui.screens.viewing import Viewing
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.chart_mouse import Steered
from backprop_tui.tui.widgets.footer import Footer
from backprop_tui.tui.widgets.governor import Governor
from backprop_tui.tui.widgets.header import Header
from backprop_tui.tui.widgets.line_input import LineInput
from backprop_tui.tui.widgets.log import LogView
from backprop_tui.tui.widgets.machine import Machine
from backprop_tui.tui.widgets.metrics import MetricsTab
from backprop_tui.tui.widgets.painted import COLOURS
from backprop_tui.tui.widgets.problem import Problem
from backprop_tui.tui.widgets.runs import RunsTable
from backprop_tui.tui.widgets.selected import SelectedHeading, SelectedRun

_BINDINGS: list[BindingType] = [
    Binding(",".join(one.keys), f"press('{one.id}')", one.word, show=False, id=one.id, tooltip=one.help)
    for one in ACTIONS
    if one.keys
]


class MainScreen(Front):
    """Shows a snapshot; hands what keys ask for to those who do it."""

    BINDINGS: ClassVar[list[BindingType]] = _BINDINGS
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)

    def __init__(
        self,
        snapshot: Snapshot,
        desk: Desk,
        charts: ChartSource | None = None,
        *,
        glyphs: Glyphs,
        selected_run: str | None = None,
    ) -> None:
        super().__init__()
        self.snapshot = snapshot
        self.glyphs = glyphs
        self.standing = Standing(row=selected_run)
        self.layout_now: Layout = layout(80, 24, gpus=0)
        self._followed = False
        self.charting = Charting(self, charts or NoCharts())
        self.dialogs = Dialogs(self, desk)
        self.viewing = Viewing(self, desk)
        runs = RunActions(desk, self)
        self.digests = Digests(self, runs)
        doing = self.charting.doing() | self.dialogs.doing() | self.viewing.doing() | Copying(self).doing()
        self._keys = Keys(self, runs, doing)

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Header(glyphs=self.glyphs, id="header")
        yield Machine(glyphs=self.glyphs, id="machine")
        yield Governor(glyphs=self.glyphs, id="governor")
        yield Problem(glyphs=self.glyphs, id="problem")
        with Container(id="body"):
            table = RunsTable(glyphs=self.glyphs, id="runs")
            table.selected = self.standing.row
            yield table
            yield SelectedRun(glyphs=self.glyphs, id="selected")
        yield LineInput(placeholder="name, tag, group, command; state:failed gpu:1 tag:x", id="filter", compact=True)
        yield Footer(glyphs=self.glyphs, id="footer")

    def on_mount(self) -> None:
        """The runs have the keys first."""
        self.query_one(RunsTable).focus()
        self.paint()
        self.follow_cursor()  # at once, so that the log is there with the first paint or right after it
        self.call_after_refresh(self._begin_charts)

    def _begin_charts(self) -> None:
        self.run_worker(self.charting.follow(), name="charts", group="charts")

    def take(self, snapshot: Snapshot) -> None:
        """Another moment; one that arrives while the app closes has nowhere to be shown."""
        if not self.is_mounted or not self.app.is_running:
            return
        self.snapshot = snapshot
        self.standing.look(self.standing.run_of_row(snapshot), snapshot.moment.monotonic)
        self._keys.time_passes()
        self.paint()
        arrived = self.dialogs.arrived()
        if arrived is not None:
            self.query_one(RunsTable).select(arrived)

    def fail(self, words: str) -> None:
        """The store cannot be read: what was known stays, and the header says so."""
        self.snapshot = replace(self.snapshot, problem=sanitize(words))
        self.paint()

    @on(events.Paste)
    def _pasted(self, message: events.Paste) -> None:
        self.dialogs.pasted(message.text)

    @on(events.Resize)
    def _resized(self) -> None:
        self.paint()

    def paint(self) -> None:
        """Every pane from the snapshot; each of them paints what changed alone."""
        self._lay_out()
        width = self.app.size.width
        now, standing = self.snapshot, self.standing
        self.query_one(Header).show_view(header_view(now), width)
        self.query_one(Machine).show_view(machine_view(now), self.layout_now)
        self.query_one(Governor).show_view(governor_line_view(now), width)
        self.query_one(Problem).show_view(problem_view(now, standing.seen), width)
        beginning = beginning_view(now, example=self.dialogs.example is not None)
        self.query_one(RunsTable).show_view(run_list_view(now, standing.choices(now)), beginning)
        self.paint_selected()

    def paint_selected(self) -> None:
        """The selected run and the keys that apply to it."""
        run = self.standing.run_of_row(self.snapshot)
        if self.layout_now.selected_rows:
            view = selected_run_view(self.snapshot, None if run is None else run.id)
            self.query_one(SelectedRun).show_view(view)
            self.charting.look_if_changed()
        group = (self.standing.row or "").startswith(GROUP)
        status = None if run is None or self.standing.row == OLDER else run.status
        keys = beginning_keys() if self.snapshot.is_beginning else footer_keys(status, group=group)
        marked = f"{len(self.standing.marked)} marked" if self.standing.marked else ""
        keys = self.charting.footer_keys() or self.query_one(SelectedRun).search_keys or keys
        self.query_one(Footer).show_keys(keys, self.app.size.width, note=marked)

    def _lay_out(self) -> None:
        sample = self.snapshot.sample
        gpus = 0 if sample is None else len(sample.readings.gpus)
        problem = problem_view(self.snapshot, self.standing.seen) is not None
        found = layout(
            self.app.size.width,
            self.app.size.height,
            gpus=gpus,
            problem=problem,
            zoom=self.standing.zoom,
            opened=self.standing.opened,
            empty=self.snapshot.is_beginning,
        )
        if found != self.layout_now:
            self.layout_now = found
            self._apply(found)
            self.charting.paint()  # beside the log, above it, or not at all

    def _apply(self, found: Layout) -> None:
        """Sizes of the panes."""
        for name, rows in (
            ("machine", found.machine_rows),
            ("governor", found.governor_rows),
            ("problem", found.problem_rows),
            ("footer", found.footer_rows),
        ):
            pane = self.query_one(f"#{name}")
            pane.display = rows > 0
            pane.styles.height = max(1, rows)
        self.query_one("#body").set_class(found.beside, "-beside")
        runs, selected = self.query_one("#runs"), self.query_one("#selected")
        runs.display, selected.display = found.runs_rows > 0, found.selected_rows > 0
        if found.runs_rows:
            runs.styles.height, runs.styles.width = found.runs_rows, found.runs_width
        if found.selected_rows:
            selected.styles.height = found.selected_rows
        if not selected.display and self.query_one(SelectedRun).has_focus_within:
            runs.focus()
        elif not runs.display and runs.has_focus:
            self.query_one(SelectedRun).tab_widget.focus()

    def action_press(self, action_id: str) -> None:
        """A key of the registry."""
        self.follow_cursor()
        self._keys.press(BY_ID[action_id])

    def go_to(self, run_id: str) -> None:
        """Puts the cursor on a run, wherever it is hidden."""
        self.viewing.go_to(run_id)

    async def question(self, question: Question) -> str:
        """Asked in a dialog."""
        return await self.app.push_screen_wait(Ask(question, glyphs=self.glyphs))

    def tell(self, words: str, *, bad: bool = False) -> None:
        """A notice at the bottom right."""
        if not bad and (self.size.width < 60 or self.size.height < 12):
            return  # it would cover all there is to see
        self.notify(words, severity="warning" if bad else "information", timeout=5, markup=False)

    def follow_cursor(self) -> None:
        """What is chosen is what is under the cursor, also where a key comes before the message that it moved."""
        row = self.query_one(RunsTable).selected
        if row is not None and (row != self.standing.row or not self._followed):
            self._followed = True
            self.standing.select(row, self.snapshot.moment.monotonic)
            self._keys.row_changed()
            self.paint_selected()

    @on(RunsTable.Selected)
    def _row_selected(self) -> None:
        self.follow_cursor()

    @on(RunsTable.Opened)
    def _row_opened(self) -> None:
        self.action_press("open")

    @on(RunsTable.Marked)
    def _row_marked(self) -> None:
        self.action_press("mark")

    @on(RunsTable.HeadClicked)
    def _head_clicked(self, message: RunsTable.HeadClicked) -> None:
        self.viewing.head_clicked(message.head)

    @on(SelectedHeading.TabChosen)
    def _tab_chosen(self, message: SelectedHeading.TabChosen) -> None:
        self.query_one(SelectedRun).choose(message.tab)

    @on(SelectedRun.TabShown)
    @on(LogView.SearchTurned)
    def _tab_shown(self) -> None:
        self.paint_selected()

    @on(MetricsTab.Chosen)
    def _metric_chosen(self, message: MetricsTab.Chosen) -> None:
        self.charting.choose_metric(message.name)

    @on(Steered)
    def _chart_steered(self, message: Steered) -> None:
        self.charting.steer(message)

    @on(Governor.Chosen)
    def _governor_chosen(self) -> None:
        self.viewing.why()

    @on(Problem.Chosen)
    def _problem_chosen(self) -> None:
        self.action_press("problem")

    @on(Footer.Pressed)
    def _footer_pressed(self, message: Footer.Pressed) -> None:
        action = by_shown(message.key)
        if action is not None:
            self._keys.press(action)

    @on(RunsTable.Typed)
    def _filter_typed(self, message: RunsTable.Typed) -> None:
        line = self.query_one("#filter", Input)
        if line.has_class("-open"):
            line.post_message(events.Key(message.key, message.character))
        else:
            self.action_press("filter")

    @on(Input.Changed, "#filter")
    def _filter_changed(self, message: Input.Changed) -> None:
        self.standing.filter = RunFilter.parse(message.value)
        self.paint()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self._keys.close_filter()
