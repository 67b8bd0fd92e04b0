"""Sorting, columns, the best of a group, and copying."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.tui.absence import WindowFocus
from backprop_tui.tui.lines import Line
from backprop_tui.tui.panes import runs
from backprop_tui.tui.panes.details import DetailsTab
from backprop_tui.tui.panes.governor import GovernorBar
from backprop_tui.tui.panes.header import HeaderBar
from backprop_tui.tui.panes.history_table import draw_history_row
from backprop_tui.tui.panes.machine import MachineBar
from backprop_tui.tui.panes.run_row import RunRow
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.screens.questions import Ask
from backprop_tui.tui.screens.ui_state import RESORT_SECONDS
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.screens.test_main import Stage, staged
from tests.tui.snapshots import NOW, ended, queued, running, snapshot

RUNS = (
    running("slow", step=2, total_steps=10, metrics={"loss": 0.9}),
    running("quick", step=8, total_steps=10, metrics={"loss": 1.5}),
    running("s1", name="sweep:lr=1", group="sweep", metrics={"loss": 0.7}),
    queued("s2", name="sweep:lr=2", group="sweep", queue_position=1),
    ended("s3", Status.FAILED, name="sweep:lr=3", group="sweep"),
    ended("s4", Status.LOST, name="sweep:lr=4", group="sweep", metrics={"loss": 0.4}, best={"loss": Extreme(0.4, 9)}),
    ended("other", Status.FAILED),
)


def order(stage: Stage) -> list[str]:
    return [row.run_id for row in stage.runs.view.rows]


async def press(stage: Stage, *keys: str) -> None:
    for key in keys:
        await stage.pilot.press(key)
        await stage.pilot.pause()


async def choose(stage: Stage, column: str, key: str) -> None:
    """Opens the list of columns, presses a key on one of them, and closes it."""
    await press(stage, "v")
    rows = stage.pilot.app.screen.query_one(LineWidget)
    await press(stage, "g")
    for _ in range(40):
        if rows.line_text(rows._cursor or 0).strip(" ✓▾▴").split("  ")[0] == column:
            break
        await press(stage, "j")
    await press(stage, key, "escape")


async def test_v_sorts_and_restores_the_default_order() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        before = order(stage)
        assert "group:sweep" in before
        await choose(stage, "loss", "enter")
        assert order(stage)[:4] == ["s1", "slow", "quick", "s4"]
        await choose(stage, "default order", "enter")
        assert order(stage) == before


async def test_the_cursor_stays_with_its_run_when_the_order_changes() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await press(stage, "j")
        await choose(stage, "name", "enter")
        assert stage.runs.selected == "quick"
        assert stage.runs.line_text(order(stage).index("quick") + 1).startswith("▌")


async def test_a_sorting_paints_the_list_once_and_nothing_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[object] = []
    many = [ended(f"e{number}", ago=60.0 * number, metrics={"loss": 1 / (number + 1)}) for number in range(60)]
    async with staged(snapshot(*many)) as stage:
        await press(stage, "a", "G", "greater_than_sign")
        for owner, name in ((RunsTable, "paint"), (HeaderBar, "show"), (MachineBar, "show"), (GovernorBar, "show")):
            monkeypatch.setattr(owner, name, lambda pane, *_, **__: painted.append(type(pane)))
        await press(stage, "equals_sign")
        assert painted == [RunsTable]
        assert stage.runs.cursor == order(stage)[0]


async def test_rows_are_drawn_again_only_where_an_order_changes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw(row: RunRow, *arguments: Any, **named: Any) -> Line:
        drawn.append(row.run_id)
        return draw_history_row(row, *arguments, **named)

    runs_ = [ended("good", metrics={"loss": 0.5}), ended("bad", Status.FAILED, metrics={"loss": 0.4})]
    async with staged(snapshot(*runs_)) as stage:
        await choose(stage, "loss", "enter")
        await press(stage, "G")
        monkeypatch.setattr(runs, "draw_history_row", draw)
        await choose(stage, "loss", "enter")
        await choose(stage, "loss", "enter")
        assert drawn == []
        await choose(stage, "default order", "enter")
        assert drawn == ["bad"]  # which has a sentence in place of its figures now


async def test_new_values_do_not_move_rows_but_a_new_status_does() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await choose(stage, "loss", "enter")
        first = order(stage)
        better = running("quick", step=9, total_steps=10, metrics={"loss": 0.1})
        await stage.becomes(snapshot(RUNS[0], better, *RUNS[2:]))
        assert order(stage) == first
        await stage.becomes(snapshot(RUNS[0], ended("quick", metrics={"loss": 0.1}), *RUNS[2:]))
        assert order(stage)[0] == "quick"


async def test_new_values_move_rows_when_no_key_was_pressed_for_a_while() -> None:
    clock = [0.0]
    async with staged(snapshot(*RUNS), focus=WindowFocus(lambda: clock[0])) as stage:
        await choose(stage, "loss", "enter")
        first = order(stage)
        stage.runs.select("quick")
        better = running("quick", step=9, total_steps=10, metrics={"loss": 0.1})
        later = replace(NOW, monotonic=NOW.monotonic + RESORT_SECONDS)
        now = snapshot(RUNS[0], better, *RUNS[2:], moment=later)
        await stage.becomes(now)
        assert order(stage) == first, "a key has just been pressed"
        clock[0] += RESORT_SECONDS
        await stage.becomes(now)
        assert order(stage)[0] == stage.runs.selected == "quick"


async def test_the_cursor_stays_on_the_screen_when_its_row_moves() -> None:
    runs = [running(f"r{number:02}", metrics={"loss": 1 + number / 100}) for number in range(40)]
    async with staged(snapshot(*runs), size=(80, 24)) as stage:
        await choose(stage, "loss", "enter")
        assert stage.runs.selected == "r00"
        worse = ended("r00", metrics={"loss": 3.0})
        await stage.becomes(snapshot(*runs[1:], worse))
        assert stage.runs.selected == "r00"
        assert "▌" in stage.runs.shown_text


async def test_clicks_on_a_heading_sort_then_reverse_then_restore_the_order() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        before = order(stage)
        column = stage.runs.line_text(0).index("loss")
        seen = []
        for _ in range(3):
            await stage.pilot.click(stage.runs, offset=(column, 0))
            await stage.pilot.pause()
            seen.append(order(stage))
        assert seen[0][0] == "s1"
        assert seen[1][0] == "quick"
        assert seen[2] == before


async def test_columns_can_be_hidden_and_shown_again() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        assert "trend" in stage.runs.line_text(0)
        await choose(stage, "trend", "space")
        assert "trend" not in stage.runs.line_text(0)
        await choose(stage, "trend", "space")
        assert "trend" in stage.runs.line_text(0)


async def test_b_goes_to_the_best_run_even_of_a_folded_group() -> None:
    finished = ended("s5", name="sweep:lr=5", group="sweep", metrics={"loss": 0.6}, best={"loss": Extreme(0.6, 9)})
    async with staged(snapshot(*RUNS, finished)) as stage:
        stage.runs.select("group:sweep")
        await press(stage, "h", "b")
        assert stage.runs.selected == "s5", "the better s4 was lost"


async def test_b_says_why_no_run_is_the_best() -> None:
    runs = [ended(name, group="sweep", metrics={"score": 1.0}) for name in ("a", "b")]
    async with staged(snapshot(*runs)) as stage:
        stage.runs.select("group:sweep")
        await press(stage, "b")
        assert stage.runs.selected == "group:sweep"
        (message,) = [notification.message for notification in stage.pilot.app._notifications]
        assert message.startswith("No run is the best: it is unknown whether lower or higher score is better")


async def test_capital_r_retries_only_the_failed_runs_of_the_group() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        stage.runs.select("group:sweep")
        await press(stage, "R")
        assert stage.commands.calls == [("resume", "s3"), ("resume", "s4")]


async def test_capital_r_without_a_group_sends_nothing() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await press(stage, "R", "b")
        assert stage.commands.calls == []


async def test_y_offers_values_and_copies_the_chosen_one() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await press(stage, "y")
        assert isinstance(stage.pilot.app.screen, Ask)
        await press(stage, "l")
        assert stage.pilot.app.clipboard == "/state/runs/slow/output.log"
        await press(stage, "y", "c")
        assert stage.pilot.app.clipboard == "python train.py"
        await press(stage, "y", "y")
        assert stage.pilot.app.clipboard == "slow"
        await press(stage, "space", "space", "y")
        assert stage.pilot.app.clipboard == "slow quick"


async def test_y_in_the_details_copies_the_value_under_the_cursor() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await press(stage, "4", "tab", "j", "y")
        assert stage.main.query_one(DetailsTab).value_at_cursor == ("id", "slow")
        assert stage.pilot.app.clipboard == "slow"
        await press(stage, "G", "y")
        assert stage.pilot.app.clipboard == "/state/runs/slow"
