"""A read-only dashboard: no key, paste, remedy or entry of the palette changes anything."""

from __future__ import annotations

import inspect

from textual import events

from backprop_tui.tui import Mode
from backprop_tui.tui.actions import BY_ID, CHANGING_COMMANDS, MAIN_ACTIONS
from backprop_tui.tui.background_calls import READ_ONLY
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.panes.selected_run import DETAILS
from backprop_tui.tui.screens.help import Help
from backprop_tui.tui.screens.palette import main_entries, setting_entries
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.user_commands import UserCommand
from backprop_tui.tui.widgets.line_widget import LineWidget, ScrollView
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import until
from tests.tui.screens.test_remedies import NEVER, SLOTS
from tests.tui.screens.test_settings import FakeConfig, opened, shown
from tests.tui.snapshots import ended, queued, running, snapshot

_KEYS = Preferences(
    glyphs=UNICODE,
    commands=(
        UserCommand(name="mine", line="true", key="f5", shown_key="f5"),
        UserCommand(name="stops it too", action=BY_ID["stop"], key="f6", shown_key="f6"),
    ),
)
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


async def test_neither_footer_nor_help_nor_palette_offers_a_change() -> None:
    async with staged(_store(), (120, 90), preferences=_KEYS) as stage:
        for row, kept in (("a", "c compare"), ("w", "/ filter"), ("b", "o pager"), ("group:g", "b best")):
            stage.runs.select(row)
            await stage.pilot.pause()
            footer = stage.main.query_one("#footer", LineWidget).shown_text
            assert kept in footer
            for change in ("n new", "s stop", "p pause", "e edit", "H hold", "r resume", "N rerun", "d remove"):
                assert change not in footer
        entries = [*main_entries(stage.main), *setting_entries(stage.main, "max_parallel = 2")]
        titles = {entry.title for entry in entries}
        assert {"Filter the runs", "mine"} < titles
        assert titles & {*(action.title for action in MAIN_ACTIONS if action.changes), "Set max_parallel = 2"} == set()
        await stage.pilot.press("question_mark")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Help))
        page = stage.pilot.app.screen.query_one(ScrollView).shown_text
        assert "mark all shown" in page
        assert [
            text for text in ("stop, saving first", "new run", "stops it too", "clear the form") if text in page
        ] == []


async def test_the_settings_are_shown_and_not_changed() -> None:
    async with staged(_store(), commands=FakeConfig()) as stage:
        screen = await opened(stage)
        for key in ("enter", "delete"):
            await stage.pilot.press(key)
            assert shown(stage, "settings-message").endswith(READ_ONLY)
            assert not screen.query_one("#settings-value").has_class("-open")
        assert shown(stage, "footer").split("   ") == [" / find a setting", "esc back"]
        assert stage.commands.calls == []


async def test_an_empty_store_offers_the_demo_only() -> None:
    async with staged(snapshot(mode=Mode.READ_ONLY)) as stage:
        assert "see the demo" in stage.pilot.app.screen.query_one("#runs", LineWidget).shown_text
        assert "run your own script" not in stage.pilot.app.screen.query_one("#runs", LineWidget).shown_text


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
