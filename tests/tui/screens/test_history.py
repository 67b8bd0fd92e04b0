"""Ended runs in columns: what their rows show."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import product

import pytest

from backprop_tui.domain.run import Cause, SharedDirectory
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.tui.lines import Line
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.snapshot import Snapshot
from tests.tui.history import ENDED, RUNS, line_of, trained
from tests.tui.screens.test_main import staged
from tests.tui.snapshots import ended, removed_from_queue, snapshot


async def test_ended_runs_have_columns_under_a_heading_of_their_own() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        lines = stage.runs.shown_text.splitlines()
        assert lines[0].split("━")[1].strip() == "Runs 6"
        heading = lines[3]
        assert heading.startswith("─ Ended ")
        for title, value in (
            ("lr", "1e-3"),
            ("val_loss", "0.05000"),
            ("best val_loss", "0.04500"),
            ("loss", "0.02500"),
            ("step", "528"),
        ):
            assert line_of(stage, "e1")[: heading.index(f" {title} ") + len(title) + 1].endswith(value), title
        assert "epochs" not in heading
        assert line_of(stage, "e1").split()[2] == "nano"


async def test_no_label_repeats_what_a_column_shows() -> None:
    """Neither of a run of its own, nor of a run of a sweep, nor of a member of a group."""
    runs = []
    for group, lr, seed in product((None, "grid"), "12", "12"):
        run = trained(f"{group}{lr}{seed}", f"{lr}e-3", 0.1)
        more = {"name": f"train:lr={lr}e-3,seed={seed}", "group": group}
        runs.append(replace(run, record=run.record | more | {"command": [*run.record["command"], "--seed", seed]}))
    async with staged(snapshot(*with_labels(runs))) as stage:
        heading, *rows = stage.runs.shown_text.splitlines()
        assert {"lr", "seed"} <= set(heading.split())
        completed = [row for row in rows if "completed" in row]
        assert len(completed) == len(runs)
        assert not any("lr=" in row or "seed=" in row for row in completed)


def _ckpt(run_id: str, steps: str) -> KnownRun:
    """A run of another script, without validation."""
    run = ended(run_id, name="ckpt", ago=30, metrics={"loss": 0.1363}, best={"loss": Extreme(0.1311, 90)}, step=100)
    command = ["python", "ckpt.py", "--steps", steps, "--pause", "0.05"]
    return replace(run, record=run.record | {"command": command, "script": "ckpt.py"})


def _sweep(number: int) -> KnownRun:
    run = trained(f"s{number}", f"{1 + number % 2}e-3", 0.1, step=120)
    return replace(run, record=run.record | {"command": [*run.record["command"], "--seed", str(number)]})


async def test_unrelated_runs_take_no_column_from_a_sweep() -> None:
    others = [_ckpt(f"c{number}", "2000" if number else "100") for number in range(4)]
    async with staged(snapshot(*with_labels([*others, *map(_sweep, range(6))]))) as stage:
        heads = stage.runs.line_text(0).split()
        assert {"lr", "seed"} <= set(heads)
        assert "pause" not in heads


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_run_without_the_metric_of_the_columns_shows_its_own_result(size: tuple[int, int]) -> None:
    async with staged(snapshot(*with_labels([_ckpt("c1", "100"), *ENDED])), size=size) as stage:
        line, heads = line_of(stage, "c1"), stage.runs.line_text(0).split()
        if "loss" in heads:  # a column of its own
            assert "0.1363" in line
        else:
            assert re.search(r" loss 0\.1311\* |smoothed (best )?loss 0\.1311 ", line)
            assert line.index("0.1311") + 6 == stage.runs.line_text(0).index("best val_loss") + len("best val_loss")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("more", [{}, {"val_loss": 0.2}])
async def test_a_diverged_run_says_so_at_every_width(size: tuple[int, int], more: dict[str, float]) -> None:
    best = {"loss": Extreme(0.1, 10)}
    nan = ended("diverged", metrics={"loss": math.nan, **more}, best=best, step=300)
    async with staged(snapshot(nan, *with_labels(ENDED)), size=size) as stage:
        assert "NaN" in line_of(stage, "diverged")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_failed_run_keeps_its_reason_and_its_date(size: tuple[int, int]) -> None:
    async with staged(snapshot(*with_labels(RUNS)), size=size) as stage:
        text = line_of(stage, "e4")
        assert "RuntimeError: Expected" in text
        assert "Dec" in text[-14:]
        assert "val_loss" in stage.runs.line_text(3)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_failed_run_that_was_removed_from_the_queue_keeps_its_reason(size: tuple[int, int]) -> None:
    run = removed_from_queue("gone", Cause(kind="nan_loss", evidence="x", summary="loss is NaN"))
    run = replace(run, record=run.record | {"metrics": {"val_loss": 0.5}})
    async with staged(snapshot(*with_labels([*ENDED, run])), size=size) as stage:
        assert "loss is NaN" in line_of(stage, "gone")
        assert ("removed from the queue" in line_of(stage, "gone")) is (size[0] >= 120)


async def test_a_remark_hides_no_figures_of_a_completed_run() -> None:
    shared = SharedDirectory(folder="/w/ckpt", runs=("other",), files=("/w/ckpt/9.pt",))
    run = trained("e6", "1", 0.9, shared_directory=shared)
    async with staged(snapshot(*with_labels([*RUNS, run]))) as stage:
        assert "0.9000" in line_of(stage, "e6")
        assert "+1 more" not in line_of(stage, "e6")


async def test_a_click_below_the_second_heading_selects_the_row_under_the_mouse() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await stage.pilot.click(stage.runs, offset=(20, 5))
        await stage.pilot.pause()
        assert stage.runs.selected == "e2"
        assert stage.runs.line_text(stage.runs._cursor or 0) == line_of(stage, "e2")


async def test_the_heading_of_runs_that_nothing_filters_leaves_room_for_the_name() -> None:
    async with staged(snapshot(*with_labels(RUNS), total=500)) as stage:
        assert " Runs 500 " in stage.runs.line_text(0)
        assert " name " in stage.runs.line_text(0)


async def test_moving_the_cursor_draws_the_two_rows_that_it_leaves_and_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [trained(f"e{number}", "1e-3", 0.05, ago=60 * number) for number in range(20)]
    drawn: list[int] = []
    draw_row = RunsTable._draw_row

    def draw(table: RunsTable, index: int) -> Line:
        drawn.append(index)
        return draw_row(table, index)

    monkeypatch.setattr(RunsTable, "_draw_row", draw)
    async with staged(snapshot(*with_labels(runs))) as stage:
        before = stage.runs.cursor
        drawn.clear()
        stage.runs.move(1)
        assert stage.runs.cursor != before
        assert sorted(drawn) == [0, 1]


async def test_an_ended_run_in_columns_is_drawn_again_only_on_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = snapshot(*with_labels(RUNS))
    drawn: list[int] = []
    draw_row = RunsTable._draw_row

    def draw(table: RunsTable, index: int) -> Line:
        drawn.append(index)
        return draw_row(table, index)

    def later(seconds: float) -> Snapshot:
        moment = replace(shown.moment, wall=shown.moment.wall + seconds, monotonic=shown.moment.monotonic + seconds)
        return replace(shown, moment=moment)

    async with staged(shown) as stage:
        monkeypatch.setattr(RunsTable, "_draw_row", draw)
        stage.main.take(later(1))
        assert drawn == [0, 1]  # the unfinished ones
        drawn.clear()
        stage.main.take(later(86400))
        assert len(drawn) == len(RUNS)
