"""The charts of the selected run: what is read for them and when, and what their keys do.

What draws them is loaded when the first figures are there, which is after the first paint.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from backprop_tui.domain.status import ACTIVE
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.charts.choices import AXIS_WORDS, ChartChoices
from backprop_tui.tui.panes.run_order import best_first
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.widgets.chart_mouse import ZOOM, Steered, Zoomed, obey
from backprop_tui.tui.widgets.loss_chart import LossChart
from backprop_tui.tui.widgets.metrics import MetricsTab
from backprop_tui.tui.widgets.resources import ResourcesTab
from backprop_tui.tui.widgets.selected import LOG, METRICS, RESOURCES, SelectedRun

if TYPE_CHECKING:
    from backprop_tui.plotting.track import Tracks
    from backprop_tui.tui.charts.metric_charts import Plotter
    from backprop_tui.tui.charts.source import ChartData, ChartSource

CHART_SECONDS = 5.0
_CATCHING_UP_SECONDS = 0.05  # between two slices of a large file
_CHARTED = (LOG, METRICS, RESOURCES)


class Charting:
    """Reads and paints each five seconds, at once when another run or tab is chosen, else not at all."""

    def __init__(self, screen: Front, reader: ChartSource) -> None:
        self._screen = screen
        self._reader = reader
        self._wanted = asyncio.Event()
        self._shown: tuple[str | None, int] = (None, LOG)
        self._figures: ChartData | None = None
        self._tracks: Tracks | None = None
        self.choices = ChartChoices()

    @property
    def _pane(self) -> SelectedRun:
        return self._screen.query_one(SelectedRun)

    @property
    def _known(self) -> KnownRun | None:
        return self._screen.standing.run_of_row(self._screen.snapshot)

    def doing(self) -> dict[str, Callable[[], object]]:
        """What the keys of charts do."""
        return {
            "metrics_choose": self._next_metric,
            "axis": self._next_axis,
            "log_scale": self._switch_log,
            "smooth": self._next_smoothing,
            "compare": self._compare,
            "chart_in": lambda: self.steer(Zoomed(None, ZOOM)),
            "chart_out": lambda: self.steer(Zoomed(None, 1 / ZOOM)),
            "metrics_grid": self._switch_grid,
            "export": lambda: self._screen.work(self._export()),
        }

    def footer_keys(self) -> list[tuple[str, str]]:
        """Key and word of what applies to charts; empty where none has the keys."""
        if self._pane.tab != METRICS or not self._pane.has_focus_within:
            return []
        axis = ("x", AXIS_WORDS[self.choices.next_by])
        scale = ("L", "linear" if self.choices.log else "log scale")
        zoom = [("i", "zoom in"), *([("u", "zoom out")] if self.choices.window is not None else [])]
        grid = ("M", "one large" if self.choices.grid else "grid")
        return [("m", "metrics"), axis, scale, ("z", "smooth"), grid, *zoom, ("h l", "cursor"), ("E", "export")]

    async def follow(self) -> None:
        """Reads until it is cancelled."""
        while True:
            self._wanted.clear()
            caught_up = await self._look()
            try:
                await asyncio.wait_for(self._wanted.wait(), CHART_SECONDS if caught_up else _CATCHING_UP_SECONDS)
            except TimeoutError:
                pass

    def look_if_changed(self) -> None:
        """Another run or another tab may be shown now: that is not waited for."""
        known = self._known
        now = (None if known is None else known.id, self._pane.tab)
        if now != self._shown:
            if now[0] != self._shown[0]:
                self.choices.reset_view()
                self._figures = self._tracks = None
            self._shown = now
            self.paint()
            self._wanted.set()

    async def _look(self) -> bool:
        """Whether all was read."""
        known, pane = self._known, self._pane
        if known is None or not pane.display or pane.tab not in _CHARTED:
            return True
        figures = (await self._reader.read([known.id]))[0]
        now = self._known
        if now is not None and now.id == figures.run_id:
            self._figures = figures
            self.paint()
        return figures.caught_up

    def paint(self) -> None:
        """The chart or charts of the tab that is shown."""
        known, figures, pane = self._known, self._figures, self._pane
        if known is None or figures is None:
            self._clear()
            return
        from backprop_tui.tui.charts.metric_charts import Plotter, large_chart
        from backprop_tui.tui.charts.metrics_tab import metrics_view

        if pane.tab == LOG:
            chart = large_chart(Plotter(known, figures, ChartChoices()))
            pane.query_one(LossChart).show_chart(chart, self._screen.layout_now)
        elif pane.tab == METRICS:
            tab, moment = pane.query_one(MetricsTab), self._screen.snapshot.moment
            most = tab.room(grid=self.choices.grid)
            tab.show_view(metrics_view(self._plotter(known, figures), moment, self._screen.glyphs, most=most))
        elif pane.tab == RESOURCES:
            from backprop_tui.tui.charts.resources_tab import resources_view

            snapshot, going_on = self._screen.snapshot, known.status in ACTIVE
            view_of = resources_view(snapshot, figures, self.choices.range_seconds, active=going_on)
            pane.query_one(ResourcesTab).show_view(view_of)

    def _clear(self) -> None:
        self._pane.query_one(MetricsTab).show_view(None)
        self._pane.query_one(ResourcesTab).show_view(None)
        self._pane.query_one(LossChart).show_chart(None, self._screen.layout_now)

    def choose_metric(self, name: str) -> None:
        """Shows it large."""
        self.choices.metric = name
        self.paint()

    def _next_metric(self) -> None:
        view = self._pane.query_one(MetricsTab).view
        if view is not None and view.rows:
            self._pane.choose(METRICS)
            self.choose_metric(view.rows[(view.chosen_index + 1) % len(view.rows)].name)

    def _switch_grid(self) -> None:
        self._pane.choose(METRICS)
        self.choices.grid = not self.choices.grid
        self.paint()

    def _next_axis(self) -> None:
        if self._pane.tab == RESOURCES:
            self.choices.next_range()
        else:
            self.choices.next_axis()
        self.paint()

    def _switch_log(self) -> None:
        self.choices.log = not self.choices.log
        self.paint()

    def _next_smoothing(self) -> None:
        self._screen.tell(f"Smoothing: {self.choices.next_smoothing()}")
        self.paint()

    def steer(self, message: Steered) -> None:
        """What the mouse or a key wants of cursor and zoom."""
        known, figures = self._known, self._figures
        if known is None or figures is None:
            return
        from backprop_tui.tui.charts.choices import ChartNavigator

        obey(message, ChartNavigator.of(self._plotter(known, figures)))
        self.paint()
        self._screen.paint_selected()

    def _plotter(self, known: KnownRun, figures: ChartData) -> Plotter:
        from backprop_tui.plotting.track import Tracks
        from backprop_tui.tui.charts.metric_charts import Plotter

        self._tracks = self._tracks or Tracks()
        return Plotter(known, figures, self.choices, self._tracks)

    def _compare(self) -> None:
        """The marked runs, the members of a group, or the selected run beside nothing."""
        from backprop_tui.tui.charts.compare_view import MOST_RUNS
        from backprop_tui.tui.screens.compare import CompareScreen

        screen = self._screen
        chosen = screen.standing.chosen(screen.snapshot)
        if len(chosen) < 2:
            screen.tell("Mark two runs or more with space, then compare them")
            return
        if len(chosen) > MOST_RUNS:
            screen.tell(f"The best {MOST_RUNS} of {len(chosen)} runs are compared")
            chosen = best_first(chosen)[:MOST_RUNS]
        run_ids = [one.id for one in chosen]
        screen.app.push_screen(CompareScreen(run_ids, lambda: screen.snapshot, self._reader, glyphs=screen.glyphs))

    async def _export(self) -> None:
        known = self._known
        if known is None:
            return
        name = re.sub(r"[^\w.=-]+", "-", str(known.record["name"])).strip("-.") or known.id
        try:
            path = await self._reader.export(known.id, os.path.join(os.getcwd(), f"{name}-metrics.csv"))
        except OSError as error:
            self._screen.tell(f"Nothing was exported: {error.strerror}", bad=True)
            return
        self._screen.tell(f"Metrics written to {path}")
