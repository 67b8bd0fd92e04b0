"""The pane of the selected run: a heading with tabs, its card, and the chosen tab."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message

from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.actions import LOG_SEARCH_FOOTER, Action
from backprop_tui.tui.charts.source import ChartSource
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.layout import Layout
from backprop_tui.tui.panes.card import draw_card
from backprop_tui.tui.panes.events import draw_events
from backprop_tui.tui.panes.run_details import DrawnDetails, draw_details
from backprop_tui.tui.panes.selected_run import TABS, SelectedRunView, draw_selected_heading, selected_run_view, tab_at
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.chart_mouse import Steered
from backprop_tui.tui.widgets.chart_tabs import LossChart, MetricsTab, ResourcesTab
from backprop_tui.tui.widgets.line_widget import LineWidget
from backprop_tui.tui.widgets.log import LogView
from backprop_tui.tui.widgets.run_charts import RunCharts
from backprop_tui.tui.widgets.scroll_view import ScrollView

LOG, METRICS, RESOURCES, DETAILS, EVENTS = range(len(TABS))
_TWO_COLUMNS_FROM = 100  # columns: the details stand in two columns then


class SelectedHeading(LineWidget):
    """The heading; a click on a tab chooses it."""

    class TabClicked(Message):
        """A tab was clicked, counted from 0."""

        def __init__(self, tab: int) -> None:
            super().__init__()
            self.tab = tab

    view: SelectedRunView | None = None
    tab = LOG

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        tab = tab_at(self.view, self.tab, event.x, self.size.width, self.glyphs)
        if tab is not None:
            self.post_message(self.TabClicked(tab))


class DetailsTab(ScrollView):
    """Everything about the run; a cursor, shown while the tab has the focus, chooses a value to copy."""

    _view: SelectedRunView | None = None
    _place = 0
    _drawn = DrawnDetails(lines=(), places=())

    def show_details(self, view: SelectedRunView | None) -> None:
        self._view = view
        self._draw()

    def _draw(self) -> None:
        if self._view is None:
            self._drawn = DrawnDetails(lines=(), places=())
        else:
            cursor = self._place if self.has_focus else None
            sections, waiting = self._view.sections, self._view.waiting
            self._drawn = draw_details(sections, self.size.width, self.glyphs, waiting=waiting, cursor=cursor)
        self.show_content(self._drawn.lines)

    def to_top(self) -> None:
        super().to_top()
        self._place = 0

    def move(self, rows: int) -> None:
        """Move the cursor by so many values."""
        self.move_to(self._place + rows)

    def move_to(self, place: int) -> None:
        """Move the cursor to a value and scroll it into view."""
        places = self._drawn.places
        self._place = max(0, min(place, len(places) - 1))
        if places:
            line = 0 if self._place == 0 else places[self._place][0]
            self._top = max(line - self.size.height + 1, min(self._top, line))
        self._draw()

    @property
    def value_at_cursor(self) -> tuple[str, str] | None:
        """Name and value under the cursor."""
        places = self._drawn.places
        return places[self._place][1:] if self._place < len(places) else None

    @on(events.Focus)
    @on(events.Blur)
    def _focus_changed(self) -> None:
        self.call_after_refresh(self._draw)

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        line = self._top + event.y
        in_second_column = self.size.width >= _TWO_COLUMNS_FROM and event.x > self.size.width // 2
        places = [place for place, drawn in enumerate(self._drawn.places) if drawn[0] == line]
        if places:
            self.move_to(places[-1] if in_second_column else places[0])


class SelectedRun(Vertical):
    """The pane; the chosen tab stays chosen across runs."""

    class Changed(Message):
        """Another tab, another focus, or something else that the footer depends on."""

    def __init__(self, charts: ChartSource, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self._glyphs = glyphs
        self.tab = LOG
        self.view: SelectedRunView | None = None
        self.log_view = LogView(None, glyphs=glyphs, id=f"tab-{LOG}")
        self.details = DetailsTab(glyphs=glyphs, id=f"tab-{DETAILS}")
        self._loss = LossChart(glyphs=glyphs, id="loss-chart")
        self._metrics = MetricsTab(glyphs=glyphs, id=f"tab-{METRICS}")
        self._resources = ResourcesTab(glyphs=glyphs, id=f"tab-{RESOURCES}")
        self._chart_widgets = {LOG: self._loss, METRICS: self._metrics, RESOURCES: self._resources}
        self.charts = RunCharts(charts, self._loss, self._metrics, self._resources)

    def compose(self) -> ComposeResult:
        yield SelectedHeading(glyphs=self._glyphs, id="selected-heading")
        yield LineWidget(glyphs=self._glyphs, id="card")
        with Container(id="log-and-chart"):
            yield self.log_view
            yield self._loss
        yield self._metrics
        yield self._resources
        yield self.details
        yield ScrollView(glyphs=self._glyphs, id=f"tab-{EVENTS}")

    def follow_charts(self) -> None:
        """Start to read the files of the charts."""
        self.run_worker(self.charts.follow(), name="charts", group="charts")

    @property
    def tab_widget(self) -> ScrollView:
        """The widget of the chosen tab."""
        return self.query_one(f"#tab-{self.tab}", ScrollView)

    def footer_actions(self) -> Sequence[Action]:
        """Return what applies to the focused tab; empty when the actions of the run apply."""
        if self.log_view.has_focus and self.log_view.is_searching:
            return LOG_SEARCH_FOOTER
        return self.charts.footer_actions() if self.tab == METRICS and self.has_focus_within else ()

    def choose(self, tab: int) -> None:
        """Show another tab; it takes the focus if the old one had it."""
        focused = self.has_focus_within
        self.tab = tab % len(TABS)
        for number in range(len(TABS)):
            self.query_one(f"#tab-{number}", ScrollView).display = number == self.tab
        self.query_one("#log-and-chart").display = self.tab == LOG
        if focused:
            self.screen.set_focus(self.tab_widget)
        self.paint()
        self.post_message(self.Changed())

    def show_run(self, run: KnownRun | None, snapshot: Snapshot, layout: Layout) -> None:
        """Show a run, or the same one later; nothing is drawn while the layout has no room for the pane."""
        chart_widget = None
        if layout.selected_rows:
            view = selected_run_view(snapshot, None if run is None else run.id)
            if view is None or self.view is None or view.run_id != self.view.run_id:
                for tab in self.query(ScrollView):
                    tab.to_top()
            self.view = view
            self.paint()
            chart_widget = self._chart_widgets.get(self.tab)
        self.charts.show(run, chart_widget, snapshot, layout)

    def paint(self) -> None:
        """Paint the heading, the card and the chosen tab."""
        width = self.size.width
        if width <= 0:
            return
        heading = self.query_one(SelectedHeading)
        heading.view, heading.tab = self.view, self.tab
        heading.show([draw_selected_heading(self.view, self.tab, width, self._glyphs, focused=self.has_focus_within)])
        card = self.query_one("#card", LineWidget)
        lines = draw_card(None if self.view is None else self.view.card, width, self._glyphs)
        if lines and self.size.height > len(lines) + 8:
            lines.append(())
        rows = len(lines) if self.size.height > len(lines) + 3 else min(1, len(lines))
        card.display = rows > 0
        if card.styles.height is None or card.styles.height.value != rows:
            card.styles.height = rows
        card.show(lines[:rows])
        self._paint_tab(width)

    def _paint_tab(self, width: int) -> None:
        view = self.view
        if self.tab == LOG:
            if view is None:
                self.log_view.watch_path(None)
            else:
                self.log_view.watch_path(view.log_path, live=view.live, failed=view.failed)
        elif self.tab == DETAILS:
            self.details.show_details(view)
        elif self.tab == EVENTS:
            self.tab_widget.show_content(() if view is None else draw_events(view.events, width, self._glyphs))

    @on(Steered)
    def _steered(self, message: Steered) -> None:
        message.stop()
        self.charts.steer(message)
        self.post_message(self.Changed())

    @on(MetricsTab.Chosen)
    def _metric_chosen(self, message: MetricsTab.Chosen) -> None:
        message.stop()
        self.charts.choose_metric(message.name)

    @on(events.Resize)
    def _repaint(self) -> None:
        self.paint()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_changed(self) -> None:
        self.call_after_refresh(self.paint)
        self.post_message(self.Changed())
