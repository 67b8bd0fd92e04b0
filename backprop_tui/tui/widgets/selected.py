"""The selected run: a heading with tabs, its card, and the chosen tab."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message

from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.panes.card import draw_card
from backprop_tui.tui.panes.events import draw_events
from backprop_tui.tui.panes.selected_run import TABS, SelectedRunView, draw_selected_heading, tab_at
from backprop_tui.tui.widgets.details import DetailsTab
from backprop_tui.tui.widgets.log import LogView
from backprop_tui.tui.widgets.loss_chart import LossChart
from backprop_tui.tui.widgets.metrics import MetricsTab
from backprop_tui.tui.widgets.painted import Painted
from backprop_tui.tui.widgets.resources import ResourcesTab
from backprop_tui.tui.widgets.sheet import Sheet

_SEARCH_KEYS = (("n", "next match"), ("N", "previous match"), ("/", "another search"), ("esc", "end search"))
LOG, METRICS, RESOURCES, DETAILS, EVENTS = range(len(TABS))


class SelectedHeading(Painted):
    """A click on a tab chooses it."""

    class TabChosen(Message):
        """Another tab is wanted, counted from 0."""

        def __init__(self, tab: int) -> None:
            super().__init__()
            self.tab = tab

    view: SelectedRunView | None = None
    tab = LOG

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        tab = tab_at(self.view, self.tab, event.x, self.size.width, self.glyphs)
        if tab is not None:
            self.post_message(self.TabChosen(tab))


class SelectedRun(Vertical):
    """The pane; the chosen tab stays chosen across runs."""

    class TabShown(Message):
        """Another tab is shown."""

    def __init__(self, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._glyphs = glyphs
        self.tab = LOG
        self.view: SelectedRunView | None = None

    def compose(self) -> ComposeResult:
        """Heading, card, and a widget for each tab."""
        yield SelectedHeading(glyphs=self._glyphs, id="selected-heading")
        yield Painted(glyphs=self._glyphs, id="card")
        with Container(id="log-and-chart"):
            yield LogView(None, glyphs=self._glyphs, id="tab-0")
            yield LossChart(glyphs=self._glyphs, id="loss-chart")
        yield MetricsTab(glyphs=self._glyphs, id=f"tab-{METRICS}")
        yield ResourcesTab(glyphs=self._glyphs, id=f"tab-{RESOURCES}")
        yield DetailsTab(glyphs=self._glyphs, id=f"tab-{DETAILS}")
        yield Sheet(glyphs=self._glyphs, id=f"tab-{EVENTS}")

    @property
    def tab_widget(self) -> Sheet:
        """The widget of the chosen tab."""
        return self.query_one(f"#tab-{self.tab}", Sheet)

    @property
    def search_keys(self) -> Sequence[tuple[str, str]]:
        """Key and word of what a search that is on owns; empty where none is, or another pane has the keys."""
        log = self.query_one(LogView)
        return _SEARCH_KEYS if log.has_focus and log.is_searching else ()

    def choose(self, tab: int) -> None:
        """Another tab; it has the focus where the old one had it."""
        focused = self.has_focus_within
        self.tab = tab % len(TABS)
        for place in range(len(TABS)):
            self.query_one(f"#tab-{place}", Sheet).display = place == self.tab
        self.query_one("#log-and-chart").display = self.tab == LOG
        if focused:
            self.screen.set_focus(self.tab_widget)
        self.paint()
        self.post_message(self.TabShown())

    def show_view(self, view: SelectedRunView | None) -> None:
        """Another run, or the same one later."""
        if view is None or self.view is None or view.run_id != self.view.run_id:
            for sheet in self.query(Sheet):
                sheet.to_top()
        self.view = view
        self.paint()

    def paint(self) -> None:
        """Paints what changed: the heading and the chosen tab alone."""
        width = self.size.width
        if width <= 0:
            return
        heading = self.query_one(SelectedHeading)
        heading.view, heading.tab = self.view, self.tab
        heading.show([draw_selected_heading(self.view, self.tab, width, self._glyphs, focused=self.has_focus_within)])
        card = self.query_one("#card", Painted)
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
            log = self.query_one(LogView)
            if view is None:
                log.watch_path(None)
            else:
                log.watch_path(view.log_path, live=view.live, failed=view.failed)
        elif self.tab in (METRICS, RESOURCES):
            pass  # painted when their files were read
        elif self.tab == DETAILS:
            self.query_one(DetailsTab).show_details(view)
        else:
            self.tab_widget.show_sheet(() if view is None else draw_events(view.events, width, self._glyphs))

    @on(events.Resize)
    def _resized(self) -> None:
        self.paint()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_changed(self) -> None:
        self.call_after_refresh(self.paint)
        self.post_message(self.TabShown())
