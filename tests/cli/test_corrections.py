"""Command lines as people type them who know other tools: understood, or answered with the line to type."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from backprop_tui.cli import corrections
from backprop_tui.cli.parser import COMMANDS, GLOBAL_OPTIONS, HELP, SYNONYMS, command_parser, load, parse
from backprop_tui.domain.errors import UsageError
from tests.support.commands import Commands
from tests.support.runs import Runs


@pytest.fixture(autouse=True)
def script(workplace: Path) -> None:
    (workplace / "train.py").write_text("")


def _refusal(line: str) -> str:
    with pytest.raises(UsageError) as refused:
        parse(shlex.split(line))
    return str(refused.value)


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("ls", "list"),
        ("ps -n 3", "list --limit 3"),
        ("--json ls --all", "--json list --all"),
        ("cancel x", "stop x"),
        ("rm x --yes", "remove x --yes"),
        ("-V", "--version"),
        ("version", "--version"),
        ("run train.py -V", "--version"),
        ("edit x -m 1h", "edit x --max-minutes 60"),
        ("edit x -n new", "edit x --name new"),
        ("run train.py --max-minutes 5", "run -m 5 train.py"),
    ],
)
def test_words_that_mean_the_same_are_understood(typed: str, same: str) -> None:
    understood, expected = parse(shlex.split(typed)), parse(shlex.split(same))
    assert understood.options == expected.options
    assert understood.execute is expected.execute
    ours, theirs = vars(understood.arguments), vars(expected.arguments)
    assert {**ours, "trailing": None} == {**theirs, "trailing": None} if theirs else not ours


@pytest.mark.parametrize(
    ("typed", "program"),
    [
        ("help", "backprop-tui"),
        ("help stop", "backprop-tui stop"),
        ("help ls", "backprop-tui list"),
        ("--help run", "backprop-tui run"),
        ("-h queue move", "backprop-tui queue move"),
        ("help help", "backprop-tui"),
    ],
)
def test_help_takes_a_command(typed: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(shlex.split(typed))
    assert capsys.readouterr().out.startswith(f"usage: {program} [")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("kill x", "with time to save: backprop-tui stop x; at once: backprop-tui stop --now x"),
        ("kill -9 x", "at once: backprop-tui stop --now x"),
        ("sweep train.py", "type: backprop-tui run train.py --sweep KEY=V1,V2"),
        ("priority x 5", "type: backprop-tui queue priority x 5"),
        (
            "restart x",
            "resume x; from the start, with its arguments: backprop-tui run --like x; a script: backprop-tui",
        ),
        ("rerun x", "from the start, with its arguments: backprop-tui run --like x"),
        ("rerun train.py", "a script: backprop-tui run train.py"),
        ("start train.py", "a script: backprop-tui run train.py"),
        ("start x", "a run that has ended: backprop-tui resume x; a paused run: backprop-tui continue x"),
        ("add train.py -- --lr 3", "type: backprop-tui run train.py -- --lr 3"),
        ("submit", "type: backprop-tui run SCRIPT"),
        ("sbatch -t 60 train.py", "type: backprop-tui run SCRIPT"),
        ("attach x", "type: backprop-tui logs -f x"),
        ("tail -n 5 -f x", "type: backprop-tui logs -f -n 5 x"),
        ("log x", "type: backprop-tui logs x"),
        ("delete x y", "type: backprop-tui remove x y"),
        ("info x", "type: backprop-tui status x"),
        ("watch", "type: backprop-tui status --watch"),
        ("nvidia-smi", "type: backprop-tui status"),
        ("squeue", "type: backprop-tui list"),
        ("scancel 123", "type: backprop-tui stop 123"),
        ("dashboard", "type: backprop-tui"),
        ("diff a b", "type: backprop-tui compare a b"),
        ("set max_parallel 3", "type: backprop-tui config set max_parallel 3"),
        ("rename x y", "type: backprop-tui edit RUN --name NAME"),
        ("-l", "type: backprop-tui list"),
        ("-k x", "at once: backprop-tui stop --now x"),
        ("queue list", "type: backprop-tui queue"),
        ("queue pause", "type: backprop-tui queue hold"),
        ("queue first x", "type: backprop-tui queue move RUN --to 1"),
        ("config get max_parallel", "type: backprop-tui config show"),
        ("config edit", "its file: backprop-tui config path"),
        ("config max_parallel=3", "type: backprop-tui config set max_parallel 3"),
    ],
)
def test_words_of_other_tools_are_answered_with_the_line(typed: str, answer: str) -> None:
    assert answer in _refusal(typed)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("lst", "did you mean list?"),
        ("rnu train.py", "did you mean backprop-tui run train.py?"),
        ("rnu", "did you mean run?"),
        ("RESUME x", "did you mean backprop-tui resume x?"),
        ("reusme x", "did you mean backprop-tui resume x?"),
        ("stpo x --now", "did you mean backprop-tui stop x --now?"),
        ("kil", "did you mean kill? With time to save: backprop-tui stop RUN; at once: backprop-tui stop --now RUN"),
        ("kil x", "did you mean kill? With time to save: backprop-tui stop x; at once: backprop-tui stop --now x"),
        ("resatrt x", "did you mean restart? From its newest checkpoint: backprop-tui resume x;"),
        ("cancle x", "did you mean backprop-tui cancel x?"),
        ("kill x --help", "at once: backprop-tui stop --now x"),
        ("timebox", "for what it means, type: backprop-tui help timebox"),
        ("what is a slice?", "for what it means, type: backprop-tui help slice"),
        ("x stop", "the command comes first: backprop-tui stop x"),
        ("-m 5 run train.py", "the command comes first: backprop-tui run -m 5 train.py"),
        ("-m 5 train.py", "the command comes first: backprop-tui run -m 5 train.py"),
        ("backprop-tui list", "the command comes first: backprop-tui list"),
        ("SEED=1 run train.py", "the command comes first: backprop-tui run SEED=1 train.py"),
        ("--list --all", "did you mean backprop-tui list --all?"),
        ("--detach train.py", "the command comes first: backprop-tui run --detach train.py"),
        ("'run train.py'", "the quotes make it one word, so type: backprop-tui run train.py"),
        ("'stop x' --now", "the quotes make it one word, so type: backprop-tui stop x --now"),
        ("'python3 train.py'", "the quotes make it one word, so type: backprop-tui run 'python3 train.py'"),
        ("export --csv", "did you mean --format csv?"),
        ("--jsn list", "did you mean --json?"),
        ("--headless", "did you mean --no-ui?"),
        ("-v", "did you mean --verbose or --version?"),
        ("-m 5", "it is an option of backprop-tui run, resume, edit"),
        ("queue mvoe", "did you mean move?"),
        ("queue 3", "ACTION: invalid choice: '3' (choose from"),
        ("queue move", "are required: RUN, --to; type: backprop-tui queue move RUN --to N"),
        ("queue priority x", "are required: N; type: backprop-tui queue priority RUN N"),
        ("config", "type: backprop-tui config {show,path,init,set,unset,check}"),
        ("config set max_parallel", "are required: VALUE; type: backprop-tui config set KEY VALUE"),
        ("completion", "type: backprop-tui completion {"),
        ("clean", "type: backprop-tui clean --older-than AGE"),
        ("resume", "type: backprop-tui resume RUN"),
        ("compare", "type: backprop-tui compare RUN"),
        ("list --failed", "did you mean --status failed?"),
        ("ls --running", "did you mean --status running?"),
        ("list --watch", "unknown option --watch; it is an option of backprop-tui status"),
        ("list -a", "did you mean --all?"),
        ("stop --force x", "did you mean --now?"),
        ("rm -f x", "did you mean --yes?"),
        ("logs --tail 5 x", "did you mean --lines?"),
        ("logs --watch x", "did you mean --follow?"),
        ("edit x --lr 3", "unknown option --lr; see: backprop-tui edit --help"),
        ("edit x --gpus 3", "it is an option of backprop-tui run, resume"),
        ("show x --metrics loss", "did you mean --metric?"),
        ("run --gpu 0 train.py", "did you mean --gpu-ids, or --gpus for a number of them?"),
        ("run --time 60 train.py", "did you mean --max-run-minutes?"),
        ("run --dependency x train.py", "did you mean --after?"),
        ("run --job-name x train.py", "did you mean --name?"),
        ("run --max_run_minutes 3 train.py", "did you mean --max-run-minutes?"),
        ("run --bg train.py", "did you mean --detach?"),
        ("run --memory 8G train.py", "did you mean --min-free-ram?"),
        ("clean --days 30", "unknown option --days; did you mean --older-than?"),
        ("clean --older 30d", "unknown option --older; did you mean --older-than?"),
        ("clean --foo 30d", "are required: --older-than; type: backprop-tui clean --older-than AGE"),
        ("queue move x --too 3", "unknown option --too; did you mean --to?"),
        ("run --time-box 5 train.py", "unknown option --time-box; did you mean --max-run-minutes?"),
        ("run --sweeps lr=1,2 train.py", "unknown option --sweeps; did you mean --sweep?"),
        ("list --status faild", "--status: 'faild' is not a status; use waiting"),
        ("list --status faild", "did you mean --status failed?"),
        ("export --format cvs", "did you mean --format csv?"),
        ("run --gpu-probe nvlm train.py", "--gpu-probe: invalid choice: 'nvlm'"),
        ("run --gpu-probe nvlm train.py", "did you mean --gpu-probe nvml?"),
        ("export --format tsvx", "--format: invalid choice: 'tsvx'"),
    ],
)
def test_mistakes_are_answered_with_what_was_meant(typed: str, answer: str) -> None:
    assert answer in _refusal(typed)


@pytest.mark.parametrize("line", ["helq run", "kill --help", "stpo --help", "--hlep run"])
def test_a_suggestion_prints_no_help(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _refusal(line)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("word", ["frobnicate", "x", "rum", "-z", "--lr"])
def test_there_is_no_guess_for_what_is_not_similar(word: str) -> None:
    assert "did you mean" not in _refusal(word)


def test_every_line_that_is_suggested_can_be_typed() -> None:
    examples = {"RUN": "x", "SCRIPT": "train.py", "N": "1", "VALUE": "3"}
    for words in corrections._WORDS.values():
        for answer in words.values():
            for line in [answer] if isinstance(answer, str) else answer.values():
                parse([examples.get(word, word) for word in line.split()])


def test_a_word_of_another_tool_is_listed_once_and_is_none_of_ours() -> None:
    listed = [word for words in corrections._WORDS[""] for word in words.split()]
    assert len(set(listed)) == len(listed)
    assert not set(listed) & {*COMMANDS, *SYNONYMS, HELP}


def test_options_that_are_suggested_exist() -> None:
    actions = [action for name in COMMANDS for action in command_parser(name, load(name)).actions()]
    options = {option for action in actions for option in action.option_strings} | set(GLOBAL_OPTIONS)
    assert {re.match(r"--[\w-]+", text)[0] for text in corrections._OPTION_WORDS} <= options  # type: ignore[index]


def test_list_takes_the_limit_by_the_usual_letter(obey: Commands, runs: Runs) -> None:
    for run_id in ("a1", "b2", "c3"):
        runs.ended(run_id)
    assert len(obey.json("list", "-n", "2")) == 2
