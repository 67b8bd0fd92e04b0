"""A command is checked before it is queued, also if enter comes before the check of what was typed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.tui.start_verdict import StartVerdict
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import staged
from tests.tui.screens.test_new_run import dialog, live, submitted, until

LINE = "train.py ----seed 3"
QUEUED = ("run", "train.py", "--", "----seed", "3")


class SlowChecks(FakeCommands):
    """Answers a dry run only when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.verdict = replace(self.verdict, syntax=OptionSyntax(options=frozenset({"--seed"})))

    async def dry_run(self, *lines: Sequence[str]) -> StartVerdict:
        await self.free.wait()
        return await super().dry_run(*lines)


@pytest.mark.parametrize("key", ["enter", "ctrl+n"])
async def test_enter_before_the_check_asks_about_a_misspelled_option(key: str) -> None:
    commands = SlowChecks()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *LINE, key)
        assert submitted(commands) == []
        commands.free.set()
        asked = "enter again queues it as it is: train.py defines no ----seed, but --seed"
        await until(stage, lambda: asked in " ".join(live(stage).split()))
        await stage.pilot.press(key)  # before the question can have been read
        assert submitted(commands) == []
        form = dialog(stage)
        await until(stage, lambda: form._clock() >= form._unread_until)
        await stage.pilot.press(key)
        await until(stage, lambda: submitted(commands) == [QUEUED])


async def test_a_check_that_hangs_keeps_no_command_from_being_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_tui.tui.screens.command_check.SETTLE_SECONDS", 0.05)
    commands = SlowChecks()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *LINE, "enter")
        await until(stage, lambda: submitted(commands) == [QUEUED])


async def test_a_command_that_was_checked_is_not_checked_again_before_it_is_queued() -> None:
    commands = SlowChecks()
    commands.free.set()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --seed 3")
        await until(stage, lambda: "starts now" in live(stage))
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(commands)))
        assert [call[0] for call in commands.calls] == ["dry_run", "run"]


async def test_ctrl_w_deletes_a_whole_option() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"train.py --lr 1 --batch-size ", "ctrl+w")
        assert dialog(stage).field("command").value == "train.py --lr 1 "
        await stage.pilot.press("left", "ctrl+w", "ctrl+w")
        assert dialog(stage).field("command").value == "train.py  "
