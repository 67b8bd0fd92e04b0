"""The filter of the runs: its line, its hints, and what it leaves."""

from __future__ import annotations

import pytest

from backprop_tui.domain.live import Pause
from backprop_tui.domain.status import Status
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.tui.panes.header import HeaderBar
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.history import ENDED, RUNS, trained
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import until
from tests.tui.screens.test_sort_and_copy import order, press
from tests.tui.snapshots import ended, running, snapshot


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_long_filter_covers_no_heading(size: tuple[int, int]) -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=size) as stage:
        heads = stage.runs.line_text(0).split("name", 1)[1].replace("━", "").split("columns")[-1].split()
        stage.main.set_filter("nano since:500d done train.py --epochs 3")
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


async def test_a_heading_that_a_filter_moved_can_be_clicked() -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(80, 24)) as stage:
        stage.main.set_filter("nano")
        await stage.pilot.pause(0.1)
        await stage.pilot.click(stage.runs, offset=(stage.runs.line_text(0).index("name"), 0))
        assert stage.main.state.sort == RunSort.by("name", ENDED)


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
    recent = trained("e7", "1e-3", None, ago=60, status=Status.FAILED)
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
        assert "lr=1e-4, val_loss<0.051, best(val_loss)<0.046, took>1h" in hint(stage)  # as the runs have them
        await press(stage, *"state:ended since:soon")
        assert "since:soon is no time; use 7d" in hint(stage)
        assert order(stage) == ["e1", "e2", "e3", "e4"]
        await press(stage, "ctrl+u", *"val_los<1")
        assert "no run has an argument or a metric val_los; did you mean val_loss?" in hint(stage)
        await press(stage, "ctrl+u", *"val_loss")
        assert "val_loss is a metric: compare it, such as val_loss<0.051 or best(val_loss)<0.046" in hint(stage)


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


async def test_escape_in_the_line_goes_back_to_the_filter_that_was_accepted_and_then_clears_it() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await press(stage, "slash", *"val_loss<0.04", "enter", "slash", "end", *"5 live")
        assert order(stage) == []
        await press(stage, "escape")
        assert stage.main.state.filter.text == "val_loss<0.04"
        assert order(stage) == ["e2"]
        await press(stage, "escape")
        assert not stage.main.state.filter


async def test_escape_in_the_line_without_a_filter_before_shows_all_runs_again() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await press(stage, "slash", *"liv", "escape")
        assert not stage.main.state.filter
        assert len(order(stage)) == len(RUNS)


async def test_tab_puts_the_values_of_an_argument_one_after_the_other() -> None:
    async with staged(snapshot(*with_labels(RUNS))) as stage:
        await press(stage, "slash", *"lr=")
        assert "tab completes: lr=1e-4 lr=1e-3 lr=1e-2" in hint(stage)
        for value in ("1e-", "1e-4", "1e-3", "1e-2", "1e-4"):
            await press(stage, "tab")
            assert stage.main.state.filter.text == f"lr={value}"
            assert "lr=1e-3 lr=1e-2" in hint(stage)
        await press(stage, "ctrl+u", *"val_loss<")
        assert "val_loss< needs a value; it is between 0.03000 and 0.4000" in hint(stage)
        await press(stage, "ctrl+u", *"epoch=")
        assert "no run has an argument or a metric epoch; did you mean epochs?" in hint(stage)
