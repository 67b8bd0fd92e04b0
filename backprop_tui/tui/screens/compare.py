"""The Compare screen, for any number of runs: its keys, and the reading of what it shows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import ENDED
from backprop_tui.presentation.compare import ComparedRun
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.actions import COMPARE_ACTIONS, bindings
from backprop_tui.tui.charts.choices import ChartChoices, ChartNavigator
from backprop_tui.tui.charts.compare import (
    CompareCache,
    CompareView,
    compare_view,
    compared_run,
    draw_compare,
    shown_columns,
)
from backprop_tui.tui.charts.source import ChartData, ChartSource
from backprop_tui.tui.clipboard import copy_text
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Piece, Token
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.widgets.charts import ComparePage, Steered
from backprop_tui.tui.widgets.run_charts import CATCHING_UP_SECONDS, CHART_SECONDS

_FOOTER = COMPARE_ACTIONS[:12]
_SCROLLS = ("columns_left", "columns_right")
_READ_AT_ONCE = 16  # runs


class CompareScreen(DismissOnce, Screen[None]):
    """Compares runs of the snapshot that `snapshot` returns, with the pinned one or else the first as the baseline."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(COMPARE_ACTIONS)

    def __init__(
        self, run_ids: Sequence[str], snapshot: Callable[[], Snapshot], charts: ChartSource, *, glyphs: Glyphs
    ) -> None:
        super().__init__()
        self._run_ids = tuple(run_ids)
        self._snapshot = snapshot
        self._charts = charts
        self._glyphs = glyphs
        self._figures: dict[str, ChartData] = {}
        self._choices = ChartChoices()
        self._cache = CompareCache()
        self._all_options = False
        self._first = 1  # the first column beside the baseline
        self._shown: tuple[int, ...] = ()
        self.view: CompareView | None = None

    def compose(self) -> ComposeResult:
        yield ComparePage(glyphs=self._glyphs, id="compare")
        yield FooterBar(glyphs=self._glyphs, id="footer")

    @property
    def _page(self) -> ComparePage:
        return self.query_one(ComparePage)

    def on_mount(self) -> None:
        self._page.focus()
        self._start_reading()

    def _start_reading(self) -> None:
        self.run_worker(self._read(), group="charts", exclusive=True)

    async def _read(self) -> None:
        """Reads what is new or may have grown, and computes the curves in a thread: the keys then find them there."""
        due = await asyncio.to_thread(lambda: [run.id for run in self._runs() if self._may_have_grown(run)])
        new = [run_id for run_id in due if run_id not in self._figures]
        figures = await self._charts.read(new[:_READ_AT_ONCE] or due)
        self._figures |= {run.run_id: run for run in figures}
        await self._compute_and_draw()
        is_complete = len(new) <= _READ_AT_ONCE and all(run.caught_up for run in figures)
        self.set_timer(CHART_SECONDS if is_complete else CATCHING_UP_SECONDS, self._start_reading)

    def _may_have_grown(self, run: KnownRun) -> bool:
        data = self._figures.get(run.id)
        return data is None or not data.caught_up or run.status not in ENDED

    def _runs(self) -> list[KnownRun]:
        """The runs that still exist, the baseline first."""
        snapshot = self._snapshot()
        runs = [run for run in map(snapshot.find, self._run_ids) if run is not None]
        return sorted(runs, key=lambda run: not run.record.get("baseline"))

    def _compared(self) -> list[ComparedRun]:
        return [compared_run(run, self._figures.get(run.id)) for run in self._runs()]

    def _compute(self) -> CompareView:
        compared = self._compared()
        moment, shown = self._snapshot().moment, shown_columns(len(compared), self.size.width, self._first)
        return compare_view(
            compared, self._choices, moment, all_options=self._all_options, shown=shown, cache=self._cache
        )

    async def _compute_and_draw(self) -> None:
        """Computes all curves in a thread: those of a hundred runs take a quarter of a second."""
        self.view = await asyncio.to_thread(self._compute)
        self.draw()

    def _change_curves(self) -> None:
        self.run_worker(self._compute_and_draw(), group="curves", exclusive=True)

    @on(events.Resize)
    def paint(self) -> None:
        """Shows a few runs at once; many are ranked in the thread, and until then the page says how many there are."""
        if len(self._run_ids) <= _READ_AT_ONCE:
            self.view = self._compute()
        else:
            if self.view is None:
                self._page.show_content([(Piece(f"  Comparing {counted(len(self._run_ids), 'run')}", Token.MUTED),)])
            self._change_curves()
        self.draw()

    def draw(self) -> None:
        if self.view is None:
            return
        width, height = self.size
        everything = self._all_options
        page = draw_compare(
            self.view, width, max(1, height - 1), self._glyphs, all_options=everything, first=self._first
        )
        self._shown = page.shown
        self._page.show_page(page, self.view.chart)
        has_hidden = len(self._shown) < len(self.view.columns)
        actions = [action for action in _FOOTER if has_hidden or action.id not in _SCROLLS]
        self.query_one(FooterBar).show_actions(actions, width)

    @on(FooterBar.Clicked)
    async def _footer_clicked(self, message: FooterBar.Clicked) -> None:
        if message.action in _FOOTER:
            await self.run_action(message.action.command)

    def action_columns(self, by: int) -> None:
        """Scrolls by the columns that fit, in either direction."""
        if self.view is not None:
            size = max(1, len(self._shown) - 1)
            self._first = max(1, min(self._first + by * size, len(self.view.columns) - size))
            self.paint()

    def action_best(self) -> None:
        """Shows the column of the best run, and says by what it is the best."""
        if self.view is None:
            return
        if self.view.best is not None and self.view.best not in self._shown:
            self._first = self.view.best
            self.paint()
        column = "" if self.view.best is None else f": {self.view.columns[self.view.best].name}"
        self.notify(f"{self.view.best_text[0].upper()}{self.view.best_text[1:]}{column}", markup=False, timeout=5)

    def action_metric(self) -> None:
        if self.view is None or not self.view.metric_names:
            return
        names = self.view.metric_names
        metric = self._choices.metric or self.view.metric  # the view may not show the choice yet
        index = names.index(metric) if metric in names else -1
        self._choices.metric = names[(index + 1) % len(names)]
        self._change_curves()

    def action_axis(self) -> None:
        self._choices.next_axis()
        self._change_curves()

    def action_log_scale(self) -> None:
        self._choices.log = not self._choices.log
        self._change_curves()

    def action_smooth(self) -> None:
        self.notify(f"Smoothing: {self._choices.next_smoothing()}", timeout=3)
        self._change_curves()

    def action_cursor(self, columns: int) -> None:
        self._page.move_cursor(columns)

    def action_zoom_in(self) -> None:
        self._steer(Steered.zoom(closer=True))

    def action_zoom_out(self) -> None:
        self._steer(Steered.zoom(closer=False))

    def action_leave_zoom(self) -> None:
        if self._choices.window is None and self._choices.cursor is None:
            self.dismiss()
            return
        self._choices.reset_view()
        self.paint()

    @on(Steered)
    def _steer(self, message: Steered) -> None:
        if self.view is not None:
            message.apply(ChartNavigator(self._choices, self.view.chart.x, self.view.whole, self.view.points))
            self.paint()

    def action_all_options(self) -> None:
        """Shows all options, or only those that differ."""
        self._all_options = not self._all_options
        self._page.to_top()
        self.paint()

    def action_copy_ids(self) -> None:
        copy_text(self.app, " ".join(self._run_ids), counted(len(self._run_ids), "id"))

    def action_scroll(self, rows: int) -> None:
        self._page.move(rows)

    def action_export(self) -> None:
        self.run_worker(self._export(), group="export", exit_on_error=False)

    async def _export(self) -> None:
        written = []
        for run_id in self._run_ids:
            try:
                written.append(await self._charts.export(run_id, os.path.join(os.getcwd(), f"{run_id}-metrics.csv")))
            except OSError as error:
                self.notify(f"Could not export {run_id}: {error.strerror}", severity="warning", markup=False)
        if written:
            self.notify("Metrics written to " + ", ".join(written), markup=False, timeout=5)
