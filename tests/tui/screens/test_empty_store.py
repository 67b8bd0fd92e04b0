"""An empty store, and a filter without matches."""

from __future__ import annotations

import pytest

from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.panes.machine import MachineBar
from backprop_tui.tui.panes.runs import beginning_view
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import staged
from tests.tui.screens.test_new_run import until
from tests.tui.snapshots import gpu, queued, running, sample, snapshot

EMPTY = snapshot(sample=sample(gpu(), gpu(1)))


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 16), (30, 8)])
async def test_an_empty_store_shows_how_to_start(size: tuple[int, int]) -> None:
    async with staged(EMPTY, size) as stage:
        shown = stage.runs.shown_text
        assert "n       run your own" in shown
        if size[0] >= 80:
            assert "backprop-tui run train.py -m 60" in shown
            assert "Checked: 2 GPUs by nvml · 1.2 TB disk free" in shown
            assert not stage.selected.display
        assert max(map(len, shown.splitlines())) <= max(
            size[0], len("backprop-tui run train.py -m 60 -- --lr 3e-4") + 3
        )


async def test_with_the_first_run_the_normal_screen_appears() -> None:
    async with staged(EMPTY) as stage:
        await stage.becomes(snapshot(queued("first")))
        assert "No runs yet" not in stage.runs.shown_text
        assert stage.selected.display


def test_the_example_is_offered_only_when_it_is_installed() -> None:
    with_example, without = beginning_view(EMPTY, example=True), beginning_view(EMPTY, example=False)
    assert with_example is not None
    assert without is not None
    assert [key for key, _ in with_example.ways] == ["n", "e", "d"]
    assert [key for key, _ in without.ways] == ["n", "d"]
    assert beginning_view(snapshot(running("one")), example=True) is None


def test_a_machine_without_gpus_says_so() -> None:
    view = beginning_view(snapshot(sample=sample()), example=False)
    assert view is not None
    assert view.checked[0] == "no GPU, runs use the CPU"


async def test_the_note_about_gpus_is_complete_or_shorter_but_never_clipped() -> None:
    async with staged(snapshot(sample=sample()), size=(80, 24)) as stage:
        machine = stage.main.query_one(MachineBar)
        assert machine.shown_text.rstrip().endswith("no GPU")
        await stage.pilot.resize_terminal(120, 40)
        assert machine.shown_text.rstrip().endswith("no GPU · runs use the CPU")


async def test_e_starts_the_example_once_and_selects_it() -> None:
    commands = FakeCommands()
    async with staged(EMPTY, commands=commands) as stage:
        stage.main.example = "/there/it is.py"
        await stage.pilot.press("e", "e")
        await until(stage, lambda: bool(commands.calls))
        await stage.pilot.press("e")
        assert stage.pilot.app.screen is stage.main
        assert commands.calls == [("run", "/there/it is.py")]
        await stage.becomes(snapshot(queued("abcd2345")))
        assert stage.runs.selected == "abcd2345"


async def test_an_example_that_is_refused_can_be_tried_again() -> None:
    commands = FakeCommands(CommandResult(done=False, message="no interpreter"))
    async with staged(EMPTY, commands=commands) as stage:
        stage.main.example = "/there/it.py"
        for _ in range(2):
            commands.calls.clear()
            await stage.pilot.press("e")
            await until(stage, lambda: bool(commands.calls))
            await stage.pilot.pause()


async def test_a_filter_without_matches_says_how_to_clear_it() -> None:
    async with staged() as stage:
        await stage.pilot.press("slash", *"zzz", "enter")
        assert "No matching runs for /zzz. esc clears the filter." in stage.runs.shown_text
        await stage.pilot.press("escape")
        assert "nano" in stage.runs.shown_text
