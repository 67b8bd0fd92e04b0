"""The New run dialog, driven by keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events

from backprop_tui.tui.commands import CommandResult
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import RUNS, Stage, staged
from tests.tui.snapshots import ended, queued, snapshot, stored

REFUSAL = "script nix.py: not found; there is no such file in /home/anna"


async def until(stage: Stage, holds: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    for _ in range(200):
        await stage.pilot.pause(0.02)
        if holds():
            return
    raise AssertionError("it did not come to that")


def dialog(stage: Stage) -> NewRun:
    found = stage.pilot.app.screen
    assert isinstance(found, NewRun)
    return found


def live(stage: Stage) -> str:
    return dialog(stage).query_one("#status", LineWidget).shown_text


def submitted(commands: FakeCommands) -> list[tuple[object, ...]]:
    return [call for call in commands.calls if call[0] == "run"]


async def test_enter_queues_the_run_and_selects_it() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --lr 1", "down", *"mine", "down", *"60")
        await stage.pilot.press("enter")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, MainScreen))
        assert submitted(commands) == [("run", "--name", "mine", "-m", "60", "train.py", "--", "--lr", "1")]
        await stage.becomes(snapshot(*RUNS[:3], queued("abcd2345", queue_position=2), *RUNS[3:]))
        assert stage.runs.selected == "abcd2345"


async def test_the_shell_line_and_the_verdict_follow_the_fields() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"train.py")
        assert "backprop-tui run train.py" in live(stage)
        await until(stage, lambda: "✓ starts now" in live(stage))
        assert "/py: the environment" in live(stage)


async def test_a_dry_run_is_made_only_for_the_final_fields() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py")
        await until(stage, lambda: "starts now" in live(stage))
        assert commands.calls == [("dry_run", "train.py")]


async def test_a_refusal_is_shown_and_the_dialog_stays_open() -> None:
    async with staged(commands=FakeCommands(CommandResult(done=False, message=REFUSAL))) as stage:
        await stage.pilot.press("n", *"nix.py", "enter")
        await until(stage, lambda: "✗ script nix.py: not found" in live(stage))


async def test_enter_without_a_command_sends_nothing() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", "enter")
        assert "a command is missing" in live(stage)
        assert commands.calls == []


async def test_an_unclosed_quotation_is_reported_and_not_sent() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py '", "enter")
        await until(stage, lambda: "No closing quotation" in live(stage))
        assert submitted(commands) == []


async def test_esc_keeps_the_draft_and_queueing_clears_it() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"train.py", "escape", "n")
        assert dialog(stage).field("command").value == "train.py"
        await stage.pilot.press("enter")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, MainScreen))
        await stage.pilot.press("n")
        assert dialog(stage).field("command").value == ""


async def test_ctrl_n_queues_and_keeps_the_dialog_open() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py", "ctrl+n")
        await until(stage, lambda: "queued abcd2345" in live(stage))
        assert len(submitted(commands)) == 1


async def test_copy_as_new_fills_in_the_fields_of_the_run() -> None:
    like = ended("nano", priority=3, tags=("lm", "two words"))
    commands = FakeCommands()
    commands.stored = stored("nano", priority=3, tags=("lm", "two words"))
    async with staged(snapshot(like), commands=commands) as stage:
        await stage.pilot.press("N")
        await stage.pilot.pause()
        found = dialog(stage).values()
        assert (found["command"], found["name"], found["priority"]) == ("python train.py", "nano", "3")
        assert found["tags"] == "lm 'two words'"
        assert found["more"] == "--cwd /home/anna"


async def test_ctrl_r_fills_in_recent_commands() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", "ctrl+r")
        assert dialog(stage).field("command").value == "python train.py"


async def test_tab_completes_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train_a.py", "train_b.py", "other.txt"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"tr")
        offered = dialog(stage).query_one("#hint", LineWidget)
        await until(stage, lambda: "train_a.py" in offered.shown_text)
        assert "other" not in offered.shown_text
        for expected in ("train_", "train_a.py", "train_b.py", "train_a.py"):
            await stage.pilot.press("tab")
            await stage.pilot.pause(0.1)
            assert dialog(stage).field("command").value == expected
        await stage.pilot.press(*" --lr 1", "tab")
        assert dialog(stage).focused is dialog(stage).field("name")


async def test_a_command_pasted_on_the_main_screen_opens_the_dialog() -> None:
    async with staged(commands=FakeCommands()) as stage:
        stage.main.post_message(events.Paste("$ python train.py \\\n  --lr 1\x1b[31m\n"))
        await until(stage, lambda: isinstance(stage.pilot.app.screen, NewRun))
        assert dialog(stage).field("command").value == "python train.py --lr 1"


async def test_pasting_into_a_field_gives_one_harmless_line() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n")
        dialog(stage).field("command").post_message(events.Paste("train.py \\\n--lr\x1b]0;x\x07 1"))
        await until(stage, lambda: dialog(stage).field("command").value != "")
        assert dialog(stage).field("command").value == "train.py --lr 1"


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 14), (20, 5), (1, 1)])
async def test_it_opens_at_every_size(size: tuple[int, int]) -> None:
    async with staged(size=size, commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"x", *["down"] * 11)
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.pause()
        assert dialog(stage).field("command").value == "x"
