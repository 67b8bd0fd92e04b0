"""The charts of the selected run: when their files are read, and what the chart keys do.

What computes the charts is imported with the first values, which arrive after the first paint.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backprop_tui.domain.status import ACTIVE
from backprop_tui.plotting.axes import XUnit
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import BY_ID, METRICS_ACTIONS
from backprop_tui.tui.charts.choices import AXIS_WORDS, ChartChoices
from backprop_tui.tui.layout import Layout
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.charts import LossChart, MetricsTab, ResourcesTab, Steered
from backprop_tui.tui.widgets.line_widget import LineWidget

if TYPE_CHECKING:
    from backprop_tui.plotting.track import PlottedSeriesCache
    from backprop_tui.tui.charts.metric_charts import Plotter
    from backprop_tui.tui.charts.source import ChartData, ChartSource

CHART_SECONDS = 5.0
CATCHING_UP_SECONDS = 0.05  # between two slices of a large file


class RunCharts:
    """Draws into the three widgets; reads every five seconds and at once for another run or chart."""

    def __init__(self, source: ChartSource, loss: LossChart, metrics: MetricsTab, resources: ResourcesTab) -> None:
        self._source = source
        self._loss, self._metrics, self._resources = loss, metrics, resources
        self._read_now = asyncio.Event()
        self._snapshot: Snapshot | None = None
        self._run: KnownRun | None = None
        self._widget: LineWidget | None = None
        self._layout: Layout | None = None
        self._figures: ChartData | None = None
        self._tracks: PlottedSeriesCache | None = None
        self.choices = ChartChoices()

    def show(self, run: KnownRun | None, widget: LineWidget | None, snapshot: Snapshot, layout: Layout) -> None:
        """Draws charts of this run into this widget; None: no chart is visible."""
        run_changed = self._run_id != (None if run is None else run.id)
        changed = run_changed or widget is not self._widget
        laid_out = layout != self._layout
        self._run, self._widget, self._snapshot, self._layout = run, widget, snapshot, layout
        if run_changed:
            self.choices.reset_view()
            self._figures = self._tracks = None
        if changed or laid_out:
            self.paint()
        if changed:
            self._read_now.set()

    @property
    def _run_id(self) -> str | None:
        return None if self._run is None else self._run.id

    async def follow(self) -> None:
        while True:
            self._read_now.clear()
            caught_up = await self._read()
            try:
                await asyncio.wait_for(self._read_now.wait(), CHART_SECONDS if caught_up else CATCHING_UP_SECONDS)
            except TimeoutError:
                pass

    async def _read(self) -> bool:
        if self._run is None or self._widget is None:
            return True
        figures = (await self._source.read([self._run.id]))[0]
        if self._run_id == figures.run_id:  # still the same run
            self._figures = figures
            self.paint()
        return figures.caught_up

    def paint(self) -> None:
        run, figures, snapshot, layout = self._run, self._figures, self._snapshot, self._layout
        if snapshot is None or layout is None:
            return
        if run is None or figures is None:
            self._metrics.show_view(None)
            self._resources.show_view(None)
            self._loss.show_chart(None, layout)
            return
        from backprop_tui.tui.charts.metric_charts import Plotter, large_chart
        from backprop_tui.tui.charts.metrics_tab import metrics_view

        if self._widget is self._loss:
            choices = ChartChoices(shows_plan=self.choices.shows_plan)
            self._loss.show_chart(large_chart(Plotter(run, figures, choices)), layout)
        elif self._widget is self._metrics:
            count = len(self.choices.matching(figures.metrics))
            most = self._metrics.room(grid=self.choices.grid, metrics=count)
            plotter = self._plotter(run, figures)
            self._metrics.show_view(metrics_view(plotter, snapshot.moment, self._metrics.glyphs, most=most))
        elif self._widget is self._resources:
            from backprop_tui.tui.charts.resources_tab import resources_view

            is_active = run.status in ACTIVE
            view = resources_view(snapshot, figures, self.choices.range_seconds, active=is_active)
            self._resources.show_view(view)

    def _plotter(self, run: KnownRun, figures: ChartData) -> Plotter:
        from backprop_tui.plotting.track import PlottedSeriesCache
        from backprop_tui.tui.charts.metric_charts import Plotter

        self._tracks = self._tracks or PlottedSeriesCache()
        return Plotter(run, figures, self.choices, self._tracks)

    def choose_metric(self, name: str) -> None:
        self.choices.metric = name
        self.paint()

    def next_metric(self) -> bool:
        """Shows the next metric large; returns whether there are metrics."""
        view = self._metrics.view
        if view is None or not view.rows:
            return False
        self.choose_metric(view.rows[(view.chosen_index + 1) % len(view.rows)].name)
        return True

    def switch_grid(self) -> None:
        self.choices.grid = not self.choices.grid
        self.paint()

    def next_axis(self) -> None:
        """Changes the x axis; of the resources the range of time."""
        if self._widget is self._resources:
            self.choices.next_range()
        else:
            self.choices.next_axis()
        self.paint()

    def switch_plan(self) -> None:
        """Extends x to the planned end, or fits it to the data."""
        self.choices.shows_plan = not self.choices.shows_plan
        self.choices.reset_view()
        self.paint()

    def switch_log_scale(self) -> None:
        self.choices.log = not self.choices.log
        self.paint()

    def next_smoothing(self) -> str:
        name = self.choices.next_smoothing()
        self.paint()
        return name

    def steer(self, message: Steered) -> None:
        """Changes cursor, zoom or filter as the mouse or a key asks."""
        if self._run is None or self._figures is None:
            return
        from backprop_tui.tui.charts.choices import ChartNavigator

        message.apply(ChartNavigator.of(self._plotter(self._run, self._figures)))
        self.paint()

    def zoom(self, *, closer: bool) -> None:
        self.steer(Steered.zoom(closer=closer))

    def footer_actions(self) -> Sequence[Action]:
        choices = self.choices
        shorts = {
            "next_metric": "metrics",
            "axis": AXIS_WORDS[choices.next_by],
            **({"plan": "fit data" if choices.shows_plan else "plan"} if choices.by is XUnit.STEP else {}),
            "log_scale": "linear" if choices.log else "log scale",
            "smooth": "smooth",
            "metrics_grid": "one large" if choices.grid else "grid",
            "zoom_in": "zoom in",
            **({"zoom_out": "zoom out"} if choices.window is not None else {}),
        }
        actions = [replace(BY_ID[action_id], short=short) for action_id, short in shorts.items()]
        return [*actions, METRICS_ACTIONS[0], replace(BY_ID["export"], short="export")]

    async def export(self) -> str | None:
        """Writes all metrics of the run as CSV to the working directory; returns the path, None without a run.

        Raises:
            OSError: the file could not be written.
        """
        if self._run is None:
            return None
        name = re.sub(r"[^\w.=-]+", "-", str(self._run.record["name"])).strip("-.") or self._run.id
        return await self._source.export(self._run.id, os.path.join(os.getcwd(), f"{name}-metrics.csv"))
