"""The New run dialog, driven by keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual import events

from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import width_of
from backprop_tui.tui.screens.completion import Completion, Completions, draw_completions
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.start_verdict import StartVerdict
from backprop_tui.tui.textual_patches.key_order import LIMIT_SECONDS
from backprop_tui.tui.widgets.argument_table import ArgumentTable
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import RUNS, Stage, staged
from tests.tui.snapshots import queued, snapshot

REFUSAL = "script nix.py: not found; there is no such file in /home/anna"


async def until(stage: Stage, holds: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    for _ in range(1000):
        await stage.pilot.pause(0.02)
        if holds():
            return
    raise AssertionError("it did not come to that")


def dialog(stage: Stage) -> NewRun:
    screen = stage.pilot.app.screen
    assert isinstance(screen, NewRun)
    return screen


def live(stage: Stage) -> str:
    return dialog(stage).query_one("#status", LineWidget).shown_text


def submitted(commands: FakeCommands) -> list[tuple[object, ...]]:
    return [call for call in commands.calls if call[0] == "run"]


async def test_enter_queues_the_run_and_selects_it() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --lr 1", "down", "down", "down", *"60")
        await stage.pilot.press("ctrl+o", *"mine", "enter")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, MainScreen))
        assert submitted(commands) == [("run", "--name", "mine", "-m", "60", "train.py", "--", "--lr", "1")]
        await stage.becomes(snapshot(*RUNS[:3], queued("abcd2345", queue_position=2), *RUNS[3:]))
        assert stage.runs.selected == "abcd2345"


async def test_the_shell_line_and_the_verdict_follow_the_fields() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"train.py", "ctrl+o")
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


async def test_a_run_for_slurm_keeps_its_draft_when_slurm_refuses_it() -> None:
    refused = FakeCommands(CommandResult(done=False, message="sbatch: Invalid partition name specified"))
    async with staged(commands=refused) as stage:
        await stage.pilot.press("n", *"train.py", "ctrl+o")
        form = dialog(stage)
        form.field("launcher").value, form.field("partition").value = "slurm", "gpu"
        await stage.pilot.press("enter")
        await until(stage, lambda: "✗ sbatch: Invalid partition name specified" in live(stage))
        assert submitted(refused) == [("run", "--launcher", "slurm", "--slurm-partition", "gpu", "train.py")]
        assert (form.draft["command"], form.draft["partition"]) == ("train.py", "gpu")


async def test_the_fields_of_a_job_are_there_for_slurm_only() -> None:
    commands = FakeCommands()
    async with staged(commands=commands, size=(80, 24)) as stage:
        await stage.pilot.press("n", *"train.py", "ctrl+o")
        form = dialog(stage)
        await stage.pilot.pause()
        assert not form.field("qos").region
        form.field("launcher").value = "slurm"
        await stage.pilot.pause(0.1)
        for name, text in (("account", "lab"), ("qos", "high"), ("cpus", "4"), ("memory_gb", "8")):
            assert form.field(name).region
            form.field(name).value = text
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(commands)))
        words = ("--slurm-account", "lab", "--slurm-qos", "high", "--slurm-cpus", "4", "--slurm-memory-gb", "8")
        assert submitted(commands) == [("run", "--launcher", "slurm", *words, "train.py")]


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


async def test_shell_syntax_that_a_run_does_not_need_is_left_out() -> None:
    commands = FakeCommands()
    async with staged(commands=commands, size=(80, 24)) as stage:
        await stage.pilot.press("n")
        dialog(stage).field("command").value = "nohup python train.py --lr 1 > log.txt 2>&1 &"
        await until(stage, lambda: "left out: nohup > log.txt 2>&1 &" in live(stage))
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(commands)))
        assert submitted(commands) == [("run", "train.py", "--", "--lr", "1")]


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


async def test_ctrl_r_fills_in_recent_commands() -> None:
    commands = FakeCommands()
    commands.recent = [(), ("-m",), ("-m", "5", "/w/a.py"), ("/w/b.py", "--", "--lr", "1"), ("-m", "9", "/w/a.py")]
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", "ctrl+r")
        await until(stage, lambda: dialog(stage).field("command").value == "/w/a.py")
        assert dialog(stage).field("minutes").value == "5"
        await stage.pilot.press("ctrl+r")
        await until(stage, lambda: dialog(stage).field("command").value == "/w/b.py --lr 1")
        assert dialog(stage).field("minutes").value == ""
        await stage.pilot.press("ctrl+z")
        assert dialog(stage).field("command").value == ""


async def test_ctrl_r_without_any_command_says_so() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", "ctrl+r")
        await until(stage, lambda: "no recent commands" in live(stage))


async def test_ctrl_l_clears_the_form_and_ctrl_z_brings_it_back() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"train.py", "ctrl+l")
        assert dialog(stage).field("command").value == ""
        await stage.pilot.press("ctrl+z")
        assert dialog(stage).field("command").value == "train.py"


async def test_the_whole_command_is_visible() -> None:
    async with staged(commands=FakeCommands(), size=(80, 24)) as stage:
        await stage.pilot.press("n")
        line = "train.py " + " ".join(f"--option-{index} {index}" for index in range(8))
        dialog(stage).field("command").value = line
        await stage.pilot.pause()
        field = dialog(stage).field("command")
        shown = "".join(field.render_line(y).text for y in range(field.size.height))
        assert line in shown.replace(" ", "") or line.replace(" ", "") in shown.replace(" ", "")


async def test_the_default_timebox_is_named() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n")
        await until(stage, lambda: dialog(stage).field("minutes").placeholder == "10 (default)")


async def test_warnings_of_the_command_are_shown() -> None:
    commands = FakeCommands()
    commands.verdict = StartVerdict(starts=0, runs=1, message="both slots busy", warning="torch is not installed there")
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py")
        await until(stage, lambda: "waits: both slots busy" in live(stage))
        assert "torch is not installed there" in live(stage)


async def test_a_long_warning_that_is_cut_ends_in_a_mark() -> None:
    commands = FakeCommands()
    warning = " ".join(f"word{number}" for number in range(200))
    commands.verdict = StartVerdict(starts=1, runs=1, message="starts now", warning=warning)
    async with staged(size=(80, 24), commands=commands) as stage:
        await stage.pilot.press("n", *"train.py")
        await until(stage, lambda: "word1 " in live(stage))
        rows = live(stage).splitlines()
        last = next(index for index, row in enumerate(rows) if row.endswith(" …"))
        assert rows[last - 3].startswith("! word0")
        assert len(rows[last]) <= dialog(stage).text_width
        assert "starts now" in rows[last + 1]


@pytest.mark.parametrize(
    ("editor", "problem"),
    [
        ("nix-editor", "editor nix-editor: No such file"),
        ("true", "cannot open an editor in this"),
        ("vi 'x", "$VISUAL cannot be read"),
    ],
)
async def test_an_editor_that_cannot_be_opened_is_named(
    monkeypatch: pytest.MonkeyPatch, editor: str, problem: str
) -> None:
    monkeypatch.setenv("VISUAL", editor)
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"train.py")
        if problem.startswith("editor"):
            monkeypatch.setattr(stage.pilot.app, "suspend", nullcontext)
        await stage.pilot.press("ctrl+e")
        assert problem in live(stage)
        assert dialog(stage).field("command").value == "train.py"


async def test_the_command_is_edited_in_the_editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'train.py \\\\\\n --lr 2\\n' > $1\n")
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    async with staged(commands=FakeCommands()) as stage:
        monkeypatch.setattr(stage.pilot.app, "suspend", nullcontext)
        await stage.pilot.press("n", *"train.py", "ctrl+e")
        assert dialog(stage).field("command").value == "train.py --lr 2"


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


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 14), (20, 5), (1, 1)])
async def test_it_opens_at_every_size(size: tuple[int, int]) -> None:
    async with staged(size=size, commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"x", *["down"] * 11)
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.pause()
        assert dialog(stage).field("command").value == "x"


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


async def test_lists_in_a_typed_command_are_named_and_ctrl_s_makes_them_a_sweep() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --lr 1e-3,1e-2 --seed 0,1,2")
        assert "1 run; ctrl+s makes it a sweep of 6" in live(stage)
        table = dialog(stage).query_one(ArgumentTable)
        assert "one value, ctrl+s: sweep of 2" in table.shown_text
        assert "one value, ctrl+s: sweep of 3" in table.shown_text
        await stage.pilot.press("ctrl+s")
        assert "makes it a sweep" not in live(stage)
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(commands)))
        words = (
            "--sweep",
            "lr=1e-3,1e-2",
            "--sweep",
            "seed=0,1,2",
            "train.py",
            "--",
            "--lr",
            "{lr}",
            "--seed",
            "{seed}",
        )
        assert submitted(commands) == [("run", *words)]


async def test_a_refusal_is_shown_once() -> None:
    commands = FakeCommands(CommandResult(done=False, message=REFUSAL))
    commands.refusal = REFUSAL
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"nix.py")
        await until(stage, lambda: live(stage).count(REFUSAL[:20]) == 1)
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(commands)))
        await stage.pilot.pause()
        assert live(stage).count(REFUSAL[:20]) == 1


async def test_enter_names_the_choice_for_a_list_and_queues_the_text_when_it_is_pressed_again() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --lr 1e-3,1e-2 --seed 0,1,2", "enter")
        assert "enter again: 1 run with this text, ctrl+s: sweep of 6" in live(stage)
        assert not submitted(commands)
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(submitted(commands)))
        assert submitted(commands) == [("run", "train.py", "--", "--lr", "1e-3,1e-2", "--seed", "0,1,2")]


async def test_enter_does_not_ask_about_a_list_that_ctrl_s_decided() -> None:
    commands = FakeCommands()
    async with staged(commands=commands) as stage:
        await stage.pilot.press("n", *"train.py --seed 0,1,2", "ctrl+s", "ctrl+s", "enter")
        await until(stage, lambda: bool(submitted(commands)))
        assert submitted(commands) == [("run", "train.py", "--", "--seed", "0,1,2")]


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
