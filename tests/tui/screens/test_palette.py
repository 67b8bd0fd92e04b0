"""The command palette, driven by keys."""

from __future__ import annotations

import pytest
from textual.command import CommandList

from backprop_tui.tui.actions import BY_ID
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.screens.palette import PaletteEntry, TextScreen, main_entries
from backprop_tui.tui.screens.settings import SettingsScreen
from backprop_tui.tui.textual_patches.command_palette import Palette
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.user_commands import UserCommand
from backprop_tui.tui.widgets.line_widget import LineWidget, ScrollView
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import until
from tests.tui.screens.test_settings import FakeConfig
from tests.tui.screens.test_sort_and_copy import RUNS, order
from tests.tui.snapshots import snapshot


def rows(stage: Stage) -> list[str]:
    listed = stage.pilot.app.screen.query_one(CommandList)
    return [str(listed.get_option_at_index(index).prompt) for index in range(listed.option_count)]


async def search(stage: Stage, text: str, first: str) -> None:
    """Types into the palette until its first row begins with `first`."""
    await stage.pilot.press("ctrl+p")
    await until(stage, lambda: len(stage.pilot.app.screen.query(CommandList)) == 1)
    await stage.pilot.press(*text)
    await until(stage, lambda: any(row.startswith(first) for row in rows(stage)[:1]))


async def choose(stage: Stage, text: str, first: str) -> None:
    await search(stage, text, first)
    await stage.pilot.press("enter")
    await stage.pilot.pause()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("delete", "Remove ended runs"),
        ("cancel", "Stop the run"),
        ("clone", "Rerun with a change"),
        ("duplicate", "Rerun with a change"),
        ("rerun", "Rerun with a change"),
        ("priority", "Edit name, tags"),
        ("reorder", "Move the run later"),
        ("front", "Move the run to the front of the queue"),
        ("back of", "Move the run to the back of the queue"),
        ("kill", "Kill the run now"),
        ("quit", "Leave"),
        ("longer", "Give the run more time"),
        ("temp", "Setting gpu.max_temp_c"),
        ("sort eta", "Sort by ETA"),
        ("log out", "Leave"),
        ("heat", "Setting gpu.max_temp_c"),
        ("temperature", "Setting gpu.max_temp_c"),
        ("timeout", "Give the run more time"),
        ("slots", "Setting max_parallel"),
        ("why", "Show details"),
        ("waiting", "Show details"),
        ("stop all", "Leave"),
        ("slice", "Help: slice, a part of a long training"),
        ("what is a slice", "Help: slice, a part of a long training"),
        ("what is the timebox", "Help: timebox, the time limit"),
        ("what is max_parallel", "Setting max_parallel"),
        ("slcie", "Help: slice, a part of a long training"),
        ("delte", "Remove ended runs"),
    ],
)
async def test_other_words_find_an_action(text: str, first: str) -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await search(stage, text, first)


async def test_an_entry_is_one_row_with_its_key_at_the_right() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await search(stage, "stop saving", "Stop the run")
        assert all("\n" not in row for row in rows(stage))
        assert rows(stage)[0].endswith(" s")
        assert len(rows(stage)[0]) == 64
        assert stage.pilot.app.screen.query_one(CommandList).size.width == 70


async def test_what_matches_is_listed_at_once_and_so_is_that_nothing_does() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await stage.pilot.press("ctrl+p", *"quit")
        await stage.pilot.pause()
        assert rows(stage)[0].startswith("Leave")
        await stage.pilot.press(*"zzz")
        await stage.pilot.pause()
        assert rows(stage) == ["No matches"]
        await stage.pilot.press("ctrl+u")
        await stage.pilot.pause()
        assert len(rows(stage)) > 50


async def test_a_setting_is_shown_with_its_value() -> None:
    commands = FakeConfig(values={"gpu.max_temp_c": 77.0})
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await search(stage, "max_temp", "Setting gpu.max_temp_c")
        await until(stage, lambda: rows(stage)[0].endswith(" 77"))
        assert len(rows(stage)[0]) == 64


async def test_each_command_and_action_is_listed_once_with_all_of_its_keys() -> None:
    commands = (
        UserCommand(name="disk use", line="du", key="f5", shown_key="f5"),
        UserCommand(name="disk use", line="du", key="W", shown_key="W"),
        UserCommand(name="no key", line="df"),
        UserCommand(name="Stop the run, saving first", action=BY_ID["stop"], key="f6", shown_key="f6"),
    )
    async with staged(snapshot(*RUNS), preferences=Preferences(glyphs=UNICODE, commands=commands)) as stage:
        entries = [(entry.title, entry.key) for entry in main_entries(stage.main)]
        expected = {("disk use", "f5 W"), ("no key", ""), ("Stop the run, saving first", "s f6")}
        assert {(title, key) for title, key in entries if title in dict(expected)} == expected
        assert len(dict(entries)) == len(entries)


async def test_a_setting_is_changed_on_enter() -> None:
    commands = FakeConfig()
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await choose(stage, "max_parallel = 2", "Set max_parallel = 2")
        await until(stage, lambda: commands.values == {"max_parallel": "2"})


async def test_a_wrong_value_is_refused_with_the_reason() -> None:
    commands = FakeConfig()
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await choose(stage, "max_parallel = many", "Set max_parallel = many")
        await until(stage, lambda: any("must be a number" in note.message for note in stage.pilot.app._notifications))
        assert commands.values == {}


async def test_a_setting_is_opened_where_it_is() -> None:
    async with staged(snapshot(*RUNS), commands=FakeConfig()) as stage:
        await choose(stage, "on_overheat", "Setting governor.on_overheat")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, SettingsScreen))
        settings = stage.pilot.app.screen.query_one("#settings", LineWidget)
        await until(stage, lambda: "▌ governor.on_overheat" in settings.shown_text)


async def test_the_palette_goes_to_runs_sorts_and_filters() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await choose(stage, "run other", "Go to run other")
        assert stage.runs.selected == "other"
        await choose(stage, "sort loss", "Sort by loss")
        assert order(stage)[0] == "s1"
        await choose(stage, "only failed", "Show only failed runs (3)")
        assert set(order(stage)) == {"s3", "s4", "other"}
        await choose(stage, "run slow", "Go to run slow")
        assert stage.runs.selected == "slow"


async def test_the_palette_copies_the_status_and_shows_the_doctor() -> None:
    async with staged(snapshot(*RUNS), commands=FakeCommands()) as stage:
        await choose(stage, "copy status", "Copy status as JSON")
        assert stage.pilot.app.clipboard.startswith('{\n  "host": {}')
        await choose(stage, "doctor", "Doctor")
        page = stage.pilot.app.screen
        assert isinstance(page, TextScreen)
        assert "second line" in page.query_one(ScrollView).shown_text
        await stage.pilot.press("escape")
        assert stage.pilot.app.screen is stage.main
        assert stage.commands.calls == [("status",), ("doctor",)]


def test_the_start_of_a_word_of_the_title_counts_most() -> None:
    entry = PaletteEntry(title="Stop the run", keywords="cancel", call=print)
    scores = [entry.score(text) for text in ("sto", "run stop", "canc", "ancel", "stop zebra")]
    assert scores == [1.0, 1.0, 0.8, 0.3, 0.0]
    assert entry.score("cancel job") == 0.8
    explained = PaletteEntry(title="Help: GPU, out of memory", call=lambda: None, keywords="oom", explains="GPU")
    zoom = PaletteEntry(title="Zoom", call=lambda: None)
    assert explained.score("oom") > zoom.score("oom") > 0


async def test_an_entry_is_one_row_in_a_screen_that_shrinks() -> None:
    async with staged(snapshot(*RUNS)) as stage:
        await search(stage, "delete", "Remove ended runs")
        assert len(rows(stage)[0]) > 60
        await stage.pilot.resize_terminal(60, 20)
        await until(stage, lambda: len(rows(stage)[:1]) == 1 and len(rows(stage)[0]) < 60)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (80, 16), (40, 12)])
async def test_the_palette_has_one_frame_that_fits(size: tuple[int, int]) -> None:
    async with staged(size=size) as stage:
        await stage.pilot.press("ctrl+p")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Palette))
        for typed in ("", *"theme", *"xyz"):
            if typed:
                await stage.pilot.press(typed)
                await stage.pilot.pause()
            rows = [strip.text for strip in stage.pilot.app.screen._compositor.render_strips()]
            tops, ends = ([y for y, row in enumerate(rows) if corner in row] for corner in "╭╰")
            assert len(tops) == len(ends) == 1
            assert ends[0] - tops[0] > 3, "the list is within it"
            left, right = rows[tops[0]].index("╭"), rows[tops[0]].index("╮")
            assert {row[left] + row[right] for row in rows[tops[0] + 1 : ends[0]]} == {"││"}
