"""The pane of the selected run: a heading with tabs, its card, and the chosen tab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.known_run import KnownRun, queued_at, slice_text
from backprop_tui.presentation.places import place_clause
from backprop_tui.presentation.run_details import detail_sections
from backprop_tui.presentation.states import exit_text, is_problem
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.action import Action
from backprop_tui.tui.charts.source import ChartSource
from backprop_tui.tui.footer_actions import REMEDY_FOOTER, log_footer
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.layout import ANY_ROWS, Layout
from backprop_tui.tui.lines import Piece, Token
from backprop_tui.tui.log.page import AttemptStart
from backprop_tui.tui.panes.card import Card, card_of, draw_card
from backprop_tui.tui.panes.events import EventRow, draw_events, event_rows
from backprop_tui.tui.panes.run_row import eta_text
from backprop_tui.tui.panes.selected_heading import PaneHeading, SelectedHeading, draw_selected_heading
from backprop_tui.tui.panes.waiting import WaitingView, waiting_view
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget, ScrollView
from backprop_tui.tui.widgets.log import LogView

if TYPE_CHECKING:
    from backprop_tui.presentation.run_details import DetailSection
    from backprop_tui.tui.panes.details import DetailsTab
    from backprop_tui.tui.widgets.charts import MetricsTab, Steered
    from backprop_tui.tui.widgets.group_pane import GroupPane
    from backprop_tui.tui.widgets.run_charts import RunCharts

TABS = ("Log", "Metrics", "Resources", "Details", "Events")
LOG, METRICS, RESOURCES, DETAILS, EVENTS = range(len(TABS))
_CARD_ROWS, _LEAST_TAB_ROWS = 4, 3  # of the card and below it in a low pane
_ZOOMED_CARD_DIVISOR = 8  # a card that is higher than this part of a zoomed log is folded
MIN_CHART_ROWS = 10  # of the chart beside the log
GROUP_TABS = ("Table", "Curves")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SelectedRunView:
    """`log_path` is None before the first start."""

    run_id: str
    heading: PaneHeading
    log_path: str | None
    live: bool  # its log may still grow
    failed: bool  # its log opens at the error
    attempts: Sequence[AttemptStart]  # that begin a new part of the log
    card: Card | None
    waiting: WaitingView | None
    run: KnownRun
    snapshot: Snapshot

    @property
    def sections(self) -> Sequence[DetailSection]:
        """The content of the Details tab, computed only while that tab is shown."""
        known = [self.snapshot.sample, *(node.sample for node in self.snapshot.nodes)]
        models = {gpu.uuid: gpu.name for sample in known if sample is not None for gpu in sample.readings.gpus}
        return tuple(detail_sections(self.run, self.snapshot.moment, gpu_models=models))

    @property
    def events(self) -> Sequence[EventRow]:
        """The content of the Events tab, computed only while that tab is shown."""
        opened = self.snapshot.opened
        if opened is None or opened.run_id != self.run_id:
            return ()
        return event_rows(opened.events, self.snapshot)


def selected_run_view(snapshot: Snapshot, run_id: str | None) -> SelectedRunView | None:
    run = snapshot.find(run_id)
    if run is None:
        return None
    return SelectedRunView(
        run_id=run.id,
        heading=PaneHeading(
            name=sanitize(run.label), facts=" · ".join(_facts(run, snapshot)), tabs=TABS, eta=_eta(run, snapshot)
        ),
        log_path=run.record.get("log_path") if run.record["attempts"] else None,
        live=run.status not in ENDED,
        failed=is_problem(run),
        attempts=tuple(_attempt_starts(run.record["attempts"])),
        card=card_of(run, snapshot),
        waiting=waiting_view(run, snapshot),
        run=run,
        snapshot=snapshot,
    )


def _attempt_starts(attempts: Sequence[JsonObject]) -> Iterator[AttemptStart]:
    """Where each attempt begins in the log if there is output of an earlier one, as far as it is recorded."""
    least = 1
    for attempt in attempts[1:]:
        offset, started = attempt.get("log_offset"), from_iso(attempt["started_at"])
        if offset is not None and offset >= least:
            least = offset
            time = "" if started is None else f", {durations.clock(started)}"
            yield AttemptStart(offset, f"attempt {attempt['number']}{time}")


def _facts(run: KnownRun, snapshot: Snapshot) -> Iterator[str]:
    now = snapshot.moment.wall
    yield run.id
    if run.status in ENDED:
        ended = from_iso(run.record.get("ended_at"))
        exited = exit_text(run.record).replace("exit code", "exit")
        if ended is not None:
            yield f"ended {durations.clock_of_day(ended, now)}" + (f", {exited}" if exited else "")
        return
    if run.status is Status.QUEUED:
        queued = queued_at(run)
        yield "queued" if queued is None else f"queued {durations.clock_of_day(queued, now)}"
        return
    if place := place_clause(run, snapshot.host):
        yield place
    yield f"attempt {len(run.record['attempts'])}"
    if run.run is not None and slice_text(run.run):
        yield f"slice {slice_text(run.run).replace('/', ' of ')}"


def _eta(run: KnownRun, snapshot: Snapshot) -> Piece:
    """`eta 13m` to the end of the training; marked if its timebox ends before."""
    text, warns = eta_text(run, snapshot.moment)
    return Piece(f"eta {text}" if text else "", Token.WARN if warns else Token.FG)


def _group_facts(members: Sequence[KnownRun], total: int) -> str:
    ended = sum(run.status in ENDED for run in members)
    return f"{len(members)}{f' of {total}' if total > len(members) else ''} runs, {ended} ended"


class CardBar(LineWidget):
    """The card of the run; a click on it is a request for its remedy, a drag selects its text."""

    class Clicked(Message):
        """The card was clicked."""

    @on(events.Click)
    def _clicked(self) -> None:
        if not self.screen.get_selected_text():
            self.post_message(self.Clicked())


class GroupRunOpened(Message):
    """A run of the group that is shown is to be selected."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id


class SelectedRun(Vertical):
    """The pane of a run, or of a group while its row is selected.

    The chosen tab stays chosen across runs, also while another one is borrowed for a run.
    """

    class Changed(Message):
        """Another tab, another focus, or something else that the footer depends on."""

    def __init__(self, charts: ChartSource, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self._glyphs = glyphs
        self.tab = LOG
        self._chosen = LOG
        self.view: SelectedRunView | None = None
        self._group: PaneHeading | None = None  # while a group is shown
        self.log_view = LogView(None, glyphs=glyphs, id=f"tab-{LOG}")
        self._arguments: LineWidget | None = None  # mounted after the first paint
        self._chart_source = charts
        self._chart_widgets: dict[int, LineWidget] = {}  # by tab
        self._shown: tuple[KnownRun | None, Snapshot, Layout] | None = None
        self._card_rows = 0  # if there is room for all of it

    def compose(self) -> ComposeResult:
        """Only the log is there at first; the other tabs would delay the first paint."""
        yield SelectedHeading(glyphs=self._glyphs, id="selected-heading")
        yield CardBar(glyphs=self._glyphs, id="card")
        with Container(id="log-and-chart"):
            yield self.log_view

    @cached_property
    def charts(self) -> RunCharts:
        """The charts of the run, mounted after the first paint or when a key asks for them before."""
        from backprop_tui.tui.widgets.charts import LossChart, MetricsTab, ResourcesTab
        from backprop_tui.tui.widgets.run_charts import RunCharts

        loss = LossChart(glyphs=self._glyphs, id="loss-chart")
        metrics = MetricsTab(glyphs=self._glyphs, id=f"tab-{METRICS}")
        resources = ResourcesTab(glyphs=self._glyphs, id=f"tab-{RESOURCES}")
        self._chart_widgets = {LOG: loss, METRICS: metrics, RESOURCES: resources}
        self.query_one("#log-and-chart").mount(loss)
        self.mount(metrics, resources)
        return RunCharts(self._chart_source, loss, metrics, resources)

    @cached_property
    def details(self) -> DetailsTab:
        from backprop_tui.tui.panes.details import DetailsTab

        details = DetailsTab(glyphs=self._glyphs, id=f"tab-{DETAILS}")
        self.mount(details, ScrollView(glyphs=self._glyphs, id=f"tab-{EVENTS}"))
        return details

    @cached_property
    def group_pane(self) -> GroupPane:
        from backprop_tui.tui.widgets.group_pane import GroupPane

        pane = GroupPane(self._chart_source, glyphs=self._glyphs, id="group")
        self.mount(pane)
        return pane

    @property
    def _group_tab(self) -> int:
        return self.group_pane.tab if self._chart_widgets else 0

    @property
    def shows_group(self) -> bool:
        return self._group is not None

    @property
    def shown_tab(self) -> int:
        """The tab that is shown, of the run or of the group."""
        return self.tab if self._group is None else self._group_tab

    @property
    def chart_keys(self) -> RunCharts | GroupPane:
        """What the keys for charts act on."""
        return self.group_pane if self.shows_group else self.charts

    @property
    def shows_chart(self) -> bool:
        """Whether a chart is shown whose axes can be changed; the small one beside the log cannot."""
        return self.shows_group or self.tab in (METRICS, RESOURCES)

    def mount_tabs(self) -> None:
        """Mounts what the first paint does not show, and starts to read the files of the charts."""
        _ = self.details
        self._show_charts()
        self._arguments = LineWidget(glyphs=self._glyphs, id="arguments")
        self.mount(self._arguments)
        self.run_worker(self.charts.follow(), name="charts", group="charts")
        self.call_after_refresh(self._paint_arguments)

    def _show_charts(self) -> None:
        if self._shown is not None:
            run, snapshot, layout = self._shown
            charts = self.charts
            charts.show(run, self._chart_widgets.get(self.tab) if layout.selected_rows else None, snapshot, layout)

    @property
    def tab_widget(self) -> ScrollView:
        return self.group_pane if self.shows_group else self.query_one(f"#tab-{self.tab}", ScrollView)

    def footer_actions(self) -> Sequence[Action]:
        """Returns what applies to the focused tab; empty when the actions of the run apply."""
        if self.shows_group:
            return self.group_pane.footer_actions() if self.has_focus_within else ()
        if self.log_view.has_focus:
            escapable = bool(self.log_view.check_action("end_search", ()))
            return log_footer(searching=self.log_view.is_searching, escapable=escapable)
        if self.tab == DETAILS and self.details.check_at_cursor is not None:
            return REMEDY_FOOTER
        return self.charts.footer_actions() if self.tab == METRICS and self.has_focus_within else ()

    @property
    def content_rows(self) -> int | None:
        """How many rows the pane can fill, heading and card included; None while the log is being read."""
        if self.shows_group:
            return 1 + self.group_pane.content_rows if "group_pane" in self.__dict__ else None
        rows = self._tab_rows()
        return None if rows is None else 1 + self._card_rows + rows

    def _tab_rows(self) -> int | None:
        if self.tab in (METRICS, RESOURCES):
            return ANY_ROWS
        if self.tab != LOG:
            return self.tab_widget.content_rows
        chart = self._chart_widgets.get(LOG)
        if self.view is not None and not self.log_view.page_shown.is_read:
            return None
        return max(self.log_view.content_rows, MIN_CHART_ROWS if chart is not None and chart.display else 0)

    def choose(self, tab: int) -> None:
        """Shows another tab, for the runs that are selected later too."""
        if self.shows_group:
            self.group_pane.choose(tab)
            self._tab_changed()
        else:
            self._chosen = tab % len(TABS)
            self._show_tab(self._chosen)

    def borrow(self, tab: int | None) -> None:
        """Shows another tab until the next call; None is the chosen one again."""
        tab = self._chosen if tab is None else tab
        if tab != self.tab:
            self._show_tab(tab)

    def _show_tab(self, tab: int) -> None:
        self.tab = tab
        _ = self.charts, self.details  # mounts the tabs
        self._show_widgets()
        self._tab_changed()

    def _tab_changed(self) -> None:
        self.paint()
        self.post_message(self.Changed())

    def _show_widgets(self) -> None:
        """Shows the widgets of the tab, or of the group; the new ones take the focus from the old."""
        focused = self.has_focus_within
        tab = None if self.shows_group else self.tab
        for number in range(len(TABS)):
            for widget in self.query(f"#tab-{number}"):
                widget.display = number == tab
        self.query_one("#log-and-chart").display = tab == LOG
        if self.shows_group or "group_pane" in self.__dict__:
            self.group_pane.display = self.shows_group
        if focused:
            self.screen.set_focus(self.tab_widget)

    def show_group(
        self, name: str, members: Sequence[KnownRun], snapshot: Snapshot, layout: Layout, *, total: int = 0
    ) -> None:
        """Shows the table of a group in place of the tabs of a run; of `total` runs, if a filter hides others."""
        facts = _group_facts(members, total)
        shown, self._group = self._group, PaneHeading(name=sanitize(name), facts=facts, tabs=GROUP_TABS)
        self._shown = (None, snapshot, layout)
        if not self._chart_widgets:  # the table would delay the first paint
            self.query_one("#log-and-chart").display = False
            self.paint()
            return
        was_mounted = "group_pane" in self.__dict__
        self._show_charts()
        if shown is None or not was_mounted:
            self._show_widgets()
        if layout.selected_rows:
            self.group_pane.show_group(name, members)
            self.paint()

    def show_run(self, run: KnownRun | None, snapshot: Snapshot, layout: Layout) -> None:
        """Shows a run, or the same one later; nothing is drawn while the layout has no room for the pane."""
        self._shown = (run, snapshot, layout)
        if self._group is not None:
            self._group = None
            self._show_widgets()
        if layout.selected_rows:
            view = selected_run_view(snapshot, None if run is None else run.id)
            if view is None or self.view is None or view.run_id != self.view.run_id:
                for tab in self.query(ScrollView):
                    tab.to_top()
            self.view = view
            self.paint()
        if self._chart_widgets:
            self._show_charts()

    def show_events(self, snapshot: Snapshot) -> None:
        """Shows the same run with its events; only their tab and some cards have to do with them."""
        if self.view is None or self.shows_group:
            return
        before, self.view = self.view, replace(self.view, snapshot=snapshot, card=card_of(self.view.run, snapshot))
        if self.tab == EVENTS or self.view.card != before.card:
            self.paint()

    @property
    def _room(self) -> tuple[int, int]:
        """Columns and rows: before the first layout what it will be, so that one layout suffices."""
        if self.size.width or self._shown is None:
            return self.size.width, self.size.height
        layout = self._shown[2]
        return layout.selected_width, layout.selected_rows

    @on(events.Resize)
    @on(LogView.EndLeft)
    def paint(self) -> None:
        width, height = self._room
        if width <= 0:
            return
        heading = self.query_one(SelectedHeading)
        heading.view = self._group or (None if self.view is None else self.view.heading)
        heading.tab = self.shown_tab
        focused = self.has_focus_within
        heading.show([draw_selected_heading(heading.view, heading.tab, width, self._glyphs, focused=focused)])
        card = self.query_one("#card", LineWidget)
        if self.shows_group:
            card.display = False
            self._paint_arguments()
            return
        is_shown_below = self.tab == DETAILS and self.view is not None and self.view.waiting is not None
        shown = None if self.view is None or is_shown_below else self.view.card
        lines = draw_card(shown, width, self._glyphs)
        self._card_rows = len(lines) + 1 if lines else 0
        is_too_high = self._shown is not None and self._shown[2].zoomed and len(lines) > height // _ZOOMED_CARD_DIVISOR
        # A user reads the log.
        is_folded = self.tab == LOG and (self.log_view.page_shown.elsewhere or is_too_high)
        room = 1 if is_folded else max(1, min(_CARD_ROWS, height - 1 - _LEAST_TAB_ROWS), height - 7)
        free = height - 1 - (self._tab_rows() or height)  # rows that the tab leaves
        if max(room, free) < len(lines):
            lines = draw_card(shown, width, self._glyphs, rows=max(room, free))
        if lines and not is_folded and height > len(lines) + 8 and (len(lines) <= room or len(lines) < free):
            lines.append(())
        rows = len(lines)
        card.display = rows > 0
        if card.styles.height is None or card.styles.height.value != rows:
            card.styles.height = rows
        card.show(lines)
        self.log_view.expect_size(width, height - 1 - rows)
        self._paint_tab(width)
        self._paint_arguments()

    def _paint_arguments(self) -> None:
        """Shows them below every tab when the pane has the whole height."""
        bar = self._arguments
        if bar is None:
            return
        from backprop_tui.tui.panes.wide import draw_arguments

        beside = self._shown is not None and self._shown[2].beside
        width, height = self._room
        view = self.view if beside and not self.shows_group else None
        lines = [] if view is None else draw_arguments(view.run.record, width, height // 5, self._glyphs)
        bar.display = bool(lines)
        if lines and (bar.styles.height is None or bar.styles.height.value != len(lines)):
            bar.styles.height = len(lines)
        bar.show(lines)

    def _paint_tab(self, width: int) -> None:
        view = self.view
        if self.tab == LOG:
            if view is None:
                self.log_view.watch_path(None)
            else:
                self.log_view.watch_path(view.log_path, live=view.live, failed=view.failed, attempts=view.attempts)
        elif self.tab == DETAILS:
            self.details.show_details(() if view is None else view.sections, None if view is None else view.waiting)
        elif self.tab == EVENTS:
            self.tab_widget.show_content(() if view is None else draw_events(view.events, width, self._glyphs))

    def on_steered(self, message: Steered) -> None:
        message.stop()
        self.charts.steer(message)
        self.post_message(self.Changed())

    def on_metrics_tab_chosen(self, message: MetricsTab.Chosen) -> None:
        message.stop()
        self.charts.choose_metric(message.name)

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_changed(self) -> None:
        self.call_after_refresh(self.paint)
        self.post_message(self.Changed())
