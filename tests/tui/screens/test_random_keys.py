"""Random keys, pastes and sizes: the dashboard keeps running."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.keys import key_to_character
from textual.message import Message
from textual.pilot import Pilot

from backprop_tui.tui.actions import ACTIONS
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.bridge import StoreRead
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.textual_patches.command_palette import Palette
from backprop_tui.tui.theme import Preferences
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.scene import SceneCharts, scene
from tests.tui.snapshots import ended, snapshot

BURSTS, MAX_AT_ONCE = 40, 6
SIZES = ((120, 40), (80, 24), (200, 50), (60, 20), (59, 12), (20, 5), (10, 3), (1, 1))
OF_THE_REGISTRY = sorted({key for action in ACTIONS for key in action.keys} - {"ctrl+z"})
OF_DIALOGS = (
    *("enter", "escape", "tab", "shift+tab", "backspace", "delete", "ctrl+n", "ctrl+r", "ctrl+s", "ctrl+w", "ctrl+k"),
    *("0", "9", "dollar_sign", "left_parenthesis", "asterisk", "c", "n", "N", "x", "é", "日"),
)
PASTES = ("python train.py --lr 3e-4", "'unclosed", "a\nb\\\nc", "\x1b]52;c;eA==\x07", "/etc/host", "x" * 3000, "")


class RefusingCommands(FakeCommands):
    """Refuses every third request."""

    def _record(self, *call: object) -> CommandResult:
        self.result = CommandResult(done=len(self.calls) % 3 < 2, message="no: nothing here")
        return super()._record(*call)


def _moments(logs: Path) -> list[Snapshot]:
    """Return snapshots of a busy machine, one with two hundred more runs, one with few runs, and an empty one."""
    busy = scene(gpus=12, logs=logs)
    crowded = replace(busy, runs=(*busy.runs, *(ended(f"old-{place}", ago=90.0 * place) for place in range(200))))
    return [busy, crowded, replace(scene(gpus=2), runs=busy.runs[3:8]), snapshot()]


def _inputs(chance: random.Random, moments: list[Snapshot]) -> Iterator[Message | tuple[int, int]]:
    """Yield mostly keys, and sizes, pastes and snapshots between them."""
    while True:
        kind = chance.random()
        if kind < 0.9:
            key = chance.choice(OF_THE_REGISTRY if chance.random() < 0.7 else OF_DIALOGS)
            yield events.Key(key, key_to_character(key))
        elif kind < 0.94:
            yield chance.choice(SIZES)
        elif kind < 0.96:
            yield events.Paste(chance.choice(PASTES))
        else:
            yield StoreRead(chance.choice(moments))


async def _burst(pilot: Pilot[int], inputs: Iterator[Message | tuple[int, int]], count: int, done: list[str]) -> None:
    """Send several at once, as over a slow line."""
    for _ in range(count):
        user_input = next(inputs)
        done.append(str(user_input.key if isinstance(user_input, events.Key) else user_input))
        if isinstance(user_input, tuple):
            await pilot.resize_terminal(*user_input)
        else:
            pilot.app.post_message(user_input)
    await pilot.pause()


@pytest.mark.parametrize("seed", [1, 2])
def test_only_the_keys_to_leave_end_the_dashboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setenv("PAGER", "true")
    chance = random.Random(seed)
    moments = _moments(tmp_path)
    inputs = _inputs(chance, moments)
    messages: list[str] = []
    bursts = iter(range(BURSTS))

    async def run(done: list[str]) -> bool:
        """Return whether all bursts were sent before a key left the dashboard."""
        glyphs = chance.choice((ASCII, UNICODE))
        app = Dashboard(FakeBridge(moments[0]), RefusingCommands(), Preferences(glyphs=glyphs), charts=SceneCharts())
        async with app.run_test(size=(120, 40)) as pilot:
            for _ in bursts:
                await _burst(pilot, inputs, chance.randint(1, MAX_AT_ONCE), done)
                messages.extend(notice.message for notice in app._notifications)
                if not app.is_running:
                    return False
                if chance.random() < 0.3:
                    await pilot.click(offset=(chance.randrange(app.size.width), chance.randrange(app.size.height)))
        return True

    while True:
        done: list[str] = []
        try:
            if asyncio.run(run(done)):
                break
        except BaseException as error:
            error.add_note(f"after {' '.join(done[-40:])}")
            raise
    assert [words for words in messages if words.startswith("internal error")] == []


async def test_paging_a_palette_without_rows_does_nothing(tmp_path: Path) -> None:
    app = Dashboard(FakeBridge(scene(logs=tmp_path)), FakeCommands(), Preferences(glyphs=UNICODE))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+p")
        await pilot.resize_terminal(20, 2)
        await pilot.press("down", "pageup", "pagedown", "end", "home")
        assert isinstance(app.screen, Palette)
        await pilot.resize_terminal(120, 40)
        await pilot.press("escape")
        assert app.screen is app.screen_stack[0]
