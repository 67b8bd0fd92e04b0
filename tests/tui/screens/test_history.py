"""Ended runs in columns: what is shown where, sorted, filtered, and remembered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.metric_series import Extreme
from backprop_tui.domain.run import Cause, SharedDirectory
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.store.home import Home
from backprop_tui.tui.bridge import ListChoices, ListChoicesFile
from backprop_tui.tui.lines import Line
from backprop_tui.tui.panes.run_list import RunRow
from backprop_tui.tui.panes.run_order import RunSort
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_sort_and_copy import choose, order, press
from tests.tui.snapshots import ended, queued, running, snapshot

DAY = 86_400.0
WHY = "RuntimeError: Expected all tensors to be on the same device, but found cuda:0 and cpu"


def _train(run_id: str, lr: str, val_loss: float | None, **fields: Any) -> KnownRun:
    figures = {} if val_loss is None else {"loss": val_loss / 2, "val_loss": val_loss}
    best = {name: Extreme(value * 0.9, 400) for name, value in figures.items()}
    run = ended(run_id, name="nano", metrics=figures, best=best, **fields)
    command = ["python", "train.py", "--lr", lr, "--epochs", "3"]
    return replace(run, record=run.record | {"command": command, "script": "train.py"})


ENDED = (
    _train("e1", "1e-3", 0.05, ago=600, step=528),
    _train("e2", "1e-4", 0.03, ago=2 * DAY, step=900),
    _train("e3", "1e-4", 0.4, ago=20 * DAY, step=700),
    _train("e4", "1e-2", None, ago=400 * DAY, status=Status.FAILED, cause=Cause(kind="python_error", evidence=WHY)),
)
RUNS = (running("live", step=5, total_steps=10, metrics={"loss": 2.0}), queued("wait"), *ENDED)


def line_of(stage: Stage, run_id: str) -> str:
    """The line of a run, below the heading of the list and that of ended runs."""
    index = stage.runs.view.ids.index(run_id)
    return stage.runs.line_text(
        1 + index + int(stage.runs.view.has_two_parts and index >= stage.runs.view.history_from)
    )


async def test_ended_runs_have_columns_under_a_heading_of_their_own() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        lines = stage.runs.shown_text.splitlines()
        assert lines[0].split("━")[1].strip() == "Runs 6"
        heading = lines[3]
        assert heading.startswith("─ Ended ")
        for title, value in (
            ("lr", "1e-3"),
            ("val_loss", "0.05000"),
            ("best", "0.04500"),
            ("loss", "0.02500"),
            ("step", "528"),
        ):
            assert line_of(stage, "e1")[: heading.index(f" {title} ") + len(title) + 1].endswith(value), title
        assert "epochs" not in heading
        assert line_of(stage, "e1").split()[2] == "nano"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_failed_run_keeps_its_reason_and_its_date(size: tuple[int, int]) -> None:
    async with staged(snapshot(*with_labels(RUNS)), size=size) as stage:
        text = line_of(stage, "e4")
        assert "RuntimeError: Expected" in text
        assert "Dec" in text[-14:]
        assert "val_loss" in stage.runs.line_text(3)


async def test_a_remark_hides_no_figures_of_a_completed_run() -> None:
    shared = SharedDirectory(folder="/w/ckpt", runs=("other",), files=("/w/ckpt/9.pt",))
    run = _train("e6", "1", 0.9, shared_directory=shared)
    async with staged(snapshot(*with_labels([*RUNS, run]))) as stage:
        assert "0.9000" in line_of(stage, "e6")
        assert "+1 more" not in line_of(stage, "e6")


async def test_a_run_that_failed_shows_the_figure_that_the_list_is_sorted_by() -> None:
    failed = _train("e5", "1", 0.9, status=Status.FAILED, cause=Cause(kind="python_error", evidence=WHY))
    async with staged(snapshot(*with_labels([*RUNS, failed]))) as stage:
        assert "RuntimeError" in line_of(stage, "e5")
        await press(stage, "greater_than_sign")
        assert "0.9000" in line_of(stage, "e5")
        assert "RuntimeError" in line_of(stage, "e4")  # it has none, and comes last
        assert order(stage)[-1] in ("e4", "wait")


async def test_keys_sort_by_the_best_value_first_then_by_its_neighbors() -> None:
    async with staged(snapshot(*with_labels(ENDED))) as stage:
        await press(stage, "greater_than_sign")
        assert order(stage) == ["e2", "e1", "e3", "e4"]
        assert "best▴" in stage.runs.line_text(0)
        await press(stage, "equals_sign")
        assert order(stage) == ["e3", "e1", "e2", "e4"]  # those without a value stay last
        assert "best▾" in stage.runs.line_text(0)
        await press(stage, "less_than_sign")
        assert "val_loss▴" in stage.runs.line_text(0)
        await press(stage, "less_than_sign")
        assert "lr▴" in stage.runs.line_text(0)
        assert order(stage) == ["e2", "e3", "e1", "e4"]  # 1e-4, 1e-3, 1e-2: numbers
        await press(stage, "less_than_sign", "less_than_sign")
        assert stage.main.state.sort is None


async def test_a_click_on_the_heading_of_ended_runs_sorts() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        column = stage.runs.line_text(3).index("val_loss")
        await stage.pilot.click(stage.runs, offset=(column, 3))
        await stage.pilot.pause()
        assert order(stage)[0] == "e2"
        assert "val_loss▴" in stage.runs.line_text(0)


async def test_a_click_below_the_second_heading_selects_the_row_under_the_mouse() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await stage.pilot.click(stage.runs, offset=(20, 5))
        await stage.pilot.pause()
        assert stage.runs.selected == "e2"
        assert stage.runs.line_text(stage.runs._cursor or 0) == line_of(stage, "e2")


async def test_sorting_shows_the_best_run_and_a_cursor_on_the_screen() -> None:
    many = [_train(f"r{number:03}", "1e-3", 1 - number / 200, ago=60.0 + number) for number in range(100)]
    async with staged(snapshot(*many)) as stage:
        await press(stage, "a", "G", "greater_than_sign")
        assert stage.runs.line_text(1).split()[2].startswith("r099") or order(stage)[0] == "r099"
        assert stage.runs.selected == "r099"
        await press(stage, "equals_sign")
        assert stage.runs.selected == "r000"


async def test_f_cycles_through_the_states_and_keeps_the_other_words() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await press(stage, "slash", *"since:30d", "enter")
        seen = []
        for _ in range(5):
            await press(stage, "F")
            seen.append((stage.main.state.filter.text, order(stage)))
        assert seen == [
            ("since:30d running", ["live"]),
            ("since:30d waiting", ["wait"]),
            ("since:30d failed", []),
            ("since:30d done", ["e1", "e2", "e3"]),
            ("since:30d", ["live", "wait", "e1", "e2", "e3"]),
        ]


def hint(stage: Stage) -> str:
    return stage.main.query_one("#filter-hint", LineWidget).shown_text


async def test_a_mistake_in_the_filter_is_said_and_leaves_the_list() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await press(stage, "slash")
        assert "val_loss<0.1" in hint(stage)
        await press(stage, *"state:ended since:soon")
        assert "since:soon is no time; use 7d" in hint(stage)
        assert order(stage) == ["e1", "e2", "e3", "e4"]
        await press(stage, "ctrl+u", *"val_los<1")
        assert "no run has an argument or a metric val_los; there are loss, lr" in hint(stage)


async def test_tab_completes_in_the_filter() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await press(stage, "slash", *"val")
        assert "tab completes: val_loss" in hint(stage)
        await press(stage, "tab", *"<0.04", "enter")
        assert order(stage) == ["e2"]
        assert "Runs 1 of 6  /val_loss<0.04" in stage.runs.line_text(0)


async def test_v_offers_every_metric_and_every_argument_that_varies() -> None:
    async with staged(snapshot(*with_labels(ENDED))) as stage:
        await press(stage, "v")
        text = stage.pilot.app.screen.query_one(LineWidget).shown_text
        rows = [line.strip(" ✓▾▴") for line in text.splitlines()]
        for column in ("lr", "loss", "best loss", "val_loss", "best val_loss", "gpu", "tags", "started", "duration"):
            assert column in rows
        assert "epochs" not in text
        await press(stage, "escape")
        await choose(stage, "best loss", "space")
        assert stage.runs.line_text(0).split("loss ")[1].strip("━ ").startswith("best")
        await choose(stage, "step", "space")
        assert "step" not in stage.runs.line_text(0)
        assert stage.bridge.list_choices.columns == {"best:loss": True, "step": False}


async def test_a_chosen_column_that_does_not_fit_says_so() -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(60, 24)) as stage:
        await choose(stage, "note", "space")
        await press(stage, "v")
        assert "no room" in stage.pilot.app.screen.query_one(LineWidget).shown_text


def test_choices_are_remembered_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    home = Home(str(tmp_path), "here")
    home.prepare()
    chosen = ListChoices(columns={"tags": True}, sort=RunSort(key="best:val_loss"))
    ListChoicesFile(home).note(chosen)
    assert ListChoicesFile(home).read() == chosen
    Path(home.list_choices).write_text("{", encoding="ascii")
    assert ListChoicesFile(home).read() == ListChoices()


async def test_the_heading_of_runs_that_nothing_filters_leaves_room_for_the_name() -> None:
    async with staged(snapshot(*with_labels(RUNS), total=500)) as stage:
        assert " Runs 500 " in stage.runs.line_text(0)
        assert " name " in stage.runs.line_text(0)


async def test_moving_the_cursor_draws_the_two_rows_that_it_leaves_and_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [_train(f"e{number}", "1e-3", 0.05, ago=60 * number) for number in range(20)]
    drawn: list[int] = []
    draw_row = RunsTable._draw_row

    def draw(table: RunsTable, row: RunRow, index: int) -> Line:
        drawn.append(index)
        return draw_row(table, row, index)

    monkeypatch.setattr(RunsTable, "_draw_row", draw)
    async with staged(snapshot(*with_labels(runs))) as stage:
        before = stage.runs.cursor
        drawn.clear()
        stage.runs.move(1)
        assert stage.runs.cursor != before
        assert sorted(drawn) == [0, 1]
