"""Charts and the Compare screen, driven by keys and mouse."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from textual import events
from textual.pilot import Pilot

from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.charts.compare import CompareView
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.layout import Zoom
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.screens.compare import CompareScreen
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.widgets.charts import LossChart, MetricsTab, ResourcesTab
from backprop_tui.tui.widgets.line_widget import ScrollView
from tests.tui.charts.runs import chart_data
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.snapshots import ended, gpu, running, sample, snapshot
from tests.tui.sweep import sweep_runs

RUNS = (running("nano", step=590, total_steps=1000, metrics={"loss": 2.1}), running("vit"), ended("good"))


@dataclass
class FakeCharts:
    """Gives every run the same figures, and none to those in `bare`."""

    bare: tuple[str, ...] = ()
    read_of: list[tuple[str, ...]] = field(default_factory=list)
    exported: list[tuple[str, str]] = field(default_factory=list)

    async def read(self, run_ids: Sequence[str]) -> list[ChartData]:
        self.read_of.append(tuple(run_ids))
        return [ChartData(run_id=run_id) if run_id in self.bare else chart_data(run_id) for run_id in run_ids]

    async def export(self, run_id: str, path: str) -> str:
        self.exported.append((run_id, path))
        return path

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Stage:
    """A running dashboard."""

    pilot: Pilot[int]
    charts: FakeCharts

    @property
    def main(self) -> MainScreen:
        return next(screen for screen in self.pilot.app.screen_stack if isinstance(screen, MainScreen))

    @property
    def metrics(self) -> MetricsTab:
        return self.main.query_one(MetricsTab)

    @property
    def loss_chart(self) -> LossChart:
        return self.main.query_one(LossChart)

    def chart_shown(self) -> bool:
        return self.loss_chart.display

    @property
    def messages(self) -> str:
        return " ".join(notification.message for notification in self.pilot.app._notifications)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()
        await self.pilot.pause()


@asynccontextmanager
async def staged(
    size: tuple[int, int] = (120, 40), *, now: Snapshot | None = None, bare: tuple[str, ...] = ()
) -> AsyncIterator[Stage]:
    charts = FakeCharts(bare=bare)
    bridge = FakeBridge(now or snapshot(*RUNS, sample=sample(gpu())))
    app = Dashboard(bridge, FakeCommands(), Preferences(), charts=charts)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        yield Stage(pilot, charts)


async def test_the_loss_is_drawn_beside_the_log_when_there_is_room_and_data() -> None:
    async with staged(bare=("vit",)) as stage:
        assert stage.chart_shown()
        assert stage.loss_chart.size.width == 44
        assert "train 2.1" in stage.loss_chart.shown_text
        await stage.press("j")
        assert not stage.chart_shown()
        await stage.press("k")
        assert stage.chart_shown()
    async with staged((80, 24)) as stage:
        assert not stage.chart_shown()
    async with staged((200, 50)) as stage:
        assert stage.loss_chart.size.width > 70
        assert stage.loss_chart.region.y < stage.main.query_one("#tab-0").region.y


async def test_the_loss_disappears_at_once_when_the_screen_becomes_too_small() -> None:
    async with staged() as stage:
        assert stage.chart_shown()
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.pause()
        assert not stage.chart_shown()
        await stage.pilot.resize_terminal(120, 40)
        await stage.pilot.pause()
        assert stage.chart_shown()


async def test_the_metrics_tab_shows_the_selected_run_and_follows_the_cursor() -> None:
    async with staged(bare=("vit",)) as stage:
        await stage.press("2")
        assert "val_loss" in stage.metrics.shown_text
        await stage.press("j")
        assert "No metrics yet" in stage.metrics.shown_text
        assert stage.charts.read_of[-1] == ("vit",)


async def test_a_run_that_is_not_read_yet_is_being_read() -> None:
    async with staged() as stage:
        await stage.press("2")
        stage.metrics.show_view(None)
        assert stage.metrics.shown_text.strip() == "reading …"


async def test_files_are_not_read_while_no_chart_is_visible() -> None:
    async with staged() as stage:
        await stage.press("4")
        before = len(stage.charts.read_of)
        await stage.press("j", "k", "j")
        assert len(stage.charts.read_of) == before


async def test_keys_change_metric_axis_scale_and_smoothing() -> None:
    async with staged() as stage:
        await stage.press("2", "tab")
        assert "by time" in stage.main.query_one(FooterBar).shown_text
        await stage.press("x", "L")
        assert "by time, log scale" in stage.metrics.line_text(0)
        await stage.press("x")
        assert "by clock time, log scale" in stage.metrics.line_text(0)
        await stage.press("m", "m")
        assert stage.metrics.line_text(0).strip().startswith("lr")
        await stage.press("k", "k")
        assert stage.metrics.line_text(0).strip().startswith("loss")
        await stage.press("z")
        assert "Smoothing: strong" in stage.messages


async def test_the_cursor_in_the_chart_reads_values() -> None:
    async with staged() as stage:
        await stage.press("2", "tab")
        assert " step 590  train" in stage.metrics.shown_text
        await stage.press("h", "h", "left")
        assert "at step 5" in stage.metrics.shown_text
        assert "at cursor" in stage.metrics.line_text(0)
        await stage.press("shift+right")
        assert " step 590  train" in stage.metrics.shown_text
    async with staged((80, 24)) as stage:
        await stage.press("2", "tab", "plus", "h", "h")
        assert "at step 570  train 2.1" in stage.metrics.shown_text


async def test_escape_leaves_the_chart_zoom_before_the_pane() -> None:
    async with staged() as stage:
        await stage.press("2", "tab", "i", "i")
        assert "zoomed" in stage.metrics.line_text(0)
        assert "zoom out" in stage.main.query_one(FooterBar).shown_text
        await stage.press("u", "u", "u")
        assert "zoomed" not in stage.metrics.line_text(0)
        await stage.press("i", "escape")
        assert "zoomed" not in stage.metrics.line_text(0)
        assert stage.metrics.has_focus
        await stage.press("escape")
        assert not stage.metrics.has_focus


async def test_the_mouse_reads_drags_and_zooms_in_the_chart_and_chooses_metrics() -> None:
    async with staged() as stage:
        await stage.press("2", "tab", "plus")
        await stage.pilot.click(MetricsTab, offset=(30, 5))
        assert "at step 2" in stage.metrics.shown_text
        await stage.pilot.mouse_down(MetricsTab, offset=(20, 5))
        await stage.pilot.hover(MetricsTab, offset=(40, 5))
        await stage.pilot.mouse_up(MetricsTab, offset=(40, 5))
        await stage.pilot.pause()
        assert "zoomed" in stage.metrics.line_text(0)
        await stage.press("escape")
        stage.metrics.post_message(_wheel(stage.metrics, events.MouseScrollUp, 30, 5))
        await stage.press()
        assert "zoomed" in stage.metrics.line_text(0)
        stage.metrics.post_message(_wheel(stage.metrics, events.MouseScrollDown, 30, 5))
        await stage.press()
        assert "zoomed" not in stage.metrics.line_text(0)
        await stage.pilot.click(MetricsTab, offset=(100, 3))
        assert stage.metrics.line_text(0).strip().startswith("lr")


def _wheel(
    widget: MetricsTab, kind: type[events.MouseScrollUp | events.MouseScrollDown], x: int, y: int
) -> events.MouseScrollUp | events.MouseScrollDown:
    return kind(widget, x, y, 0, 0, 0, shift=False, meta=False, ctrl=False)


async def test_typing_filters_the_metrics() -> None:
    async with staged() as stage:
        await stage.press("2", "tab", "slash", *"^l", "x", "backspace", "r")
        assert "/^lr_ 1 of 3" in stage.metrics.shown_text
        assert stage.metrics.line_text(0).strip().startswith("lr")
        await stage.press("enter", "z")
        assert "/^lr 1 of 3" in stage.metrics.shown_text
        assert "Smoothing" in stage.messages
        await stage.press("escape")
        assert "val_loss" in stage.metrics.shown_text
        assert stage.metrics.has_focus
        await stage.press("slash", "v", "escape")
        assert "loss" in stage.metrics.line_text(0)


async def test_x_fits_the_data_or_extends_to_the_planned_end() -> None:
    async with staged() as stage:
        await stage.press("2", "tab")
        assert "1k ▸" in stage.metrics.shown_text
        assert "plan" in stage.main.query_one(FooterBar).shown_text
        await stage.press("X")
        assert "1k ▸" not in stage.metrics.shown_text
        assert stage.metrics.view is not None
        assert stage.metrics.view.large.x.high == 1000
        await stage.press("X")
        assert stage.metrics.view.large.x.high == 590


async def test_the_pointer_reads_values_and_the_cursor_returns_when_it_leaves() -> None:
    async with staged() as stage:
        await stage.press("2", "tab", "plus", "h")
        pinned = stage.main.selected.charts.choices.cursor
        await stage.pilot.hover(MetricsTab, offset=(30, 5))
        await stage.press()
        assert "at step 2" in stage.metrics.shown_text
        assert "●" in stage.metrics.shown_text
        await stage.pilot.hover(MetricsTab, offset=(100, 12))
        await stage.press()
        assert stage.main.selected.charts.choices.cursor == pinned
        small = next(row for row in range(stage.metrics.size.height) if "lr" in stage.metrics.line_text(row)[:6])
        await stage.pilot.hover(MetricsTab, offset=(30, small + 3))
        await stage.press()
        assert stage.main.selected.charts.choices.cursor != pinned


async def test_a_grid_shows_all_metrics_in_the_same_size() -> None:
    async with staged() as stage:
        await stage.press("M", "tab")
        assert stage.metrics.line_text(0).startswith(" 3 metrics")
        await stage.press("h", "j")
        assert stage.main.selected.charts.choices.metric == "val_loss"
        await stage.press("M")
        assert stage.metrics.line_text(0).strip().startswith("val_loss")


async def test_a_grid_that_does_not_fit_has_pages_and_names_their_keys() -> None:
    async with staged((80, 24)) as stage:
        await stage.press("M", "tab")
        assert stage.metrics.line_text(0).startswith(" 1-2 of 3 metrics   pgup pgdn pages")
        await stage.press("pagedown")
        assert stage.metrics.line_text(0).startswith(" 3-3 of 3")
        await stage.press("pageup")
        assert stage.metrics.line_text(0).startswith(" 1-2 of 3")


async def test_the_resources_tab_shows_what_the_run_used() -> None:
    async with staged() as stage:
        await stage.press("3", "tab", "plus")
        text = stage.main.query_one(ResourcesTab).shown_text
        assert all(word in text for word in ("utilization", "VRAM", "temperature", "RAM", "14 processes"))


async def test_an_export_says_where_its_file_is() -> None:
    async with staged() as stage:
        await stage.press("2", "E")
        assert stage.charts.exported == [("nano", os.path.join(os.getcwd(), "nano-metrics.csv"))]
        assert "nano-metrics.csv" in stage.messages


async def test_marked_runs_are_compared() -> None:
    async with staged() as stage:
        await stage.press("c")
        assert "Mark two runs" in stage.messages
        await stage.press("space", "space", "c")
        screen = stage.pilot.app.screen
        assert isinstance(screen, CompareScreen)
        page = screen.query_one("#compare", ScrollView)
        assert "Compare 2 runs" in page.shown_text
        assert "val_loss by step" in page.shown_text  # the objective
        await stage.press("h", "i")
        assert "val_loss (at 400)" in page.shown_text
        assert "by step, zoomed" in page.shown_text
        await stage.press("escape")
        assert "zoomed" not in page.shown_text
        await stage.press("x", "L", "a", "m")
        assert "All options" in page.shown_text
        assert "by time, log scale" in page.shown_text
        await stage.press("E")
        assert [run_id for run_id, _ in stage.charts.exported] == ["nano", "vit"]
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.resize_terminal(20, 5)
        await stage.press("escape")
        assert stage.pilot.app.screen is stage.main


async def test_any_number_of_runs_is_compared_and_the_columns_are_scrolled_beside_the_baseline() -> None:
    runs = [replace(run, record=run.record | {"baseline": run.id == "3e3s2"}) for run in sweep_runs()]
    async with staged(now=snapshot(*runs), size=(80, 24)) as stage:
        await stage.press("j", *["space"] * len(runs), "c")
        screen = stage.pilot.app.screen
        assert isinstance(screen, CompareScreen)
        page = screen.query_one("#compare", ScrollView)
        lines = page.shown_text.splitlines()
        assert "Compare 12 runs  A B-D  [ ] more" in lines[0]
        assert "best F, val_loss 0.03000" in lines[0]
        assert lines[1].split() == ["A", "lr=3e-3", "B", "lr=1e-3", "C", "lr=1e-3", "D", "lr=1e-3"]
        assert lines[2].split() == ["seed=2", "seed=1", "seed=2", "seed=3"]
        rows = {line[:17].strip(): line[17:].split() for line in lines if line.startswith(" ")}
        assert rows["best - A"] == ["baseline", "+0.07600", "+0.08600", "+0.09600"]  # of the recorded best values
        assert rows["mean …red seeds"] == ["0.045", "±0.013", *["0.131", "±0.013"] * 3]
        assert len(lines) == 23
        assert max(map(len, lines)) <= 80
        await stage.press("right_square_bracket")
        assert page.shown_text.splitlines()[1].split()[:4] == ["A", "lr=3e-3", "E", "lr=1e-3"]
        await stage.press("left_square_bracket", "b")
        assert page.shown_text.splitlines()[1].split()[2:4] == ["F", "lr=3e-3"]
        assert "Best F, val_loss 0.03000: lr=3e-3 seed=1" in stage.messages


async def test_the_cursor_of_the_chart_moves_no_row_of_the_comparison() -> None:
    async with staged() as stage:
        await stage.press("space", "space", "c")
        page = stage.pilot.app.screen.query_one("#compare", ScrollView)
        before = page.shown_text.splitlines()
        await stage.press("h")
        after = page.shown_text.splitlines()
        labels = [[line[:20] for line in lines[1:12]] for lines in (before, after)]
        assert [label for label in labels[0] if label not in labels[1]] == [" val_loss (last)    "]
        assert labels[1][labels[0].index(" val_loss (last)    ")].startswith(" val_loss (at 400)")


async def test_keys_that_arrive_together_go_to_the_pane_that_the_key_before_chose() -> None:
    async with staged() as stage:
        for key in ("2", "tab", "plus"):
            stage.pilot.app.post_message(events.Key(key, None))
        await stage.press()
        await stage.press()
        assert stage.metrics.has_focus
        assert stage.main.state.zoom is Zoom.SELECTED
        for key, letter in (("slash", "/"), ("v", "v"), ("d", "d"), ("backspace", None), ("enter", None)):
            stage.pilot.app.post_message(events.Key(key, letter))
        await stage.press()
        await stage.press()
        assert stage.main.selected.charts.choices.name_filter == "v"
        assert stage.pilot.app.screen is stage.main


async def test_the_curves_of_another_metric_are_computed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    compute = CompareScreen._compute

    def computed(screen: CompareScreen) -> CompareView:
        threads.append(threading.current_thread().name)
        return compute(screen)

    monkeypatch.setattr(CompareScreen, "_compute", computed)
    async with staged() as stage:
        await stage.press("space", "space", "c")
        threads.clear()
        await stage.press("m")
        while not threads:
            await stage.pilot.pause()
        assert "MainThread" not in threads


async def test_many_runs_are_ranked_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    compute = CompareScreen._compute

    def computed(screen: CompareScreen) -> CompareView:
        threads.append(threading.current_thread().name)
        return compute(screen)

    monkeypatch.setattr(CompareScreen, "_compute", computed)
    runs = [running(f"run{number}") for number in range(20)]
    async with staged(now=snapshot(*runs)) as stage:
        await stage.press("asterisk", "c")
        screen = stage.pilot.app.screen
        assert isinstance(screen, CompareScreen)
        while screen.view is None:
            await stage.pilot.pause()
        assert len(screen.view.columns) == 20
        assert "MainThread" not in threads
