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
from backprop_tui.tui.charts.choices import ChartChoices
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.snapshot import KnownRun
from backprop_tui.tui.widgets.loss_chart import LossChart
from backprop_tui.tui.widgets.metrics import MetricsTab
from backprop_tui.tui.widgets.resources import ResourcesTab
from backprop_tui.tui.widgets.selected import LOG, METRICS, RESOURCES, SelectedRun

if TYPE_CHECKING:
    from backprop_tui.tui.charts.figures import RunFigures
    from backprop_tui.tui.charts.source import ChartSource

CHART_SECONDS = 5.0
_CATCHING_UP_SECONDS = 0.05  # between two slices of a large file
_CURSOR_COLUMNS = 60  # steps of the cursor from one end to the other
_CHARTED = (LOG, METRICS, RESOURCES)


class Charting:
    """Reads and paints each five seconds, at once when another run or tab is chosen, else not at all."""

    def __init__(self, screen: Front, reader: ChartSource) -> None:
        self._screen = screen
        self._reader = reader
        self._wanted = asyncio.Event()
        self._shown: tuple[str | None, int] = (None, LOG)
        self._figures: RunFigures | None = None
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
            "export": lambda: self._screen.run_worker(self._export(), group="requests", exit_on_error=False),
        }

    def footer_keys(self) -> list[tuple[str, str]]:
        """Key and word of what applies to charts; empty where none has the keys."""
        if self._pane.tab != METRICS or not self._pane.has_focus_within:
            return []
        axis = ("x", "by step" if self.choices.by_time else "by time")
        scale = ("L", "linear" if self.choices.log else "log scale")
        return [("m", "metrics"), axis, scale, ("z", "smooth"), ("E", "export"), ("h l", "cursor"), ("1..5", "tabs")]

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
                self.choices.cursor, self._figures = None, None
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
        from backprop_tui.tui.charts.metrics_view import large_chart, metrics_view

        if pane.tab == LOG:
            pane.query_one(LossChart).show_chart(large_chart(known, figures, ChartChoices()), self._screen.layout_now)
        elif pane.tab == METRICS:
            view = metrics_view(known, figures, self.choices, self._screen.snapshot.moment, self._screen.glyphs)
            pane.query_one(MetricsTab).show_view(view)
        elif pane.tab == RESOURCES:
            from backprop_tui.tui.charts.resources_view import resources_view

            snapshot, going_on = self._screen.snapshot, known.status in ACTIVE
            view_of = resources_view(snapshot, figures, self.choices.range_seconds, going_on=going_on)
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
        names = [row.name for row in view.rows] if view is not None else []
        chosen = next((place for place, row in enumerate(view.rows) if row.chosen), 0) if view is not None else 0
        if names:
            self._pane.choose(METRICS)
            self.choose_metric(names[(chosen + 1) % len(names)])

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

    def move_cursor(self, columns: int) -> None:
        """Reads values further left or right."""
        from backprop_tui.tui.charts.metrics_view import moved_cursor

        if self._figures is not None:
            self.choices.cursor = moved_cursor(self._figures, self.choices, columns, _CURSOR_COLUMNS)
            self.paint()

    def _compare(self) -> None:
        """The marked runs, the members of a group, or the selected run beside nothing."""
        from backprop_tui.tui.charts.compare_view import MOST_RUNS
        from backprop_tui.tui.screens.compare import CompareScreen

        screen = self._screen
        chosen = [one.id for one in screen.standing.chosen(screen.snapshot)]
        if len(chosen) < 2:
            screen.tell("Mark two runs or more with space, then compare them")
            return
        if len(chosen) > MOST_RUNS:
            screen.tell(f"The first {MOST_RUNS} of {len(chosen)} runs are compared")
        screen.app.push_screen(CompareScreen(chosen, lambda: screen.snapshot, self._reader, glyphs=screen.glyphs))

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
