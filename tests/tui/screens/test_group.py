"""The table and the curves of a selected group, driven by keys and mouse."""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from textual.pilot import Pilot

from backprop_tui.domain.status import Status
from backprop_tui.presentation.group_table import group_table
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import Token
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.panes.group import fitted_note, group_rows, row_note
from backprop_tui.tui.panes.selected_heading import SelectedHeading
from backprop_tui.tui.panes.selected_run import SelectedRun
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.widgets.group_pane import GroupPane
from tests.tui.charts.runs import series
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.snapshots import ended, running, snapshot
from tests.tui.sweep import GROUP, MEANS, sweep_run, sweep_runs


@dataclass
class SweepCharts:
    """A falling validation loss for each run; remembers what was read."""

    read_of: list[tuple[str, ...]] = field(default_factory=list)

    async def read(self, run_ids: Sequence[str]) -> list[ChartData]:
        self.read_of.append(tuple(run_ids))
        return [self._data(run_id) for run_id in run_ids]

    def _data(self, run_id: str) -> ChartData:
        end = zlib.crc32(run_id.encode()) % 100 / 1000
        values = [end + 0.6 * math.exp(-place / 8) for place in range(30)]
        metrics = {name: series(name, values, every=18) for name in ("val_loss", "val_acc")}
        return ChartData(run_id=run_id, metrics=metrics)

    async def export(self, run_id: str, path: str) -> str:
        return path

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Stage:
    """A dashboard with a group."""

    pilot: Pilot[int]
    charts: SweepCharts
    commands: FakeCommands

    @property
    def main(self) -> MainScreen:
        return next(screen for screen in self.pilot.app.screen_stack if isinstance(screen, MainScreen))

    @property
    def pane(self) -> GroupPane:
        return self.main.query_one(GroupPane)

    def drawn(self) -> int:
        """How many curves are drawn."""
        return 0 if self.pane.curves is None else len(self.pane.curves.overlay.chart.curves)

    def shows_pane(self) -> bool:
        return self.pane.display

    def shows_arguments(self) -> bool:
        return self.main.selected.query_one("#arguments").display

    @property
    def heading(self) -> str:
        return self.main.query_one(SelectedHeading).shown_text

    @property
    def footer(self) -> str:
        return self.main.query_one(FooterBar).shown_text

    @property
    def cursor(self) -> str:
        """The row of the table that is painted as the selected one."""
        return "" if self.pane._cursor is None else self.pane.line_text(self.pane._cursor).strip()

    @property
    def messages(self) -> str:
        return " ".join(notice.message for notice in self.pilot.app._notifications)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def wait_for(self, condition: Callable[[], object]) -> None:
        """Waits for what a thread computes."""
        for _ in range(400):
            if condition():
                return
            await asyncio.sleep(0.02)
            await self.pilot.pause()
        pytest.fail(f"it did not come:\n{self.pane.shown_text}")


@asynccontextmanager
async def staged(
    *runs: KnownRun, size: tuple[int, int] = (120, 40), preferences: Preferences | None = None
) -> AsyncIterator[Stage]:
    charts, commands = SweepCharts(), FakeCommands()
    bridge = FakeBridge(snapshot(*(runs or sweep_runs())))
    app = Dashboard(bridge, commands, preferences or Preferences(), charts=charts)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        yield Stage(pilot, charts, commands)


def pinned(run_id: str) -> list[KnownRun]:
    return [replace(run, record=run.record | {"baseline": run.id == run_id}) for run in sweep_runs()]


async def test_a_selected_group_shows_its_table_and_a_selected_run_its_own_tabs() -> None:
    async with staged() as stage:
        assert "1 Table  2 Curves" in stage.heading
        lines = stage.pane.shown_text.splitlines()
        assert lines[0].startswith(" best first by val_loss, lower is better")
        assert lines[2].split()[:4] == ["★", "3e-3", "4/4", "0.045"]
        assert [line.split()[0] for line in lines[3:5]] == ["1e-2", "1e-3"]
        await stage.press("j")
        assert "1 Log" in stage.heading
        assert not stage.shows_pane()
        await stage.press("k")
        assert stage.shows_pane()
        assert "1 Table" in stage.heading


async def test_the_table_has_the_runs_that_the_filter_shows() -> None:
    async with staged() as stage:
        total = len(sweep_runs())
        assert f"{total} runs, {total} ended" in stage.heading
        await stage.press("slash", *"lr<0.005", "enter")
        await stage.wait_for(lambda: f"8 of {total} runs, 8 ended" in stage.heading)
        await stage.wait_for(lambda: "1e-2" not in stage.pane.shown_text)
        assert "3e-3" in stage.pane.shown_text


async def test_curves_fill_what_the_table_leaves_of_a_large_screen() -> None:
    """And nothing of the run that was selected before."""
    async with staged(size=(200, 50)) as stage:
        await stage.wait_for(lambda: stage.drawn() == 12)
        lines = stage.pane.shown_text.splitlines()
        assert lines[0].startswith(" best first by val_loss, lower is better")
        legend = next(number for number, line in enumerate(lines) if line.startswith(" by lr"))
        assert "next color" not in lines[legend]  # c chooses the other tab
        assert len(lines) - legend >= 10
        await stage.press("j")
        assert stage.shows_arguments()
        await stage.press("k", "tab")
        assert not stage.shows_arguments()
        x, y = stage.pane.region.offset
        await stage.pilot.click(offset=(x + 5, y + legend))
        assert stage.cursor.startswith("★  3e-3")


async def test_before_the_table_of_a_group_is_there_no_log_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SelectedRun, "mount_tabs", lambda _: None)
    async with staged() as stage:
        assert not stage.main.selected.log_view.is_on_screen


async def test_rows_are_unfolded_to_their_seeds_and_opened() -> None:
    async with staged() as stage:
        await stage.press("tab", "j", "l")
        assert stage.cursor.startswith("1e-2")
        await stage.press("j", "j")
        assert "seed=2" in stage.cursor
        await stage.press("h")
        assert stage.cursor.startswith("1e-2")
        assert "seed=" not in stage.pane.shown_text
        await stage.press("k", "enter")
        assert stage.main.state.row == "3e3s1"  # the best of the setting
        assert stage.main.runs_table.has_focus


async def test_the_pane_asks_for_all_rows_of_the_table_and_for_any_of_the_curves() -> None:
    async with staged(size=(100, 20)) as stage:
        stage.main.runs_table.select(f"group:{GROUP}")
        await stage.press("tab", "l", "j")
        assert stage.pane.size.height < stage.pane.content_rows == 2 + 3 + 4 + 2
        await stage.press("2")
        assert stage.pane.content_rows > 100


@pytest.mark.parametrize("height", [20, 24])
async def test_a_note_hides_no_row_of_a_small_table(height: int) -> None:
    async with staged(*sweep_runs(), ended("bad", Status.FAILED), size=(80, height)) as stage:
        stage.main.runs_table.select(f"group:{GROUP}")
        await stage.press("tab")
        text = stage.pane.shown_text
        assert all(f" {lr} " in text for lr in MEANS)
        assert "P pins the baseline" in text


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_note_in_one_row_keeps_its_key(seeds: int) -> None:
    table = group_table([run.record for run in sweep_runs() if int(run.id[-1]) <= seeds])
    for row in group_rows(table, {setting.values for setting in table.rows}):
        whole = row_note(table, row)
        for width in range(45, len(whole) + 1):
            note = fitted_note(table, row, width, UNICODE)
            assert len(note) <= width
            assert note.endswith(("P pins the baseline", "enter opens it"))


async def test_a_click_chooses_a_row() -> None:
    async with staged() as stage:
        await stage.pilot.click(GroupPane, offset=(10, 4))
        await stage.pilot.pause()
        assert stage.cursor.startswith("1e-3")


async def test_the_baseline_is_pinned_and_unpinned_by_a_key() -> None:
    async with staged() as stage:
        await stage.press("P")
        assert "Choose a row of the table first" in stage.messages
        await stage.press("tab", "j", "P")
        assert stage.commands.calls == [("pin", "1e2s1", GROUP, "lr=1e-2")]
        await stage.press("escape", "j", "P")
        assert stage.commands.calls[1:] == [("pin", "1e3s1", GROUP, "lr=1e-3 seed=1")]
    async with staged(*pinned("3e3s2")) as stage:
        lines = stage.pane.shown_text.splitlines()
        assert "Δ baseline  spread of seeds" in lines[1]
        assert "+0.086  exceeds, p < 0.001" in lines[4]
        await stage.press("tab")
        assert "P unpin" in stage.footer
        await stage.press("P")
        assert stage.commands.calls == [("unpin", "3e3s1", GROUP, "lr=3e-3")]


async def test_another_metric_is_compared() -> None:
    async with staged() as stage:
        await stage.press("m")
        await stage.wait_for(lambda: "best first by val_acc, higher is better" in stage.pane.shown_text)
        assert "1 Table" in stage.heading
        await stage.press("m")
        await stage.wait_for(lambda: "best first by val_loss" in stage.pane.shown_text)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_the_table_fits_the_screen_with_what_matters_most(size: tuple[int, int]) -> None:
    async with staged(*pinned("3e3s2"), size=size) as stage:
        await stage.press("tab")
        text = stage.pane.shown_text
        assert all(word in text for word in ("val_loss best", "0.131 ±0.013", "Δ baseline", "+0.086"))
        assert max(map(len, text.splitlines())) <= stage.pane.size.width
        assert stage.cursor.startswith("★")


async def test_the_curves_of_all_runs_are_coloured_by_an_argument_and_read_in_parts() -> None:
    runs = [sweep_run(f"--lr {index // 4 + 1} --seed {index % 4}", 1.0, run_id=f"r{index}") for index in range(40)]
    async with staged(*runs) as stage:
        assert not any(set(read) & {run.id for run in runs[1:]} for read in stage.charts.read_of)
        await stage.press("c")
        await stage.wait_for(lambda: len({run_id for read in stage.charts.read_of for run_id in read}) == 40)
        assert max(len(read) for read in stage.charts.read_of) <= 16
        await stage.wait_for(lambda: stage.drawn() == 40)
        curves = stage.pane.curves
        assert curves is not None
        assert "reading" not in stage.pane.shown_text
        assert [entry.value for entry in curves.legend] == [str(lr) for lr in range(1, 11)]
        tokens = [entry.token for entry in curves.legend]
        assert (tokens[0], tokens[-1]) == (Token.RAMP_1, Token.RAMP_6)
        assert tokens == sorted(tokens)
        assert "by lr" in stage.pane.shown_text
        await stage.press("c")
        await stage.wait_for(lambda: "by seed" in stage.pane.shown_text)
        reads = len(stage.charts.read_of)
        await stage.press("L", "x", "i")
        await stage.wait_for(lambda: "by time, log scale, zoomed" in stage.pane.shown_text)
        assert len(stage.charts.read_of) == reads  # what has ended is read once


async def test_in_ascii_and_for_categories_the_letters_tell_the_values() -> None:
    runs = [sweep_run(f"--opt {opt} --seed {seed}", 1.0) for opt in ("adam", "sgd") for seed in (1, 2)]
    async with staged(*runs, preferences=Preferences(glyphs=ASCII)) as stage:
        await stage.press("c")
        await stage.wait_for(lambda: stage.drawn() == 4)
        await stage.wait_for(lambda: "AA A adam x2  BB B sgd x2" in stage.pane.shown_text)
        assert stage.pane.shown_text.count("B") > 20
        assert stage.pane.curves is not None
        assert len({entry.token for entry in stage.pane.curves.legend}) == 2


async def test_what_runs_waits_or_failed_is_counted_beside_the_mean() -> None:
    runs = [
        sweep_run("--lr 1 --seed 1", 0.1),
        sweep_run("--lr 1 --seed 2", 0.2, Status.FAILED),
        sweep_run("--lr 1 --seed 3", 0.2, Status.RUNNING),
        sweep_run("--lr 1 --seed 4", None, Status.QUEUED),
        sweep_run("--lr 2 --seed 1", 0.05, Status.RUNNING),
    ]
    async with staged(*runs) as stage:
        lines = stage.pane.shown_text.splitlines()
        assert "1/4 ✗1 ►1 ◌1" in lines[2]
        assert "~0.05000" in lines[3]
        assert "★" in lines[2]


async def test_a_later_snapshot_changes_the_table_and_a_group_that_is_left_reads_nothing() -> None:
    async with staged() as stage:
        changed = [sweep_run(f"--lr {lr} --seed 1", mean + 1, run_id=f"new{lr}") for lr, mean in MEANS.items()]
        stage.main.take(snapshot(*changed, running("alone")))
        await stage.pilot.pause()
        assert "1.045" in stage.pane.shown_text
        await stage.press("c")
        await stage.wait_for(lambda: stage.drawn() == 3)
        reads = [read for read in stage.charts.read_of if len(read) == 3]
        stage.main.go_to("alone")
        await stage.pilot.pause()
        assert "1 Log" in stage.heading
        assert [read for read in stage.charts.read_of if len(read) == 3] == reads


async def test_the_table_of_a_group_gets_the_rows_it_needs_on_a_small_screen() -> None:
    async with staged(size=(80, 24)) as stage:
        await stage.wait_for(lambda: "1e-2" in stage.pane.shown_text and "3e-3" in stage.pane.shown_text)
        await stage.press("2")
        await stage.wait_for(lambda: stage.drawn() and "┤" in stage.pane.shown_text)
        assert stage.pane.size.height >= 6
        assert all(line.startswith(" ") for line in stage.pane.shown_text.splitlines())  # as far left as other charts
