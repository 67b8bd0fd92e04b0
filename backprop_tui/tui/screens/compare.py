"""The Compare screen: up to six runs side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from backprop_tui.plotting.track import Tracks
from backprop_tui.tui.charts.choices import ChartChoices, ChartNavigator
from backprop_tui.tui.charts.compare_screen import draw_compare
from backprop_tui.tui.charts.compare_view import MOST_RUNS, CompareView, compare_view, compared_run
from backprop_tui.tui.charts.source import ChartData, ChartSource
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.screens.leave_once import LeaveOnce
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.chart_mouse import ZOOM, Steered, Zoomed, obey
from backprop_tui.tui.widgets.compare import ComparePage
from backprop_tui.tui.widgets.footer import Footer
from backprop_tui.tui.widgets.painted import COLOURS

CHART_SECONDS = 5.0
_CATCHING_UP_SECONDS = 0.05
_KEYS = (
    ("m", "metric", "metric"),
    ("x", "axis", "axis"),
    ("L", "log_scale", "log"),
    ("z", "smooth", "smooth"),
    ("i", "zoom_in", "zoom in"),
    ("u", "zoom_out", "out"),
    ("a", "all_options", "all options"),
    ("y", "copy_ids", "copy"),
    ("E", "export", "export CSV"),
    ("esc", "back", "back"),
)


class CompareScreen(LeaveOnce, Screen[None]):
    """`snapshot` gives what is known now."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, name, word, show=False) for key, name, word in _KEYS if key != "esc"),
        Binding("escape", "leave_zoom", "zoom out, back", show=False),
        Binding("q,c", "back", "back", show=False),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
    ]

    def __init__(
        self,
        run_ids: Sequence[str],
        snapshot: Callable[[], Snapshot],
        charts: ChartSource,
        *,
        glyphs: Glyphs,
    ) -> None:
        super().__init__()
        self._run_ids = tuple(run_ids)[:MOST_RUNS]
        self._snapshot = snapshot
        self._charts = charts
        self._glyphs = glyphs
        self._figures: dict[str, ChartData] = {}
        self._choices = ChartChoices()
        self._tracks = Tracks()
        self._all_options = False
        self.view: CompareView | None = None

    def compose(self) -> ComposeResult:
        """The page and its keys."""
        yield ComparePage(glyphs=self._glyphs, id="compare")
        yield Footer(glyphs=self._glyphs, id="footer")

    def on_mount(self) -> None:
        """Begins to read."""
        self.query_one(ComparePage).focus()
        self._look()

    def _look(self) -> None:
        self.run_worker(self._read(), group="charts", exclusive=True)

    async def _read(self) -> None:
        figures = await self._charts.read(self._run_ids)
        self._figures = {one.run_id: one for one in figures}
        self.paint()
        caught_up = all(one.caught_up for one in figures)
        self.set_timer(CHART_SECONDS if caught_up else _CATCHING_UP_SECONDS, self._look)

    def on_resize(self, event: events.Resize) -> None:
        """Drawn for another size."""
        self.paint()

    def paint(self) -> None:
        """Everything; what is as before is not sent again."""
        now = self._snapshot()
        known = [one for one in map(now.find, self._run_ids) if one is not None]
        runs = [compared_run(one, self._figures.get(one.id)) for one in known]
        self.view = compare_view(runs, self._choices, now.moment, all_options=self._all_options, tracks=self._tracks)
        width, height = self.size
        page = draw_compare(self.view, width, max(1, height - 1), self._glyphs, all_options=self._all_options)
        self.query_one(ComparePage).show_page(page, self.view.chart)
        self.query_one(Footer).show_keys([(key, word) for key, _, word in _KEYS], width)

    def action_metric(self) -> None:
        """The next metric."""
        if self.view is None or not self.view.metric_names:
            return
        names = self.view.metric_names
        place = names.index(self.view.metric) if self.view.metric in names else -1
        self._choices.metric = names[(place + 1) % len(names)]
        self.paint()

    def action_axis(self) -> None:
        """By time or by step."""
        self._choices.next_axis()
        self.paint()

    def action_log_scale(self) -> None:
        """Logarithmic or not."""
        self._choices.log = not self._choices.log
        self.paint()

    def action_smooth(self) -> None:
        """Another smoothing."""
        self.notify(f"Smoothing: {self._choices.next_smoothing()}", timeout=3)
        self.paint()

    def action_zoom_in(self) -> None:
        """Around the cursor."""
        self._steer(Zoomed(None, ZOOM))

    def action_zoom_out(self) -> None:
        """Around the cursor."""
        self._steer(Zoomed(None, 1 / ZOOM))

    def action_leave_zoom(self) -> None:
        """All of x again, or back."""
        if self._choices.window is None and self._choices.cursor is None:
            self.dismiss()
            return
        self._choices.reset_view()
        self.paint()

    @on(Steered)
    def _steer(self, message: Steered) -> None:
        if self.view is not None:
            obey(message, ChartNavigator(self._choices, self.view.chart.x, self.view.whole, self.view.places))
            self.paint()

    def action_all_options(self) -> None:
        """All options, or those that differ."""
        self._all_options = not self._all_options
        self.query_one(ComparePage).to_top()
        self.paint()

    def action_copy_ids(self) -> None:
        """The ids of the runs."""
        self.app.copy_to_clipboard(" ".join(self._run_ids))
        self.notify("Copied " + " ".join(self._run_ids), markup=False, timeout=5)

    def action_scroll(self, rows: int) -> None:
        """Scrolls."""
        self.query_one(ComparePage).move(rows)

    def action_back(self) -> None:
        """To where it was called."""
        self.dismiss()

    def action_export(self) -> None:
        """A file for each run."""
        self.run_worker(self._export(), group="export", exit_on_error=False)

    async def _export(self) -> None:
        written = []
        for run_id in self._run_ids:
            try:
                written.append(await self._charts.export(run_id, os.path.join(os.getcwd(), f"{run_id}-metrics.csv")))
            except OSError as error:
                self.notify(f"{run_id} was not exported: {error.strerror}", severity="warning", markup=False)
        if written:
            self.notify("Metrics written to " + ", ".join(written), markup=False, timeout=5)
