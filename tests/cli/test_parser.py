"""What was typed becomes global options, a command and its arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.cli.parser import COMMANDS, GlobalOptions, full_parser, load, parse
from backprop_tui.domain.errors import UsageError

ROOT = Path(__file__).parents[2]


def test_global_options_may_stand_before_and_after_the_command() -> None:
    typed = parse(["--json", "wait", "abc", "--verbose", "--config", "x.toml"])
    assert typed.options == GlobalOptions(json=True, verbose=True, config="x.toml")
    assert typed.arguments.runs == ["abc"]


def test_arguments_after_two_dashes_are_not_parsed() -> None:
    typed = parse(["run", "train.py", "-m", "5", "--", "--json", "--version", "--", "-m", "7"])
    assert typed.options == GlobalOptions()
    assert typed.arguments.after_dashes == ["--json", "--version", "--", "-m", "7"]
    assert typed.arguments.max_run_seconds == 300.0


def test_options_may_stand_on_both_sides_of_a_positional_argument() -> None:
    typed = parse(["run", "-m", "5", "train.py", "--no-ui", "-n", "mine"])
    assert (typed.arguments.script, typed.arguments.name) == ("train.py", "mine")
    assert typed.options.no_ui
    assert parse(["wait", "a", "--all", "b"]).arguments.runs == ["a", "b"]


def test_a_command_line_needs_no_script() -> None:
    typed = parse(["run", "--gpus", "0", "--", "torchrun", "--nproc-per-node", "2", "train.py"])
    assert typed.arguments.script is None
    assert typed.arguments.after_dashes == ["torchrun", "--nproc-per-node", "2", "train.py"]


def test_an_empty_command_line_has_no_command() -> None:
    assert parse([]).execute is None


def test_two_dashes_before_other_commands_keep_their_usual_meaning() -> None:
    assert parse(["wait", "--", "-odd-name"]).arguments.runs == ["-odd-name"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "did you mean run?"),
        (["train.py"], "backprop-tui run train.py"),
        (["--jsn", "list"], "unknown option --jsn before a command"),
        (["run", "train.py", "--max-parralel", "3"], "did you mean --max-parallel?"),
        (["run", "train.py", "--lr", "3"], "unknown option --lr"),
        (["run", "train.py", "more.py"], "unexpected argument more.py"),
        (["run", "train.py", "--config"], "--config needs a path"),
        (["run", "train.py", "-m"], "-m/--max-run-minutes/--max-minutes: expected one argument"),
        (["--", "python", "train.py"], "backprop-tui run -- COMMAND"),
        (["resume"], "RUN"),
    ],
)
def test_a_wrong_command_line_is_refused_with_advice(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(words)
    assert message in str(refused.value)


def test_an_option_cannot_be_abbreviated() -> None:
    with pytest.raises(UsageError, match="--max-run-min"):
        parse(["run", "train.py", "--max-run-min", "5"])


def test_help_is_printed_to_stdout_and_names_the_global_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["run", "--help"])
    message = capsys.readouterr().out
    assert "run [options] -- COMMAND" in message
    assert "--no-ui" in message


@pytest.mark.parametrize("words", [["--help"], ["config", "--help"]])
def test_a_group_without_a_description_has_none_in_the_help(words: list[str]) -> None:
    """In a process of its own, where nothing else has loaded argparse."""
    program = (sys.executable, "-m", "backprop_tui", *words)
    printed = subprocess.run(program, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "usage" in printed.lower()
    assert "None" not in printed


@pytest.mark.parametrize("name", ["run", "resume", "wait", "logs"])
def test_every_option_has_a_help_text(name: str) -> None:
    actions = _actions(name)
    assert [action.dest for action in actions if not action.help] == []
    assert all("SUPPRESS" not in action.help for action in actions)


def _actions(name: str) -> list[Any]:
    from backprop_tui.cli.parser import command_parser

    return list(command_parser(name, load(name)).actions())


def test_the_parser_of_everything_has_every_command_with_a_summary() -> None:
    overview = full_parser().format_help()
    assert [name for name in COMMANDS if f"    {name} " not in overview] == []
    assert "Also understood: ls, ps (list), " in " ".join(overview.split())
