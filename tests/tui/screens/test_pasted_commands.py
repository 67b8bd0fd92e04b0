"""Commands that are pasted or dropped, on the main screen and in the form."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual import events

from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.textual_patches.key_order import LIMIT_SECONDS
from backprop_tui.tui.widgets.argument_table import ArgumentTable
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import staged
from tests.tui.screens.test_new_run import dialog, live, submitted, until


async def test_a_command_pasted_on_the_main_screen_opens_the_dialog() -> None:
    async with staged(commands=FakeCommands()) as stage:
        stage.main.post_message(events.Paste("$ python train.py \\\n  --lr 1\x1b[31m\n"))
        await until(stage, lambda: isinstance(stage.pilot.app.screen, NewRun))
        assert dialog(stage).field("command").value == "python train.py --lr 1"


async def test_a_word_typed_after_a_dropped_file_is_a_word_of_its_own() -> None:
    async with staged(commands=FakeCommands()) as stage:
        stage.pilot.app.post_message(events.Paste("'/data/my set.py' "))
        await until(stage, lambda: isinstance(stage.pilot.app.screen, NewRun))
        await stage.pilot.press(*"--lr", "space")
        dialog(stage).field("command").post_message(events.Paste("'/data/a b' "))
        await stage.pilot.press("1")
        assert dialog(stage).field("command").value == "'/data/my set.py' --lr '/data/a b' 1"


async def test_pasting_into_a_field_gives_one_harmless_line() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n")
        dialog(stage).field("command").post_message(events.Paste("train.py \\\n--lr\x1b]0;x\x07 1"))
        await until(stage, lambda: dialog(stage).field("command").value != "")
        assert dialog(stage).field("command").value == "train.py --lr 1"


class SlowCommands(FakeCommands):
    """Submits only when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()

    async def submit(self, words: Sequence[str]) -> CommandResult:
        await self.free.wait()
        return await super().submit(words)


async def test_a_command_pasted_while_another_is_being_queued_is_queued_too() -> None:
    commands = SlowCommands()
    async with staged(commands=commands) as stage:
        stage.pilot.app.post_message(events.Paste("first.py"))
        await until(stage, lambda: isinstance(stage.pilot.app.screen, NewRun))
        for event in (events.Key("enter", None), events.Paste("second.py"), events.Key("enter", None)):
            stage.pilot.app.post_message(event)
        await asyncio.sleep(2 * LIMIT_SECONDS)
        commands.free.set()
        await until(stage, lambda: len(submitted(commands)) == 2)
        assert submitted(commands) == [("run", "first.py"), ("run", "second.py")]


async def test_what_is_typed_during_a_submission_that_hangs_stays_in_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_tui.tui.textual_patches.key_order.READY_SECONDS", 0.1)
    commands = SlowCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"first.py", "enter")
        stage.pilot.app.post_message(events.Paste("2"))
        await until(stage, lambda: dialog(stage).draft["command"] == "first.py2")
        commands.free.set()
        await until(stage, lambda: "queued abcd2345" in live(stage))
        assert dialog(stage).draft["command"] == "first.py2"


async def test_a_pasted_command_replaces_the_draft_and_ctrl_z_brings_it_back() -> None:
    async with staged() as stage:
        await stage.pilot.press("n", *"draft.py", "escape")
        stage.pilot.app.post_message(events.Paste("pasted.py"))
        await until(stage, lambda: isinstance(stage.pilot.app.screen, NewRun))
        assert dialog(stage).draft["command"] == "pasted.py"
        await stage.pilot.press("ctrl+z")
        assert dialog(stage).field("command").value == "draft.py"


async def test_a_pasted_path_with_blanks_is_quoted_if_there_is_such_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my runs" / "train it.py"
    path.parent.mkdir()
    path.write_text("")
    async with staged() as stage:
        await stage.pilot.press("n")
        field = dialog(stage).field("command")
        field.post_message(events.Paste(str(path)))
        await until(stage, lambda: field.value == f"'{path}'")
        await stage.pilot.press(*" --lr 1", "enter")
        await until(stage, lambda: ("run", str(path), "--", "--lr", "1") in stage.commands.calls)


@pytest.mark.parametrize(
    ("before", "pasted", "words"),
    [
        ("", "bash -c 'cd /tmp\npython3 a.py --lr 1'", ("--", "bash", "-c", "cd /tmp\npython3 a.py --lr 1")),
        ("", 'python3 -c "\nimport time\n# b\nprint(1)"', ("--", "python3", "-c", "\nimport time\n# b\nprint(1)")),
        ("a.py --note 'x ", "y\nz' --lr 1", ("a.py", "--", "--note", "x y\nz", "--lr", "1")),
    ],
)
async def test_newlines_in_a_quotation_stay_in_what_is_pasted(before: str, pasted: str, words: tuple[str, ...]) -> None:
    async with staged(size=(80, 24)) as stage:
        await stage.pilot.press("n", *before)
        dialog(stage).field("command").post_message(events.Paste(pasted))
        await until(stage, lambda: "⏎" in dialog(stage).field("command").value)
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(stage.commands)))
        assert submitted(stage.commands) == [("run", *words)]


async def test_an_argument_with_newlines_is_one_row_and_stays_as_it_is_while_it_is_edited() -> None:
    async with staged(size=(80, 24)) as stage:
        await stage.pilot.press("n", *"a.py", "down", *"--note '")
        table = dialog(stage).query_one(ArgumentTable)
        table.post_message(events.Paste("b\nc'"))
        await until(stage, lambda: "'b⏎c'" in table.shown_text)
        await stage.pilot.press("enter", "up", "end", "left", *"d", "enter")
        await until(stage, lambda: bool(submitted(stage.commands)))
        assert submitted(stage.commands) == [("run", "a.py", "--", "--note", "b\ncd")]
