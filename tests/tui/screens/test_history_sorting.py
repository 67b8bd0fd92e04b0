"""Ended runs sorted by their columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.run import Cause
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_order import RunSort
from tests.tui.history import ENDED, RUNS, WHY, line_of, trained
from tests.tui.screens.test_main import staged
from tests.tui.screens.test_sort_and_copy import order, press
from tests.tui.snapshots import ended, snapshot


async def test_a_run_that_failed_shows_the_figure_that_the_list_is_sorted_by() -> None:
    failed = trained("e5", "1", 0.9, status=Status.FAILED, cause=Cause(kind="python_error", evidence=WHY))
    async with staged(snapshot(*with_labels([*RUNS, failed]))) as stage:
        assert "RuntimeError" in line_of(stage, "e5")
        await press(stage, "greater_than_sign")
        assert "0.9000" in line_of(stage, "e5")
        assert "RuntimeError" in line_of(stage, "e4")  # it has none, and comes last
        assert order(stage)[-1] in ("e4", "wait")


@pytest.mark.parametrize("width", [80, 120])
async def test_a_run_that_failed_keeps_its_reason_when_the_list_is_sorted_by_an_argument(width: int) -> None:
    failed = trained("f1", "1e-3", 0.9, status=Status.FAILED, cause=Cause(kind="python_error", evidence=WHY))
    async with staged(snapshot(*with_labels([failed, *ENDED])), size=(width, 40)) as stage:
        stage.main.sort(RunSort(key="arg:lr"))
        assert "RuntimeError" in line_of(stage, "f1")
        assert "1e-3" in line_of(stage, "f1")


async def test_keys_sort_by_the_best_value_first_then_by_its_neighbors() -> None:
    async with staged(snapshot(*with_labels(ENDED))) as stage:
        await press(stage, "greater_than_sign")
        assert order(stage) == ["e2", "e1", "e3", "e4"]
        assert "best val_loss▴" in stage.runs.line_text(0)
        await press(stage, "equals_sign")
        assert order(stage) == ["e3", "e1", "e2", "e4"]  # those without a value stay last
        assert "best val_loss▾" in stage.runs.line_text(0)
        await press(stage, "less_than_sign")
        assert "val_loss▴" in stage.runs.line_text(0)
        await press(stage, "less_than_sign")
        assert "lr▴" in stage.runs.line_text(0)
        assert order(stage) == ["e2", "e3", "e1", "e4"]  # 1e-4, 1e-3, 1e-2: numbers
        await press(stage, "less_than_sign", "less_than_sign")
        assert stage.main.state.sort is None


@pytest.mark.parametrize("width", [80, 120, 160])
async def test_keys_reach_each_column_once_from_left_to_right(width: int) -> None:
    words = [("1e-3", "adamw", "8"), ("3e-3", "sgd", "16"), ("1e-2", "lion", "32"), ("3e-2", "adam", "64")]
    runs = [
        replace(
            run, record=run.record | {"command": ["train.py", f"--lr={lr}", f"--optimizer={by}", f"--width={cells}"]}
        )
        for run, (lr, by, cells) in zip([trained(f"e{n}", "1", n / 10) for n in range(1, 5)], words, strict=True)
    ]
    async with staged(snapshot(*with_labels(runs)), size=(width, 40)) as stage:
        await press(stage, "less_than_sign")  # the last column
        visited = []
        while stage.main.state.sort is not None:
            visited.append(stage.main.state.sort.key)
            assert set("▴▾") & set(stage.runs.line_text(0))  # it has room
            await press(stage, "less_than_sign")
        assert len(visited) == len(set(visited))
        assert set(visited) == {"name", *stage.runs.view.history}
        assert {"arg:lr", "arg:optimizer", "arg:width"} < set(visited)


@pytest.mark.parametrize("key", ["best:val_loss", "last:loss", "loss"])
async def test_what_failed_or_diverged_comes_after_the_others_whichever_way_they_are_sorted(key: str) -> None:
    failed = trained("f1", "1", 0.001, status=Status.FAILED)
    lost = trained("f2", "1", 0.002, status=Status.LOST)
    stopped = trained("s1", "1", 0.01, status=Status.STOPPED)
    async with staged(snapshot(*with_labels([failed, lost, stopped, *ENDED]))) as stage:
        stage.main.sort(RunSort(key=key))
        assert order(stage) == ["s1", "e2", "e1", "e3", "f1", "f2", "e4"]
        stage.main.sort(RunSort(key=key, largest_first=True))
        assert order(stage) == ["e3", "e1", "e2", "s1", "f2", "f1", "e4"]


async def test_the_best_value_of_a_run_that_ended_in_nan_is_not_among_the_best() -> None:
    nan = ended("nan", metrics={"val_loss": float("nan")}, best={"val_loss": Extreme(0.001, 5)})
    async with staged(snapshot(*with_labels([nan, *ENDED]))) as stage:
        stage.main.sort(RunSort(key="best:val_loss"))
        assert order(stage) == ["e2", "e1", "e3", "nan", "e4"]


@pytest.mark.parametrize("width", [40, 50, 60, 80])
async def test_sorting_begins_with_the_best_value_at_every_width(width: int) -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(width, 24)) as stage:
        await press(stage, "greater_than_sign")
        assert stage.main.state.sort == RunSort(key="best:val_loss")


async def test_a_click_on_the_heading_of_ended_runs_sorts() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        column = stage.runs.line_text(3).index("val_loss")
        await stage.pilot.click(stage.runs, offset=(column, 3))
        await stage.pilot.pause()
        assert order(stage)[0] == "e2"
        assert "val_loss▴" in stage.runs.line_text(0)


async def test_sorting_shows_the_best_run_and_a_cursor_on_the_screen() -> None:
    many = [trained(f"r{number:03}", "1e-3", 1 - number / 200, ago=60.0 + number) for number in range(100)]
    async with staged(snapshot(*many)) as stage:
        await press(stage, "a", "G", "greater_than_sign")
        assert stage.runs.line_text(1).split()[2].startswith("r099") or order(stage)[0] == "r099"
        assert stage.runs.selected == "r099"
        await press(stage, "equals_sign")
        assert stage.runs.selected == "r000"
