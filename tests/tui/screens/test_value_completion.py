"""Values of options that take only some are completed, in the command and in the table of its arguments."""

from __future__ import annotations

from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.tui.start_verdict import StartVerdict
from backprop_tui.tui.widgets.argument_table import ArgumentTable
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import dialog, live, submitted, until


def knowing_choices() -> FakeCommands:
    commands = FakeCommands()
    syntax = OptionSyntax(choices={"--opt": ("adam", "adamw", "sgd")}, switches=frozenset({"--amp"}))
    commands.options = ("--opt", "--lr", "--epochs", "--amp")
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


async def test_options_that_are_all_shown_for_the_empty_word_are_taken_by_the_first_tab() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py")
        assert "--lr" not in hint(stage)
        await stage.pilot.press("space")
        await until(stage, lambda: "--opt" in hint(stage) and "tab completes" in hint(stage))
        await stage.pilot.press("tab")
        assert dialog(stage).field("command").value == "train.py --opt"
        await until(stage, lambda: "--epochs" in hint(stage))
        await stage.pilot.press("tab")
        assert dialog(stage).field("command").value == "train.py --lr"


async def test_no_option_is_offered_where_a_value_is_to_follow() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --lr")
        await stage.pilot.press("space")
        await stage.pilot.pause()
        assert "--epochs" not in hint(stage)
        await stage.pilot.press(*"1 --amp ")
        await until(stage, lambda: "--epochs" in hint(stage))
        await stage.pilot.press(*"--epochs=")
        await until(stage, lambda: "--opt" not in hint(stage))


async def test_the_row_that_adds_arguments_offers_options_and_tab_still_leaves_it() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --lr 1")
        table = dialog(stage).query_one(ArgumentTable)
        await stage.pilot.press("tab", "tab")
        assert table.row is None
        await until(stage, lambda: "--opt" in hint(stage) and "- begins one" in hint(stage))
        assert "--lr " not in hint(stage)  # it is given
        await stage.pilot.press("tab")
        assert dialog(stage).focused is dialog(stage).field("minutes")
        await stage.pilot.press("up", "-", "tab")
        await until(stage, lambda: "tab completes" in hint(stage))
        await stage.pilot.press("o", "tab", "space", "s")
        await until(stage, lambda: "sgd" in hint(stage))


async def test_an_offered_option_is_taken_by_a_click_into_the_empty_row() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --lr 1")
        await stage.pilot.press("tab", "tab")
        await until(stage, lambda: "--epochs" in hint(stage))
        await stage.pilot.click("#hint", offset=(hint(stage).index("--epochs") + 2, 0))
        table = dialog(stage).query_one(ArgumentTable)
        await until(stage, lambda: table.text_before_cursor == "--epochs")


async def test_an_option_that_is_begun_behind_a_value_is_completed_there() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --lr 1")
        table = dialog(stage).query_one(ArgumentTable)
        await stage.pilot.press("tab", *"2 --e")
        await until(stage, lambda: "--epochs" in hint(stage))
        await stage.pilot.press("tab")
        assert table.text_before_cursor == "2 --epochs"
        await stage.pilot.press(*" 3 --opt s")
        await until(stage, lambda: "sgd" in hint(stage))
        await stage.pilot.press("tab", "enter")
        await until(stage, lambda: bool(stage.commands.calls) and stage.commands.calls[-1][0] == "run")
        assert stage.commands.calls[-1][1:] == ("train.py", "--", "--lr", "2", "--epochs", "3", "--opt", "sgd")


async def test_a_negative_value_is_no_option() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --lr 1")
        await stage.pilot.press("tab", *"-")
        await stage.pilot.pause()
        assert "--epochs" not in hint(stage)


def status(stage: Stage) -> str:
    return " ".join(dialog(stage).query_one("#status", LineWidget).shown_text.split())


async def test_a_value_outside_the_choices_is_named_on_its_row_and_queued_only_when_enter_is_pressed_again() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --opt adamx --lr 1")
        table = dialog(stage).query_one(ArgumentTable)
        await until(stage, lambda: "adamx   ✗ none of adam, adamw, sgd" in table.shown_text)
        await until(stage, lambda: "! --opt adamx: none of adam, adamw, sgd" in status(stage))
        assert "starts now, but the script does not take these arguments" in status(stage)
        await stage.pilot.press("enter")
        await until(stage, lambda: "enter again queues it as it is: --opt adamx: none of" in status(stage))
        assert all(call[0] == "dry_run" for call in stage.commands.calls)
        await stage.pilot.press("enter")
        await until(stage, lambda: stage.commands.calls[-1] == ("run", "train.py", "--", "--opt", "adamx", "--lr", "1"))


async def test_a_value_that_is_being_typed_is_not_called_wrong_on_its_row() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --opt adam --lr 1")
        table = dialog(stage).query_one(ArgumentTable)
        await stage.pilot.press("tab", "a", "d")
        await until(stage, lambda: "train.py --opt ad " in dialog(stage).draft["command"])
        assert "✗" not in table.shown_text
        await stage.pilot.press("x")
        await until(stage, lambda: "✗ none of adam" in table.shown_text)


async def test_the_wrong_one_of_several_values_is_named() -> None:
    async with staged(commands=knowing_choices()) as stage:
        await typed(stage, "train.py --opt adam --lr 1")
        table = dialog(stage).query_one(ArgumentTable)
        await stage.pilot.press("tab", *"adam,lion")
        await until(stage, lambda: "✗ lion is none of adam, adamw, sgd" in table.shown_text)


def knowing_options() -> FakeCommands:
    commands = knowing_choices()
    syntax = OptionSyntax(options=frozenset({"--opt", "--lr"}), choices={"--opt": ("adam", "sgd")})
    commands.verdict = StartVerdict(starts=1, runs=1, message="starts now", syntax=syntax)
    return commands


async def test_what_is_typed_in_the_row_that_adds_arguments_is_judged_before_it_is_added() -> None:
    async with staged(commands=knowing_options(), size=(80, 24)) as stage:
        await typed(stage, "train.py")
        await stage.pilot.press("down", *"--lr 1,2")
        await until(stage, lambda: "--sweep" in stage.commands.calls[-1] and "lr=1,2" in stage.commands.calls[-1])
        assert dialog(stage).field("command").value == "train.py"
        await stage.pilot.press("ctrl+u", *"--lrr 1")
        assert "train.py defines no --lrr, but --lr" in live(stage)
        assert "starts now, but an option may be misspelled" in live(stage)
        await stage.pilot.press("ctrl+u", *"--opt x")
        assert "--opt x: none of adam, sgd" in live(stage)
        await stage.pilot.press("ctrl+z")
        assert "none of" not in live(stage)


async def test_enter_and_down_add_arguments_and_stay_in_the_empty_row_where_enter_submits() -> None:
    async with staged(commands=knowing_options()) as stage:
        await typed(stage, "train.py")
        table = dialog(stage).query_one(ArgumentTable)
        await stage.pilot.press("down", *"--lr 1")
        assert "enter add" in str(dialog(stage).query_one("#form").border_subtitle)
        for key, more, command in (
            ("enter", "--opt sgd", "train.py --lr 1"),
            ("down", "", "train.py --lr 1 --opt sgd"),
        ):
            await stage.pilot.press(key)
            await stage.pilot.pause()
            assert dialog(stage).field("command").value == command
            assert table.has_focus
            assert table.row is None
            assert table.text_before_cursor == ""
            await stage.pilot.press(*more)
        assert not submitted(stage.commands)
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(stage.commands)))
        assert submitted(stage.commands) == [("run", "train.py", "--", "--lr", "1", "--opt", "sgd")]


async def test_an_option_that_the_script_does_not_define_asks_as_a_wrong_choice_does() -> None:
    async with staged(commands=knowing_options(), size=(80, 24)) as stage:
        await typed(stage, "train.py --lrr 1")
        await stage.pilot.press("enter")
        await until(stage, lambda: "enter again queues it as it is: train.py defines no --lrr, but --lr" in live(stage))
        assert not submitted(stage.commands)
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(stage.commands)))


async def test_arguments_behind_a_value_are_added_once() -> None:
    async with staged(commands=knowing_options()) as stage:
        await typed(stage, "train.py --lr 1")
        await stage.pilot.press("tab", *"2 --opt sgd", "ctrl+n")
        await until(stage, lambda: bool(submitted(stage.commands)))
        await stage.pilot.press("up")
        assert dialog(stage).field("command").value == "train.py --lr 2 --opt sgd"
