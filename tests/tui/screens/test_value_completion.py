"""Values of options that take only some are completed, in the command and in the table of its arguments."""

from __future__ import annotations

from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.tui.start_verdict import StartVerdict
from backprop_tui.tui.widgets.argument_table import ArgumentTable
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import dialog, until


def knowing_choices() -> FakeCommands:
    commands = FakeCommands()
    syntax = OptionSyntax(choices={"--opt": ("adam", "adamw", "sgd")})
    commands.verdict = StartVerdict(starts=1, runs=1, message="starts now", syntax=syntax)
    return commands


def hint(stage: Stage) -> str:
    return dialog(stage).query_one("#hint", LineWidget).shown_text


async def typed(stage: Stage, text: str) -> None:
    """Opens the form, types a command and waits until its script was read."""
    await stage.pilot.press("n", *text)
    await until(stage, lambda: bool(dialog(stage).choices_of("--opt")))


async def test_tab_completes_the_value_of_an_option_in_the_command() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --opt")
        await stage.pilot.press("space", "s")
        await until(stage, lambda: "sgd" in hint(stage))
        assert "adam" not in hint(stage)
        await stage.pilot.press("tab")
        assert dialog(stage).field("command").value == "train.py --opt sgd"
        await stage.pilot.press(*",")
        await until(stage, lambda: "adamw" in hint(stage))
        await stage.pilot.press(*" --opt=a", "tab", "tab")
        await until(stage, lambda: dialog(stage).field("command").value == "train.py --opt sgd, --opt=adam")


async def test_tab_completes_the_value_of_an_argument_and_goes_on_from_a_whole_one() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --opt adam --lr 1")
        await stage.pilot.press("tab")
        table = dialog(stage).query_one(ArgumentTable)
        assert table.row is not None
        assert table.row.name == "--opt"
        await stage.pilot.press("s")
        await until(stage, lambda: "sgd" in hint(stage))
        await stage.pilot.press("tab")
        await until(stage, lambda: dialog(stage).draft["command"] == "train.py --opt sgd --lr 1")
        await stage.pilot.press("tab")
        await until(stage, lambda: table.row is not None and table.row.name == "--lr")


async def test_values_are_offered_once_the_script_was_read_without_another_key() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await stage.pilot.press("n", *"train.py --opt s")
        await until(stage, lambda: "sgd" in hint(stage))
