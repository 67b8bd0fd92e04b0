"""Completion of paths and options in the form for a new run."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import width_of
from backprop_tui.tui.screens.completion import Completion, Completions, draw_completions
from backprop_tui.tui.widgets.argument_table import ArgumentTable
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import staged
from tests.tui.screens.test_new_run import dialog, until


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
        assert isinstance(dialog(stage).focused, ArgumentTable)


async def test_tab_completes_the_options_of_the_script() -> None:
    commands = FakeCommands()
    commands.options = ("--lr", "--layers", "--seed")
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --l")
        hint = dialog(stage).query_one("#hint", LineWidget)
        await until(stage, lambda: "--layers" in hint.shown_text)
        assert "--seed" not in hint.shown_text
        for expected in ("train.py --lr", "train.py --layers"):
            await stage.pilot.press("tab")
            await stage.pilot.pause(0.05)
            assert dialog(stage).field("command").value == expected
        await stage.pilot.press(*" 2 --")
        await until(stage, lambda: "--seed" in hint.shown_text)
        assert "--layers" not in hint.shown_text  # it is given already


async def test_tab_on_dashes_alone_lists_all_options_before_it_takes_one() -> None:
    commands = FakeCommands()
    commands.options = (*(f"--option-{number}" for number in range(14)), "--lr")
    async with staged(commands=commands, size=(80, 24)) as stage:
        await stage.pilot.press("n", *"train.py --")
        hint = dialog(stage).query_one("#hint", LineWidget)
        await until(stage, lambda: "tab lists all" in hint.shown_text)
        assert hint.size.height == 1
        assert "--lr" not in hint.shown_text
        await stage.pilot.press("tab")
        await until(stage, lambda: "--lr" in hint.shown_text)
        assert all(option in hint.shown_text for option in commands.options)
        assert dialog(stage).field("command").value == "train.py --"
        await until(stage, lambda: hint.size.height == len(hint.shown_text.splitlines()) > 1)
        await stage.pilot.press("tab")
        assert dialog(stage).field("command").value == "train.py --option-0"


@pytest.mark.parametrize("width", [1, 20, 60])
def test_each_candidate_is_shown_when_tab_comes_to_it(width: int) -> None:
    completion = Completion()
    completion.show(Completions(typed="--", words=tuple(f"--{number}-option" for number in range(40))))
    for number in range(-1, 40):
        assert completion.next_word() == ("--" if number < 0 else f"--{number}-option")
        pieces = [piece for line in draw_completions(completion, width, UNICODE) for piece in line]
        assert sum(piece.chosen for piece in pieces) == (number >= 0)


def test_what_tab_does_is_never_cut() -> None:
    completion = Completion()
    completion.show(Completions(typed="--", words=tuple(f"--{number}-option" for number in range(40))))
    for width in range(40, 90):
        (line,) = draw_completions(completion, width, UNICODE)
        assert width_of(line) <= width


async def test_tab_completes_options_in_the_row_that_adds_arguments() -> None:
    commands = FakeCommands()
    commands.options = ("--lr", "--seed")
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --lr 1", "tab", "tab", *"--")
        hint = dialog(stage).query_one("#hint", LineWidget)
        await until(stage, lambda: "--seed" in hint.shown_text)
        await stage.pilot.press("tab", *" 3", "tab")
        await stage.pilot.pause()
        assert dialog(stage).draft["command"] == "train.py --lr 1 --seed 3"
        assert dialog(stage).focused is dialog(stage).field("minutes")


async def test_tab_visits_each_argument_row_and_then_the_next_field() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"train.py --lr 1 --seed 2 --amp")
        visited = []
        for _ in range(4):
            await stage.pilot.press("tab")
            row = dialog(stage).query_one(ArgumentTable).row
            visited.append("" if row is None else row.name)
        await stage.pilot.press("tab")
        assert visited == ["--lr", "--seed", "--amp", ""]
        assert dialog(stage).focused is dialog(stage).field("minutes")
