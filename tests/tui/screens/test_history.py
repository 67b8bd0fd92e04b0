"""Ended runs in columns: what is shown where, sorted, filtered, and remembered."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.live import Pause
from backprop_tui.domain.run import Cause, SharedDirectory
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.store.home import Home
from backprop_tui.tui.bridge import ListChoices, ListChoicesFile
from backprop_tui.tui.lines import Line
from backprop_tui.tui.panes.header import HeaderBar
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.screens.columns import ChooseColumns
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import until
from tests.tui.screens.test_sort_and_copy import choose, order, press
from tests.tui.snapshots import ended, queued, removed_from_queue, running, snapshot

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
        run = _train(f"{group}{lr}{seed}", f"{lr}e-3", 0.1)
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
    run = _train(f"s{number}", f"{1 + number % 2}e-3", 0.1, step=120)
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
            assert "loss 0.1311" in line
            assert line.index("0.1311") + 6 == stage.runs.line_text(0).index("best val_loss") + len("best val_loss")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("more", [{}, {"val_loss": 0.2}])
async def test_a_diverged_run_says_so_at_every_width(size: tuple[int, int], more: dict[str, float]) -> None:
    best = {"loss": Extreme(0.1, 10)}
    nan = ended("diverged", metrics={"loss": math.nan, **more}, best=best, step=300)
    async with staged(snapshot(nan, *with_labels(ENDED)), size=size) as stage:
        assert "NaN" in line_of(stage, "diverged")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_long_filter_covers_no_heading(size: tuple[int, int]) -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=size) as stage:
        heads = stage.runs.line_text(0).split("name", 1)[1].replace("━", "").split("columns")[-1].split()
        stage.main.set_filter("nano val_loss<1 lr!=3 since:500d")
        await stage.pilot.pause(0.1)
        title = stage.runs.line_text(0)
        assert "/nano" in title.split("name")[0]
        assert title.replace("━", "").split()[-len(heads) :] == heads


async def test_the_selection_stays_with_its_run_when_the_filter_changes() -> None:
    """Though the run is below the first rows; when it is filtered out, another one is selected."""
    many = [ended(f"run-{place:02}", ago=60.0 + place) for place in range(40)]
    async with staged(snapshot(*RUNS[:2], *many), size=(80, 24)) as stage:
        await press(stage, "slash", "n", "-", "enter", "G")
        assert stage.runs.selected == "run-39"
        await press(stage, "escape")
        assert not stage.main.state.filter
        assert stage.runs.selected == "run-39"
        assert "run-39" in stage.runs.shown_text
        stage.main.set_filter("run-1")
        await stage.pilot.pause(0.1)
        assert stage.runs.selected in stage.runs.view.ids


@pytest.mark.parametrize(("width", "heading"), [(80, " name  +3 columns "), (200, " name ━")])
async def test_columns_without_room_are_counted(width: int, heading: str) -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(width, 40)) as stage:
        assert heading in stage.runs.line_text(0)
        stage.main.set_filter("nano")
        await stage.pilot.pause(0.1)
        assert ("/nano  name  +3 " in stage.runs.line_text(0)) is (width == 80)


async def test_the_columns_of_running_runs_without_room_are_counted_and_a_click_shows_them() -> None:
    """A column that no run has a value for is not missing."""
    runs = running("nano", step=5, metrics={"loss": 2.0}, tags=("x",), eta_seconds=60.0), queued("wait")
    async with staged(snapshot(*runs), size=(80, 24)) as stage:
        assert " name  +2 columns " in stage.runs.line_text(0)  # the tags and the bar of the timebox
        await stage.pilot.click(stage.runs, offset=(stage.runs.line_text(0).index("columns"), 0))
        assert isinstance(stage.pilot.app.screen, ChooseColumns)


async def test_a_heading_that_a_filter_moved_can_be_clicked() -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(80, 24)) as stage:
        stage.main.set_filter("nano")
        await stage.pilot.pause(0.1)
        await stage.pilot.click(stage.runs, offset=(stage.runs.line_text(0).index("name"), 0))
        assert stage.main.state.sort == RunSort.by("name", ENDED)


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


async def test_an_argument_and_a_metric_of_the_same_name_have_different_headings() -> None:
    runs = [_train(run_id, lr, 0.5) for run_id, lr in (("a", "1e-3"), ("b", "1e-4"))]
    runs = [replace(run, record=run.record | {"metrics": run.record["metrics"] | {"lr": 3e-5}}) for run in runs]
    async with staged(snapshot(*with_labels(runs)), size=(160, 40)) as stage:
        await choose(stage, "last lr", "space")
        heading = stage.runs.line_text(0)
        assert (heading.count(" --lr "), heading.count(" last lr "), heading.count(" val_loss ")) == (1, 1, 2)
        stage.main.sort(RunSort(key="last:lr"))
        assert "last lr▴" in stage.runs.line_text(0)
    async with staged(snapshot(*with_labels(ENDED))) as stage:
        assert " lr " in stage.runs.line_text(0)


@pytest.mark.parametrize("width", [80, 120])
async def test_a_run_that_failed_keeps_its_reason_when_the_list_is_sorted_by_an_argument(width: int) -> None:
    failed = _train("f1", "1e-3", 0.9, status=Status.FAILED, cause=Cause(kind="python_error", evidence=WHY))
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
        for run, (lr, by, cells) in zip([_train(f"e{n}", "1", n / 10) for n in range(1, 5)], words, strict=True)
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
    failed = _train("f1", "1", 0.001, status=Status.FAILED)
    lost = _train("f2", "1", 0.002, status=Status.LOST)
    stopped = _train("s1", "1", 0.01, status=Status.STOPPED)
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


async def test_every_column_has_a_name_of_its_own() -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(120, 60)) as stage:
        await press(stage, "v")
        names = [line.strip(" ✓▾▴").split("  ")[0] for line in chooser(stage)]
        assert len(set(names)) == len(names)


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
            ("since:30d active", ["live"]),
            ("since:30d waiting", ["wait"]),
            ("since:30d failed", []),
            ("since:30d done", ["e1", "e2", "e3"]),
            ("since:30d", ["live", "wait", "e1", "e2", "e3"]),
        ]


async def test_a_click_on_a_count_shows_the_runs_that_it_counts() -> None:
    paused = running("held", pause=Pause(since=0, by="user", reason=""))
    recent = _train("e7", "1e-3", None, ago=60, status=Status.FAILED)
    async with staged(snapshot(*with_labels([paused, *RUNS[:2], recent, *RUNS[2:]]))) as stage:
        header = stage.main.query_one(HeaderBar)
        for text, ids in (
            ("1 running", ["live"]),
            ("1 paused", ["held"]),
            ("1 waiting", ["wait"]),
            ("1 failed", ["e7"]),
            ("1 completed", ["e1"]),
        ):
            place = header.line_text(0).index(text) + 2
            await stage.pilot.click(HeaderBar, offset=(place, 0))
            await stage.pilot.pause()
            assert order(stage) == ids
            await stage.pilot.click(HeaderBar, offset=(place, 0))
            await stage.pilot.pause()
            assert len(order(stage)) == 8


def hint(stage: Stage) -> str:
    return stage.main.query_one("#filter-hint", LineWidget).shown_text


async def test_a_mistake_in_the_filter_is_reported_and_leaves_the_list() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await press(stage, "slash")
        assert "val_loss<0.1" in hint(stage)
        await press(stage, *"state:ended since:soon")
        assert "since:soon is no time; use 7d" in hint(stage)
        assert order(stage) == ["e1", "e2", "e3", "e4"]
        await press(stage, "ctrl+u", *"val_los<1")
        assert "no run has an argument or a metric val_los; did you mean val_loss?" in hint(stage)
        await press(stage, "ctrl+u", *"val_loss")
        assert "val_loss is a metric: compare it, such as val_loss<0.1" in hint(stage)


async def test_what_the_filter_accepts_is_shown_as_a_whole_on_a_narrow_screen() -> None:
    async with staged(snapshot(*with_labels(RUNS)), size=(80, 24)) as stage:
        await press(stage, "slash")
        widget = stage.main.query_one("#filter-hint", LineWidget)
        await until(stage, lambda: widget.size.height == 2)
        assert hint(stage).endswith("took>1h")


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
        for column in (
            "lr",
            "loss",
            "smoothed best loss",
            "val_loss",
            "best val_loss",
            "gpu",
            "tags",
            "started",
            "took",
        ):
            assert column in rows
        assert "epochs" not in text
        await press(stage, "escape")
        await choose(stage, "smoothed best loss", "space")
        assert " smoothed loss " in stage.runs.line_text(0)
        await choose(stage, "step", "space")
        assert "step" not in stage.runs.line_text(0)
        assert stage.bridge.list_choices.columns == {"best:loss": True, "step": False}


def chooser(stage: Stage) -> list[str]:
    return stage.pilot.app.screen.query_one(LineWidget).shown_text.splitlines()


async def test_a_tick_is_a_chosen_column_whether_it_has_room_or_not() -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(80, 24)) as stage:
        await press(stage, "v")
        rows = {line.strip(" ✓▾▴").split("  ")[0]: line for line in chooser(stage)}
        assert rows["started"].split() == ["✓", "started"]
        assert rows["loss"].split() == ["✓", "loss", "no", "room"]
        assert rows["gpu"].split() == ["gpu"]
        assert "chosen columns have no room at this width" in chooser(stage)[-1]


async def test_a_chosen_column_is_shown_and_the_columns_that_it_displaces_are_named() -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(80, 24)) as stage:
        await press(stage, "v", "g")
        before = stage.runs.line_text(0)
        rows = stage.pilot.app.screen.query_one(LineWidget)
        while not rows.line_text(rows._cursor or 0).strip().startswith("note"):
            await press(stage, "j")
        await press(stage, "space")
        after = stage.runs.line_text(0)
        gone = [word for word in ("lr", "val_loss", "took", "started") if word in before and word not in after]
        assert "note" in after
        assert gone
        effect = chooser(stage)[-1]
        assert effect.startswith(" note: shown · no room now for")
        assert all(word in effect for word in gone)
        await press(stage, "space")
        assert chooser(stage)[-1].startswith(" note: hidden · room now for")
        assert stage.runs.line_text(0) == before


async def test_del_in_the_chooser_says_that_it_resets_columns_and_order() -> None:
    async with staged(snapshot(*with_labels(ENDED))) as stage:
        await press(stage, "greater_than_sign", "v", "space", "delete")
        assert chooser(stage)[-1].strip() == "Columns and order are the default ones"
        assert "del reset all" in str(stage.pilot.app.screen.query_one("#dialog").border_subtitle)
        assert (stage.main.state.sort, stage.main.state.columns) == (None, {})


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
