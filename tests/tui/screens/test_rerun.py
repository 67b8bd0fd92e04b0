"""A run as a form: rerun with a change, and the change of a waiting run, driven by keys."""

from __future__ import annotations

from typing import Any

import pytest

from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.tui.layout import ANY_ROWS
from backprop_tui.tui.panes.selected_run import CardBar
from backprop_tui.tui.run_requests import RunSource
from backprop_tui.tui.screens.edit_run import EditRun
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.start_verdict import StartVerdict
from backprop_tui.tui.widgets.argument_table import ArgumentTable
from backprop_tui.tui.widgets.line_widget import LineWidget
from backprop_tui.tui.widgets.log import LogView
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import dialog, live, until
from tests.tui.snapshots import ended, queued, running, snapshot

WORDS = ("-m", "20", "/w/train.py", "--", "--batch-size", "256", "--lr=1e-3", "--devices", "0,1", "data")
OOM = ("--batch-size", "256", "128")


def commands_for(words: tuple[str, ...] = WORDS, **fields: Any) -> FakeCommands:
    commands = FakeCommands()
    commands.source = RunSource(run_id="", name="train", words=words, syntax=OptionSyntax(), **fields)
    return commands


async def opened(stage: Stage, key: str = "N") -> ArgumentTable:
    await stage.pilot.press(key)
    await until(
        stage, lambda: isinstance(stage.pilot.app.screen, NewRun) and stage.pilot.app.screen.focused is not None
    )
    return dialog(stage).query_one(ArgumentTable)


def title(stage: Stage) -> str:
    return str(dialog(stage).query_one("#form").border_title)


async def queued_words(stage: Stage, commands: FakeCommands) -> tuple[object, ...]:
    await stage.pilot.press("enter")
    await until(stage, lambda: isinstance(stage.pilot.app.screen, MainScreen))
    (call,) = [call for call in commands.calls if call[0] in ("run", "change")]
    return call[1:]


def submitted_line(commands: FakeCommands) -> str:
    return " ".join(map(str, next(call for call in commands.calls if call[0] == "run")))


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.TIMEBOXED, Status.STOPPED, Status.LOST])
async def test_an_ended_run_is_opened_whatever_became_of_it(status: Status) -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old", status)), commands=commands) as stage:
        await opened(stage)
        assert "Rerun train · differs from old in 0" in title(stage)
        assert await queued_words(stage, commands) == WORDS


@pytest.mark.parametrize("run", [running("now"), queued("wait")])
async def test_an_unfinished_run_is_opened_too(run: Any) -> None:
    async with staged(snapshot(run), commands=commands_for()) as stage:
        await opened(stage)
        assert "Rerun train" in title(stage)


async def test_a_run_that_cannot_be_read_is_refused_with_the_reason() -> None:
    commands = FakeCommands()
    commands.unreadable = True
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        await stage.pilot.press("N")
        await until(stage, lambda: bool(stage.pilot.app._notifications))
        assert [note.message for note in stage.pilot.app._notifications] == ["run old cannot be read"]


async def test_the_advice_is_applied_and_ctrl_z_undoes_it() -> None:
    commands = commands_for(advised=OOM)
    async with staged(snapshot(ended("old", Status.FAILED)), commands=commands) as stage:
        table = await opened(stage)
        assert "--batch-size   256 → 128   advice: out of memory   ctrl+z" in table.shown_text
        rows = table.shown_text.splitlines()
        assert rows[-1].index("add an argument") == rows[0].index("256")
        assert "differs from old in 1" in title(stage)
        await stage.pilot.press("ctrl+z")
        assert "256 →" not in table.shown_text
        assert "differs from old in 0" in title(stage)
        await stage.pilot.press("ctrl+z")
        assert "nothing to undo" in live(stage)
        assert await queued_words(stage, commands) == WORDS


async def test_advice_about_the_default_of_the_script_adds_the_option() -> None:
    commands = commands_for(("/w/train.py", "--", "--lr", "1"), advised=OOM)
    async with staged(snapshot(ended("old", Status.FAILED)), commands=commands, size=(80, 24)) as stage:
        table = await opened(stage)
        assert "--batch-size   128   advice: out of memory   ctrl+z" in table.shown_text
        assert "differs from old in 1" in title(stage)
        assert (await queued_words(stage, commands))[-2:] == ("--batch-size", "128")


async def test_an_output_that_is_named_after_the_value_that_the_advice_changes_is_pointed_out() -> None:
    words = ("/w/train.py", "--", "--batch-size", "256", "--ckpt-dir", "ck/256-1")
    async with staged(snapshot(ended("old")), commands=commands_for(words, advised=OOM), size=(80, 24)) as stage:
        await opened(stage)
        assert "--ckpt-dir ck/256-1 has the old --batch-size in it: ck/128-1" in live(stage)


async def test_a_click_on_the_red_card_opens_it() -> None:
    async with staged(snapshot(ended("old", Status.FAILED)), commands=commands_for(advised=OOM)) as stage:
        await stage.pilot.click(CardBar)
        await until(stage, lambda: isinstance(stage.pilot.app.screen, NewRun))
        assert "Rerun train" in title(stage)


async def test_advice_about_another_value_is_not_applied() -> None:
    async with staged(snapshot(ended("old")), commands=commands_for(advised=("--batch-size", "512", "256"))) as stage:
        assert "256 →" not in (await opened(stage)).shown_text


async def test_a_value_is_changed_in_its_own_style() -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        table = await opened(stage)
        await stage.pilot.press("down", *"3e-4", "down", "end", *",2")
        assert "--lr           1e-3 → 3e-4" in table.shown_text
        assert "0,1 → 0,1,2" in table.shown_text  # it had commas before: one value
        assert "differs from old in 2" in title(stage)
        words = await queued_words(stage, commands)
        assert words[4:] == ("--batch-size", "256", "--lr=3e-4", "--devices", "0,1,2", "data")


async def test_tab_goes_through_every_argument_before_the_next_field() -> None:
    async with staged(snapshot(ended("old")), commands=commands_for()) as stage:
        table = await opened(stage)
        for _ in range(2):
            dialog(stage).set_focus(dialog(stage).field("command"))
            reached = []
            for _ in range(5):
                await stage.pilot.press("tab")
                reached.append("+" if table.row is None else table.row.name)
                assert table.has_focus
            assert reached == ["--batch-size", "--lr", "--devices", "", "+"]
            await stage.pilot.press("tab")
            assert dialog(stage).focused is dialog(stage).field("minutes")
        await stage.pilot.press("shift+tab", "shift+tab", "shift+tab", *"0,2")
        assert "0,1 → 0,2" in table.shown_text


async def test_each_step_can_be_undone() -> None:
    async with staged(snapshot(ended("old")), commands=commands_for()) as stage:
        table = await opened(stage)
        before = dialog(stage).field("command").value
        await stage.pilot.press(*"64", "down", "ctrl+d", "down", "down", "down", *"--wd 0.1", "up", "ctrl+o", *"new")
        assert dialog(stage).field("command").value == "/w/train.py --batch-size 64 --devices 0,1 data --wd 0.1"
        assert "--lr           1e-3 → removed" in table.shown_text
        assert "added" in table.shown_text
        assert dialog(stage).field("name").value == "new"
        await stage.pilot.press("ctrl+z")
        assert dialog(stage).field("name").value == ""
        await stage.pilot.press("ctrl+z", "ctrl+z", "ctrl+z")
        assert dialog(stage).field("command").value == before


@pytest.mark.parametrize("keys", [(), ("down",), ("down", *"3e-4"), (*["down"] * 4, *"--wd 0.1")])
async def test_ctrl_l_empties_the_form_from_every_row(keys: tuple[str, ...]) -> None:
    async with staged(snapshot(ended("old")), commands=commands_for()) as stage:
        await opened(stage)
        await stage.pilot.press(*keys, "ctrl+l", *"b.py --seed 1")
        assert dialog(stage).field("command").value == "b.py --seed 1"


async def test_ctrl_n_queues_the_argument_that_is_being_added() -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press(*["down"] * 4, *"--wd 0.1", "ctrl+n")
        await until(stage, lambda: any(call[0] == "run" for call in commands.calls))
        assert [call[-2:] for call in commands.calls if call[0] == "run"] == [("--wd", "0.1")]


async def test_an_argument_that_was_removed_is_put_back() -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("down", "ctrl+d", "ctrl+d")
        assert await queued_words(stage, commands) == WORDS


async def test_commas_in_a_value_make_a_sweep_and_ctrl_s_one_value() -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        table = await opened(stage)
        await stage.pilot.press(*"64,128,256")
        assert "256 → 64,128,256    sweep of 3, ctrl+s: one value" in table.shown_text
        await stage.pilot.press("ctrl+s")
        assert "one value, ctrl+s: sweep of 3" in table.shown_text
        await stage.pilot.press("ctrl+s", "down", *"1,2")
        words = await queued_words(stage, commands)
        assert words[2:6] == ("--sweep", "batch-size=64,128,256", "--sweep", "lr=1,2")
        assert words[8:] == ("--batch-size", "{batch-size}", "--lr={lr}", "--devices", "0,1", "data")


@pytest.mark.parametrize("value", ["[1,2]", "(1,2)", "'1,2'", "1,", "a,,b"])
async def test_lists_in_brackets_or_quotes_are_values(value: str) -> None:
    async with staged(snapshot(ended("old")), commands=commands_for()) as stage:
        table = await opened(stage)
        await stage.pilot.press("down", *value)
        assert "   sweep of" not in table.shown_text


async def test_commas_in_a_command_line_are_no_sweep() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --devices 0,1", "enter")
        assert (await queued_words(stage, commands)) == ("train.py", "--", "--devices", "0,1")


async def test_an_unclosed_quotation_is_an_error_below_its_row() -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        table = await opened(stage)
        for place, typed in ((0, "2 'a"), (4, "--n 'a")):
            table.go_to(place)
            await stage.pilot.pause()
            row = len(table.rows) if place else 0  # what follows the value is an argument now
            for leave in ("enter", "ctrl+n", "tab", "shift+tab"):
                await stage.pilot.press("ctrl+u", *typed)
                assert "No closing quotation" not in table.shown_text
                await stage.pilot.press(leave)
                assert "✗ No closing quotation" in table.shown_text.splitlines()[row + 1]
                assert table.size.height == len(table.rows) + 2
                assert table.has_focus
            await stage.pilot.press("'")
            assert "No closing quotation" not in table.shown_text
        assert not [call for call in commands.calls if call[0] == "run"]
        await stage.pilot.press("enter", "enter")
        await until(stage, lambda: any(call[0] == "run" for call in commands.calls))
        assert "--batch-size 2 a" in submitted_line(commands)
        assert submitted_line(commands).endswith("--n a")


@pytest.mark.parametrize(
    ("typed", "problem"),
    [("--wd 1 > log.txt", "> log.txt is not for the script"), ("--wd 1 | tee x", "| needs a shell")],
)
async def test_shell_syntax_among_added_arguments_is_refused_and_in_quotes_or_a_value_it_is_text(
    typed: str, problem: str
) -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        table = await opened(stage)
        table.go_to(4)
        await stage.pilot.press(*typed, "enter")
        assert f"✗ {problem}" in table.shown_text
        await stage.pilot.press("ctrl+u", *"--tag 'a|b'")
        table.go_to(0)
        await stage.pilot.press(*"1>2")
        assert (await queued_words(stage, commands))[4:] == (
            *("--batch-size", "1>2", "--lr=1e-3", "--devices", "0,1", "data", "--tag", "a|b"),
        )


async def test_ctrl_z_and_ctrl_d_drop_a_quotation_that_is_not_closed() -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        table = await opened(stage)
        await stage.pilot.press(*"'a", "enter", "ctrl+z")
        assert "No closing" not in table.shown_text
        assert dialog(stage).draft["command"].startswith("/w/train.py --batch-size 256 ")
        await stage.pilot.press(*"'a", "enter", "ctrl+d", "down")
        assert "No closing" not in table.shown_text
        assert "--lr=1e-3" in " ".join(map(str, await queued_words(stage, commands)))


@pytest.mark.parametrize("text", ["'", "train.py | tee x"])
async def test_rows_of_a_command_that_cannot_be_read_stay_as_they_are(text: str) -> None:
    async with staged(snapshot(ended("old")), commands=commands_for()) as stage:
        await opened(stage)
        dialog(stage).field("command").value = text
        await stage.pilot.pause()
        for key in ("ctrl+d", "ctrl+s"):
            await stage.pilot.press(key)
        assert dialog(stage).field("command").value == text


async def test_a_quotation_that_is_not_closed_is_refused_from_another_field_too() -> None:
    commands = commands_for()
    async with staged(snapshot(ended("old")), commands=commands) as stage:
        table = await opened(stage)
        await stage.pilot.press(*"'a")
        dialog(stage).set_focus(dialog(stage).field("minutes"))
        await stage.pilot.press("enter")
        assert "✗ No closing quotation" in table.shown_text
        assert "'a" in table.shown_text
        assert not [call for call in commands.calls if call[0] == "run"]


async def test_the_arrow_keys_enter_the_table_at_the_row_beside_the_field() -> None:
    async with staged(snapshot(ended("old")), commands=commands_for()) as stage:
        table = await opened(stage)
        for field, key, row in (("command", "down", 0), ("minutes", "up", 4), ("minutes", "shift+tab", 4)):
            table.go_to(2)
            dialog(stage).set_focus(dialog(stage).field(field))
            await stage.pilot.press(key)
            assert dialog(stage).focused is table
            assert table.row == (*table.rows, None)[row]


async def test_what_is_folded_says_what_is_in_it() -> None:
    words = ("--tag", "lm", "--env", "A=1", *WORDS)
    async with staged(snapshot(ended("old")), commands=commands_for(words)) as stage:
        await opened(stage)
        assert "▸ more  tags lm, options --env A=1" in dialog(stage).query_one("#more", LineWidget).shown_text
        assert not dialog(stage).field("tags").region
        await stage.pilot.press("ctrl+o")
        assert dialog(stage).field("tags").region


async def test_the_form_warns_of_options_that_are_not_kept() -> None:
    async with staged(snapshot(ended("old")), commands=commands_for(warning="--env TOKEN was given before")) as stage:
        await opened(stage)
        assert "--env TOKEN was given before" in live(stage)


async def test_a_waiting_run_that_would_become_a_sweep_does_not_keep_its_place() -> None:
    commands = commands_for()
    commands.verdict = StartVerdict(starts=0, runs=2, message="both slots busy")
    async with staged(snapshot(queued("wait")), commands=commands) as stage:
        await opened(stage, "e")
        await until(stage, lambda: "a waiting run cannot become a sweep" in live(stage))
        assert "keeps its place" not in live(stage)


async def test_a_waiting_run_is_changed_in_the_same_form() -> None:
    commands = commands_for()
    async with staged(snapshot(queued("wait")), commands=commands) as stage:
        await opened(stage, "e")
        assert "Edit train" in title(stage)
        await stage.pilot.press("enter")
        assert "nothing is changed yet" in live(stage)
        await until(stage, lambda: "it keeps its place in the queue" in live(stage))
        await stage.pilot.press(*"64")
        words = await queued_words(stage, commands)
        assert words[:2] == ("wait", "-m")
        assert words[5:7] == ("--batch-size", "64")


@pytest.mark.parametrize(
    ("run", "fields"),
    [
        (running("now"), {"name", "tags", "note", "minutes", "priority"}),
        (ended("old"), {"name", "tags", "note"}),
    ],
)
async def test_other_runs_show_only_what_can_be_changed(run: Any, fields: set[str]) -> None:
    async with staged(snapshot(run), commands=FakeCommands()) as stage:
        await stage.pilot.press("e")
        form = stage.pilot.app.screen
        assert isinstance(form, EditRun)
        assert form.values().keys() == fields


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 14), (20, 5), (1, 1)])
async def test_it_opens_at_every_size(size: tuple[int, int]) -> None:
    async with staged(snapshot(ended("old")), size=size, commands=commands_for(advised=OOM)) as stage:
        await opened(stage)
        await stage.pilot.press(*["down"] * 8, "ctrl+o")
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.pause()
        assert dialog(stage).field("command").value.startswith("/w/train.py --batch-size 128")


async def test_in_a_low_pane_the_card_keeps_its_advice_or_says_that_it_has_more() -> None:
    cause = Cause(kind="cuda_oom", evidence="torch.OutOfMemoryError: x", advice="use a smaller batch")
    failed = ended("oom", Status.FAILED, cause=cause)
    async with staged(snapshot(failed), size=(80, 24)) as stage:
        card = stage.selected.query_one("#card", LineWidget)
        for rows, words in ((7, ("advice", "resume", "(1 more line)")), (5, ("(3 more lines)",))):
            stage.selected.styles.height = rows
            await stage.pilot.pause()
            assert stage.selected.size.height == rows
            assert all(word in card.shown_text for word in words)


@pytest.mark.parametrize("rows", [ANY_ROWS, 4])
async def test_on_a_zoomed_log_the_card_is_one_line_where_it_would_hide_the_log(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogView, "content_rows", rows)
    cause = Cause(kind="cuda_oom", evidence="torch.OutOfMemoryError: x", advice="use a smaller batch")
    failed = ended("oom", Status.FAILED, cause=cause)
    for size, words in (((80, 24), "(3 more lines)" if rows == ANY_ROWS else "resume"), ((120, 60), "advice")):
        async with staged(snapshot(failed), size=size) as stage:
            card = stage.selected.query_one("#card", LineWidget)
            assert "advice" in card.shown_text
            await stage.pilot.press("tab", "plus")
            await stage.pilot.pause()
            assert words in card.shown_text
            await stage.pilot.press("4")
            assert "advice" in card.shown_text


async def test_arguments_typed_after_a_value_stay_in_its_row_until_that_is_left() -> None:
    async with staged() as stage:
        table = await opened(stage, "n")
        await stage.pilot.press(*"train.py --lr 1e-3 x", "tab", "end", *" --seed 42 --", "left", "left", *"--steps 10 ")
        assert dialog(stage).field("command").value == "train.py --lr 1e-3 x"
        await stage.pilot.press("down")
        await until(stage, lambda: len(table.rows) == 5)
        assert dialog(stage).draft["command"] == "train.py --lr 1e-3 --seed 42 --steps 10 -- x"


async def test_a_positional_argument_is_typed_anew_in_its_row_and_ctrl_z_drops_what_is_more_than_a_value() -> None:
    async with staged() as stage:
        table = await opened(stage, "n")
        await stage.pilot.press(*"train.py data --lr 1", "tab", "backspace", *"--out o", "ctrl+z", "ctrl+z")
        await until(stage, lambda: table.row is not None and "data" in table.line_text(0))
        assert dialog(stage).draft["command"] == "train.py data --lr 1"
        await stage.pilot.press(*"--out o", "enter")
        await until(stage, lambda: ("run", "train.py", "--", "--out", "o", "--lr", "1") in stage.commands.calls)
