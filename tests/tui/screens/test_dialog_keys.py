"""Keys mean the same in every dialog: esc leaves and does nothing, j and k move the mark, g and G go to the ends."""

from __future__ import annotations

from typing import Any

import pytest
from textual.screen import Screen

from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import (
    COLUMN_ACTIONS,
    COMPARE_ACTIONS,
    DIGEST_ACTIONS,
    HELP_ACTIONS,
    MENU_ACTIONS,
    SETTINGS_ACTIONS,
    TEXT_ACTIONS,
)
from backprop_tui.tui.screens.form import Form
from backprop_tui.tui.screens.questions import Ask
from backprop_tui.tui.textual_patches.command_palette import Palette
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_remedies import SLOTS
from tests.tui.snapshots import ended, queued, running, snapshot

# What opens each dialog, on which row.
_DIALOGS = {
    "stop": ("a", "s"),
    "kill": ("a", "S"),
    "time": ("a", "t"),
    "copy": ("a", "y"),
    "run again": ("b", "r"),
    "remove": ("b", "d"),
    "leave": ("a", "q"),
    "remedies": ("w", "enter enter"),
    "columns": ("a", "v"),
    "settings": ("a", ","),
    "help": ("a", "?"),
    "palette": ("a", "ctrl+p"),
    "new run": ("a", "n"),
    "rerun": ("b", "N"),
    "edit": ("a", "e"),
}


async def _open(stage: Stage, dialog: str) -> Screen[Any]:
    row, keys = _DIALOGS[dialog]
    stage.main.set_focus(stage.runs)
    stage.runs.select(row)
    for key in keys.split():
        await stage.pilot.press({",": "comma", "?": "question_mark"}.get(key, key))
        await stage.pilot.pause()
    screen = stage.pilot.app.screen
    assert screen is not stage.main, dialog
    return screen


async def test_esc_leaves_every_dialog_and_q_every_one_without_text() -> None:
    runs = (running("a"), queued("w", holds=(SLOTS,)), ended("b"))
    async with staged(snapshot(*runs)) as stage:
        for dialog in _DIALOGS:
            takes_text = isinstance(await _open(stage, dialog), Form | Palette)
            await stage.pilot.press("escape")
            await stage.pilot.pause()
            assert stage.pilot.app.screen is stage.main, dialog
            if not takes_text:
                await _open(stage, dialog)
                await stage.pilot.press("q")
                await stage.pilot.pause()
                assert stage.pilot.app.screen is stage.main, dialog
        assert [call for call in stage.commands.calls if call[0] != "dry_run"] == []


@pytest.mark.parametrize("dialog", ["stop", "time", "copy", "run again", "leave"])
async def test_the_mark_moves_and_enter_chooses_what_is_marked(dialog: str) -> None:
    async with staged(snapshot(running("a"), ended("b"))) as stage:
        screen = await _open(stage, dialog)
        assert isinstance(screen, Ask)
        last = len(screen._answers) - 1
        for key, row in (("G", last), ("k", last - 1), ("j", last), ("g", 0), ("j", 1)):
            await stage.pilot.press(key)
            assert screen._cursor == row, key
        await stage.pilot.press("end", "enter")  # the last answer is to cancel
        await stage.pilot.pause()
        assert stage.pilot.app.screen is stage.main
        assert stage.commands.calls == []


@pytest.mark.parametrize(
    "actions",
    [MENU_ACTIONS, COLUMN_ACTIONS, SETTINGS_ACTIONS, HELP_ACTIONS, DIGEST_ACTIONS, TEXT_ACTIONS, COMPARE_ACTIONS],
)
def test_every_dialog_has_the_keys_that_move_and_leave(actions: tuple[Action, ...]) -> None:
    keys = {key for action in actions for key in action.keys}
    assert {"escape", "q", "j", "down", "k", "up", "g", "home", "G", "end"} <= keys
