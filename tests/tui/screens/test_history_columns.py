"""Which columns ended runs have, and the list to choose them from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.store.home import Home
from backprop_tui.tui.bridge import ListChoices, ListChoicesFile
from backprop_tui.tui.screens.columns import ChooseColumns
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.history import ENDED, trained
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_sort_and_copy import choose, press
from tests.tui.snapshots import queued, running, snapshot


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


async def test_an_argument_and_a_metric_of_the_same_name_have_different_headings() -> None:
    runs = [trained(run_id, lr, 0.5) for run_id, lr in (("a", "1e-3"), ("b", "1e-4"))]
    runs = [replace(run, record=run.record | {"metrics": run.record["metrics"] | {"lr": 3e-5}}) for run in runs]
    async with staged(snapshot(*with_labels(runs)), size=(160, 40)) as stage:
        await choose(stage, "last lr", "space")
        heading = stage.runs.line_text(0)
        assert (heading.count(" --lr "), heading.count(" last lr "), heading.count(" val_loss ")) == (1, 1, 2)
        stage.main.sort(RunSort(key="last:lr"))
        assert "last lr▴" in stage.runs.line_text(0)
    async with staged(snapshot(*with_labels(ENDED))) as stage:
        assert " lr " in stage.runs.line_text(0)


async def test_a_metric_with_two_spellings_has_one_column_until_the_other_is_asked_for() -> None:
    runs = [trained(run_id, lr, 0.5) for run_id, lr in (("a", "1e-3"), ("b", "1e-4"))]
    runs = [replace(run, record=run.record | {"metrics": run.record["metrics"] | {"val loss": 0.5}}) for run in runs]
    async with staged(snapshot(*with_labels(runs)), size=(160, 40)) as stage:
        assert (stage.runs.line_text(0).count("val_loss"), stage.runs.line_text(0).count("val loss")) == (2, 0)
        await choose(stage, "val loss", "space")
        assert "val loss" in stage.runs.line_text(0)


def chooser(stage: Stage) -> list[str]:
    return stage.pilot.app.screen.query_one(LineWidget).shown_text.splitlines()


async def test_every_column_has_a_name_of_its_own() -> None:
    async with staged(snapshot(*with_labels(ENDED)), size=(120, 60)) as stage:
        await press(stage, "v")
        names = [line.strip(" ✓▾▴").split("  ")[0] for line in chooser(stage)]
        assert len(set(names)) == len(names)


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
