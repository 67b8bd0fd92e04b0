"""Keys and commands of the user: what they stand for, what is refused, and what becomes of the placeholders."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from backprop_tui.config.load import Settings, load
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.screens.help import Help
from backprop_tui.tui.screens.running_commands import OutputScreen, run_in_terminal
from backprop_tui.tui.theme import Preferences, load_preferences
from backprop_tui.tui.user_commands import MissingValue, UserCommand, textual_key, user_commands
from backprop_tui.tui.widgets.line_widget import ScrollView
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import until
from tests.tui.snapshots import ended, running, snapshot


def settings_of(directory: Path, text: str) -> Settings:
    path = directory / "config.toml"
    path.write_text(text)
    return load(environment={}, directory=str(directory), user_file=str(path))


def commands_of(directory: Path, text: str) -> list[UserCommand]:
    commands, problems = user_commands(settings_of(directory, text))
    assert problems == []
    return commands


def problem_of(directory: Path, text: str) -> str:
    commands, (problem,) = user_commands(settings_of(directory, text))
    assert commands == []
    assert problem.where.startswith(f"{directory}/config.toml:")
    assert problem.hint
    return str(problem)


def test_a_key_starts_an_action_a_command_or_a_command_line(tmp_path: Path) -> None:
    tables = '[[commands]]\nname = "size"\ncommand = "du -sh {run_dir}"\noutput = "screen"\n'
    keys = '[keys]\nf5 = "stop"\n"Ctrl+T" = "tensorboard --logdir {run_dir}"\nW = "size"\n'
    size, stop, board, by_key = commands_of(tmp_path, keys + tables)
    assert (size.name, size.key, size.output) == ("size", None, "screen")
    assert stop.action is not None
    assert (stop.action.id, stop.key, stop.name) == ("stop", "f5", "Stop the run, saving first")
    assert (board.line, board.key, board.shown_key) == ("tensorboard --logdir {run_dir}", "ctrl+t", "Ctrl+T")
    assert (by_key.line, by_key.key, by_key.output) == ("du -sh {run_dir}", "W", "screen")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[keys]\ns = "ls -l"', "/config.toml:2: the key s is in use (stop); choose another"),
        ('[keys]\n"?" = "ls -l"', "the key ? is in use (all keys); choose another"),
        ('[keys]\n"ctrl+c" = "ls -l"', "the key ctrl+c is in use (leave); choose another"),
        ('[keys]\nf5 = "stpo"', "f5 = 'stpo' is neither an action nor a command; did you mean stop?"),
        ('[keys]\n"hyper+x" = "ls -l"', "'hyper+x' is not a key"),
        ('[keys]\nsomewhere = "ls -l"', "'somewhere' is not a key"),
        (
            '[keys]\nf5 = "ls {rundir}"',
            "f5: ls {rundir}: {rundir} is not a placeholder; these are: {id}, {name}, {run_dir}",
        ),
        ('[keys]\nf5 = "ls \'x"', "No closing quotation"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_bound(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in problem_of(tmp_path, text)
    preferences = load_preferences(str(tmp_path / "config.toml"), {})
    assert [f"{tmp_path}/{line}" for line in preferences.command_problems] == [problem_of(tmp_path, text)]


def test_two_commands_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    commands, (problem,) = user_commands(settings_of(tmp_path, '[[commands]]\nname = "a"\ncommand = "ls"\n' * 2))
    assert [command.name for command in commands] == ["a"]
    assert "two commands have the name 'a'; rename one" in str(problem)


def test_each_problem_names_its_own_line(tmp_path: Path) -> None:
    wrong = '[[commands]]\nname = "a"\ncommand = "{x}"\n[[commands]]\nname = "b"\ncommand = "{y}"\n'
    _, problems = user_commands(settings_of(tmp_path, f'{wrong}\n[keys]\nf6 = "nope"\n"ctrl+t" = "no"\n'))
    assert [problem.where.rpartition(":")[2] for problem in problems] == ["1", "4", "9", "10"]


def test_a_key_cannot_be_used_twice(tmp_path: Path) -> None:
    tables = "".join(f'[[commands]]\nname = "{name}"\ncommand = "ls"\nkey = "f5"\n' for name in "ab")
    commands, (problem,) = user_commands(settings_of(tmp_path, tables))
    assert [command.name for command in commands] == ["a"]
    assert "the key f5 is in use (a); choose another" in str(problem)


def test_keys_have_the_names_of_textual() -> None:
    assert [textual_key(key) for key in ("W", "Ctrl+T", "F5", "?", "~")] == [
        "W",
        "ctrl+t",
        "f5",
        "question_mark",
        "tilde",
    ]


def test_placeholders_are_words_of_their_own() -> None:
    run = running("a", name="two words; rm -rf /", group="g")
    command = UserCommand(name="x", line="echo {name} --log={log} {id}")
    assert command.words(run) == ["echo", "two words; rm -rf /", "--log=/state/runs/a/output.log", "a"]


@pytest.mark.parametrize("code", ["sh -c 'echo {name}'", "sh -c 'echo \"{name}\"'", "watch 'du {name}'"])
def test_only_safe_values_become_part_of_code(code: str) -> None:
    command = UserCommand(name="x", line=code)
    assert command.words(running("a", name="lr=1e-3"))[-1] == shlex.split(code)[-1].replace("{name}", "lr=1e-3")
    with pytest.raises(
        MissingValue, match=r"\{name\} is '\$\(id\)', unsafe within quotes: give it as a word of its own"
    ):
        command.words(running("a", name="$(id)"))


def test_a_placeholder_without_a_value_is_named() -> None:
    with pytest.raises(MissingValue, match="This run has no group"):
        UserCommand(name="x", line="echo {group}").words(running("a"))
    with pytest.raises(MissingValue, match="Select a run first"):
        UserCommand(name="x", line="echo {id}").words(None)
    assert UserCommand(name="x", line="nvidia-smi").words(None) == ["nvidia-smi"]


def with_command(line: str, *, output: str = "screen") -> Preferences:
    command = UserCommand(name="mine", line=line, key="f5", shown_key="f5", output=output)
    return Preferences(glyphs=UNICODE, commands=(command,), command_problems=("config.toml:9: no such key",))


def ended_in(directory: Path) -> KnownRun:
    run = ended("a", Status.FAILED)
    return replace(run, record=run.record | {"cwd": str(directory)})


async def test_the_output_of_a_command_is_shown_on_a_screen(tmp_path: Path) -> None:
    run = ended_in(tmp_path)
    line = f"{sys.executable} -c 'import os, sys; print(os.getcwd(), sys.argv[1:])' {{id}}"
    async with staged(snapshot(run), preferences=with_command(line)) as stage:
        await stage.pilot.press("f5")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, OutputScreen))
        page = stage.pilot.app.screen.query_one(ScrollView)
        await until(stage, lambda: f"{tmp_path} ['a']" in page.shown_text)


async def output_of(stage: Stage, end: str) -> str:
    """The screen of a command, when its title says how it ended."""
    await stage.pilot.press("f5")
    await until(stage, lambda: isinstance(stage.pilot.app.screen, OutputScreen))
    page = stage.pilot.app.screen.query_one(ScrollView)
    await until(stage, lambda: f"mine: {end}" in page.shown_text)
    return page.shown_text


@pytest.mark.parametrize(
    ("code", "end", "output"),
    [
        ("print('fine')", "exit code 0", " fine\n"),
        ("print('so far', flush=True); exit(3)", "exit code 3", " so far\n"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL", ""),
        ("while True: print('many')", "ended after 1 MB of output", " many\n many\n"),
    ],
)
async def test_the_end_of_a_command_is_shown(tmp_path: Path, code: str, end: str, output: str) -> None:
    line = shlex.join([sys.executable, "-c", code])
    async with staged(snapshot(ended_in(tmp_path)), preferences=with_command(line)) as stage:
        assert output in await output_of(stage, end) + "\n"
        assert len(stage.pilot.app._notifications) <= 1  # that of the wrong key, for some seconds


async def test_leaving_the_output_ends_the_command(tmp_path: Path) -> None:
    line = "sh -c 'echo started; echo $$ > pid; sleep 60; true'"
    async with staged(snapshot(ended_in(tmp_path)), preferences=with_command(line)) as stage:
        await output_of(stage, "running, esc ends it")
        await until(stage, lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        pid = int((tmp_path / "pid").read_text())
        await stage.pilot.press("escape")
        assert stage.pilot.app.screen is stage.main
        await until(stage, lambda: not Path(f"/proc/{pid}").exists())


def test_ctrl_c_in_the_terminal_is_for_the_program() -> None:
    screen = MagicMock()
    before = signal.getsignal(signal.SIGINT)
    run_in_terminal(screen, ["sh", "-c", f"kill -INT {os.getpid()}; kill -INT $$"], program="a pager")
    assert screen.tell.call_args is None
    assert signal.getsignal(signal.SIGINT) is before


async def test_a_command_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    run = ended_in(tmp_path / "gone")
    async with staged(snapshot(run), preferences=with_command("echo {id}")) as stage:
        await stage.pilot.press("f5")
        expected = f"mine: {tmp_path}/gone was not found"
        await until(stage, lambda: expected in [note.message for note in stage.pilot.app._notifications])


async def test_a_wrong_key_is_reported_at_the_start_and_the_help_lists_the_others() -> None:
    async with staged(snapshot(running("a")), preferences=with_command("echo")) as stage:
        await until(stage, lambda: any("no such key" in note.message for note in stage.pilot.app._notifications))
        await stage.pilot.press("question_mark")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Help))
        await until(stage, lambda: "Your keys" in stage.pilot.app.screen.query_one(ScrollView).shown_text)
        assert "f5          mine" in stage.pilot.app.screen.query_one(ScrollView).shown_text
