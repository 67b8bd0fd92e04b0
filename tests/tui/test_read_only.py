"""A read-only dashboard: no key, paste, remedy or entry of the palette changes anything."""

from __future__ import annotations

import inspect

from textual import events

from backprop_tui.tui import Mode
from backprop_tui.tui.actions import CHANGING_COMMANDS, MAIN_ACTIONS
from backprop_tui.tui.background_calls import READ_ONLY
from backprop_tui.tui.panes.selected_run import DETAILS
from backprop_tui.tui.screens.palette import main_entries
from backprop_tui.tui.snapshot import Snapshot
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_remedies import NEVER, SLOTS
from tests.tui.snapshots import ended, queued, running, snapshot

_READING = ("dry_run", "status", "doctor")
_ENDS_THE_SCREEN = ("leave", "demo", "suspend", "pager", "editor", "palette")  # these change nothing by themselves


def _store(mode: Mode = Mode.READ_ONLY) -> Snapshot:
    runs = (running("a"), queued("w", holds=(SLOTS,)), ended("b", group="g"), ended("c", group="g"))
    return snapshot(*runs, mode=mode)


def _changes(stage: Stage) -> list[object]:
    return [call for call in stage.commands.calls if call[0] not in _READING]


async def _answer_all(stage: Stage) -> None:
    """Presses enter in what was opened, then leaves it."""
    for _ in range(2):
        if stage.pilot.app.screen is not stage.main:
            await stage.pilot.press("enter")
            await stage.pilot.pause()
    while stage.pilot.app.screen is not stage.main:
        await stage.pilot.press("escape")
        await stage.pilot.pause()


async def test_every_action_that_changes_something_is_known_to_the_registry() -> None:
    harmless = [
        action
        for action in MAIN_ACTIONS
        if action.command not in CHANGING_COMMANDS and action.id not in (*_ENDS_THE_SCREEN, "open")
    ]
    async with staged(_store(Mode.NORMAL)) as stage:
        for row in ("w", "group:g"):
            for action in harmless:
                stage.runs.select(row)
                stage.main.set_focus(stage.runs)
                await stage.main.run_action(action.command)
                await stage.pilot.pause()
                await _answer_all(stage)
                assert _changes(stage) == [], f"{action.id} of {row}"


async def test_no_entry_of_the_palette_changes_anything() -> None:
    async with staged(_store()) as stage:
        for entry in main_entries(stage.main):
            if entry.title in {action.title for action in MAIN_ACTIONS if action.id in _ENDS_THE_SCREEN}:
                continue
            result = entry.call()
            if inspect.isawaitable(result):
                await result
            await stage.pilot.pause()
            while stage.pilot.app.screen is not stage.main:
                await stage.pilot.press("escape")
                await stage.pilot.pause()
            assert _changes(stage) == [], entry.title


async def test_a_remedy_is_refused_before_it_asks() -> None:
    for reason in (SLOTS, NEVER):
        now = snapshot(running("a"), queued("w", holds=(reason,)), mode=Mode.READ_ONLY)
        async with staged(now) as stage:
            await stage.pilot.press("j", "enter")
            await stage.pilot.pause()
            assert stage.selected.tab == DETAILS
            await stage.pilot.press("enter")
            await stage.pilot.pause()
            assert stage.pilot.app.screen is stage.main
            assert READ_ONLY in [note.message for note in stage.pilot.app._notifications]


async def test_a_paste_opens_no_form() -> None:
    async with staged(_store()) as stage:
        stage.main.post_message(events.Paste("python train.py"))
        await stage.pilot.pause()
        assert stage.pilot.app.screen is stage.main
        assert READ_ONLY in [note.message for note in stage.pilot.app._notifications]
