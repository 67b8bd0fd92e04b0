"""Several command lines that are pasted at once become as many runs, after one question."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from textual import events

from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.screens.shell_line import join_lines, split_commands
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import dialog, live, submitted, until

LINES = "python train.py --lr 1\nA=0 python train.py --lr 2\nnohup python eval.py > log.txt &"


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        (LINES, ["python train.py --lr 1", "A=0 python train.py --lr 2", "nohup python eval.py > log.txt &"]),
        ("python a.py --text 'x; y' & python b.py # c ; d", ["python a.py --text 'x; y'", "python b.py # c ; d"]),
        ("python a.py;", ["python a.py;"]),
        *(
            (line, [line])
            for line in ("cd src; python a.py", "A=0 ; python a.py", "(python a.py; python b.py)", "a 'b;")
        ),
    ],
)
def test_a_line_is_split_at_its_commands_unless_it_needs_a_shell(line: str, commands: list[str]) -> None:
    assert split_commands(join_lines(line)) == commands


async def pasted(stage: Stage) -> None:
    stage.pilot.app.post_message(events.Paste(LINES))
    await until(stage, lambda: isinstance(stage.pilot.app.screen, NewRun))
    await until(stage, lambda: "3 runs, all start now" in live(stage))


async def test_three_pasted_commands_are_three_runs_after_one_question() -> None:
    commands = FakeCommands()
    async with staged(commands=commands, size=(80, 24)) as stage:
        await pasted(stage)
        await stage.pilot.press("enter")
        await until(stage, lambda: "enter again: 3 runs, one for each command" in live(stage))
        assert not submitted(commands)
        await stage.pilot.press("enter")
        await until(stage, lambda: stage.pilot.app.screen is stage.main)
        assert submitted(commands) == [
            ("run", "train.py", "--", "--lr", "1"),
            ("run", "--env", "A=0", "train.py", "--", "--lr", "2"),
            ("run", "eval.py"),
        ]


class SecondIsRefused(FakeCommands):
    async def submit(self, words: Sequence[str]) -> CommandResult:
        result = await super().submit(words)
        return CommandResult(done=False, message="the disk is full") if "2" in words else result


async def test_what_was_not_queued_stays_in_the_form() -> None:
    commands = SecondIsRefused()
    async with staged(commands=commands) as stage:
        await pasted(stage)
        await stage.pilot.press("enter", "enter")
        await until(stage, lambda: "the disk is full" in live(stage))
        assert "then: the disk is full" in live(stage)
        assert dialog(stage).draft["command"] == "A=0 python train.py --lr 2 ; nohup python eval.py > log.txt &"
