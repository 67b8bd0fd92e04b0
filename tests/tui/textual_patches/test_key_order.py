"""Keys that arrive together, as over a slow line."""

from __future__ import annotations

import asyncio

from textual import events
from textual.command import CommandList
from textual.keys import key_to_character
from textual.message import Message
from textual.message_pump import MessagePump
from textual.pilot import Pilot

from backprop_tui.tui.screens.edit_run import EditRun
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.screens.questions import Ask
from backprop_tui.tui.textual_patches.command_palette import Palette
from backprop_tui.tui.textual_patches.key_order import KeyHandled, KeyQueue
from tests.tui.screens.test_main import staged


async def _all_at_once(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        pilot.app.post_message(events.Key(key, key_to_character(key)))
    await pilot.pause()
    await pilot.pause()


async def test_letters_behind_a_tab_go_to_the_next_field() -> None:
    async with staged() as stage:
        await stage.pilot.press("e")
        await _all_at_once(stage.pilot, "a", "tab", "b", "c", "tab", "tab", "5", "enter")
        assert stage.commands.calls == [("edit", "nano", {"name": "nanoa", "tags": ["bc"], "max_run_seconds": 6300.0})]
        assert not isinstance(stage.pilot.app.screen, EditRun)


async def test_a_second_escape_closes_no_more_than_the_first() -> None:
    async with staged() as stage:
        await stage.pilot.press("s")
        assert isinstance(stage.pilot.app.screen, Ask)
        await _all_at_once(stage.pilot, "escape", "escape", "escape", "j")
        assert isinstance(stage.pilot.app.screen, MainScreen)
        assert stage.runs.selected == "vit"


async def test_keys_behind_one_that_opens_a_dialog_go_to_the_dialog() -> None:
    async with staged() as stage:
        await _all_at_once(stage.pilot, "j", "s", "enter", "j")
        assert stage.commands.calls == [("stop", "vit")]
        assert stage.runs.selected == "wait-1"
        await _all_at_once(stage.pilot, "n", "a", "full_stop", "p", "y")
        screen = stage.pilot.app.screen
        assert isinstance(screen, NewRun)
        assert screen.draft["command"] == "a.py"


async def test_a_letter_that_reaches_the_filter_before_its_focus_is_kept() -> None:
    async with staged() as stage:
        for key, character in (("slash", "/"), ("s", "s")):
            stage.runs.post_message(events.Key(key, character))
        await stage.pilot.pause()
        await stage.pilot.press(*"ince", "enter")
        assert stage.main.filter_input.value == "since"
        await stage.pilot.press("slash", *"vit")  # a filter that is there already is replaced
        assert stage.main.filter_input.value == "vit"


async def test_keys_wait_for_the_first_screen() -> None:
    events_: list[str] = []
    is_ready = False
    posted: list[Message] = []

    async def dispatch(event: events.Key | events.Paste) -> MessagePump:
        assert isinstance(event, events.Key)
        events_.append(event.key)
        return MessagePump()

    queue = KeyQueue(dispatch, lambda: is_ready, posted.append)
    for key in ("slash", "s", "i"):
        await queue.put(events.Key(key, None))
    assert events_ == []
    is_ready = True
    while len(events_) < 3:
        await asyncio.sleep(0.01)
        for message in posted.copy():
            posted.remove(message)
            assert isinstance(message, KeyHandled)
            await queue.handled(message.sequence)
    assert events_ == ["slash", "s", "i"]


async def test_a_slow_key_delays_the_others_only_for_a_while() -> None:
    async with staged() as stage:
        started, free = asyncio.Event(), asyncio.Event()

        async def handle_slowly() -> None:
            started.set()
            await free.wait()

        stage.runs.call_next(handle_slowly)  # the widget with the focus
        await started.wait()
        for key in ("j", "ctrl+c", "ctrl+c"):
            stage.pilot.app.post_message(events.Key(key, None))
        left = asyncio.get_running_loop().time() + 10
        while stage.pilot.app.return_code is None and asyncio.get_running_loop().time() < left:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert stage.pilot.app.return_code == 0
        free.set()


async def test_a_second_enter_does_not_choose_twice() -> None:
    async with staged() as stage:
        await stage.pilot.press("ctrl+p", *"theme backprop-light")
        await _all_at_once(stage.pilot, "enter", "enter", "enter")
        assert stage.pilot.app.theme == "backprop-light"
        assert isinstance(stage.pilot.app.screen_stack[0], MainScreen)


async def test_the_palette_may_be_closed_while_it_still_lists_commands() -> None:
    async with staged() as stage:
        await stage.pilot.press("ctrl+p")
        palette = stage.pilot.app.screen
        assert isinstance(palette, Palette)
        await palette.query_one(CommandList).remove()
        palette._gather_commands("theme")
        palette.list_again()
