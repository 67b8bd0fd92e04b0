"""The New run dialog, driven by keys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.start_verdict import StartVerdict
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


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 14), (20, 5), (1, 1)])
async def test_it_opens_at_every_size(size: tuple[int, int]) -> None:
    async with staged(size=size, commands=FakeCommands()) as stage:
        await stage.pilot.press("n", *"x", *["down"] * 11)
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.pause()
        assert dialog(stage).field("command").value == "x"


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
