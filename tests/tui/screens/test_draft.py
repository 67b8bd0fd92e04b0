"""Typed or pasted command lines become words of `run`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.tui.screens.draft import draft_of, in_terms_of_fields, join_lines, parse_command, shell_line, words_of
from backprop_tui.tui.start_verdict import StartVerdict


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("train.py", ("train.py",)),
        ("train.py --lr 3e-4", ("train.py", "--", "--lr", "3e-4")),
        ("train.py -- --lr 3e-4", ("train.py", "--", "--lr", "3e-4")),
        ("$ python3 train.py --lr 3e-4", ("train.py", "--", "--lr", "3e-4")),
        ("/env/bin/python train.py -x", ("--python", "/env/bin/python", "train.py", "--", "-x")),
        ("CUDA_VISIBLE_DEVICES=0 python train.py", ("--env", "CUDA_VISIBLE_DEVICES=0", "train.py")),
        ("torchrun --nproc 2 train.py", ("--", "torchrun", "--nproc", "2", "train.py")),
        ("python -m pkg.train", ("--", "python", "-m", "pkg.train")),
        ("backprop-tui run -m 60 train.py -- --lr 1", ("-m", "60", "train.py", "--", "--lr", "1")),
        ("'/my disk/train.py'", ("/my disk/train.py",)),
        ("./go.sh", ("./go.sh",)),
        ("", ()),
    ],
)
def test_a_command_line_is_parsed(typed: str, words: tuple[str, ...]) -> None:
    assert words_of({"command": typed}) == words


def test_a_dropped_file_is_its_path() -> None:
    assert parse_command("file:///my%20disk/train.py").script == "/my disk/train.py"


def test_a_tilde_is_the_home() -> None:
    assert parse_command("~/train.py").script == os.path.expanduser("~/train.py")


def test_continued_lines_are_joined() -> None:
    assert join_lines("> train.py \\\n  --lr 1 \\\n\n --seed 2") == "train.py --lr 1 --seed 2"


def test_fields_become_options_before_the_script() -> None:
    draft = {"command": "t.py -x", "after": "a b:any", "sweep": "lr=1,2 s=1..3", "tags": "#x 'y z'", "more": "--cwd /d"}
    assert shell_line(draft) == (
        "backprop-tui run --after a --after b:any --sweep lr=1,2 --sweep s=1..3 --tag x --tag 'y z' --cwd /d t.py -- -x"
    )


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), min_size=1))
def test_no_argument_is_lost_or_changed(arguments: list[str]) -> None:
    words = [f"a{word}" for word in arguments]
    assert parse_command(shlex.join(["t.py", *words])).arguments == tuple(words)


def test_a_verdict_counts_the_runs_that_could_start() -> None:
    reason = "needs 2 GPUs, 0 free"
    assert StartVerdict(starts=1, runs=3, message=reason).text == f"3 runs, 1 start now; the others wait: {reason}"
    assert StartVerdict(starts=0, runs=1, message=reason).text == f"waits: {reason}"
    assert StartVerdict(starts=2, runs=2, message="starts now").text == "2 runs, all start now"


_ODD = ["--", "~", "~/x", "file:///x", "--lr=1", "a,b", "", "{lr}", "a\nb", "\u3000"]
_PROGRAMS = ["python", "train.py", "A=1", "./go", "backprop-tui", "torchrun"]
_LETTERS = st.characters(
    max_codepoint=0x1FFF, exclude_categories=["Cs"], exclude_characters=[*map(chr, range(127, 160))]
)
_ARGUMENT = st.one_of(st.sampled_from(_ODD), st.text(_LETTERS, max_size=5))


@given(st.lists(_ARGUMENT, max_size=6))
def test_a_script_with_its_arguments_becomes_a_draft_and_back(arguments: list[str]) -> None:
    words = ("--name", "n", "--cwd", "/d", "/w/train.py", *(["--", *arguments] if arguments else []))
    assert words_of(draft_of(words)) == words


@given(st.lists(_ARGUMENT, max_size=6), st.sampled_from(_PROGRAMS))
def test_a_command_becomes_a_draft_and_back(arguments: list[str], program: str) -> None:
    words = ("--tag", "a b", "--env", "A=1", "--", program, *arguments)
    assert words_of(draft_of(words)) == words


@pytest.mark.parametrize(
    ("script", "command"), [("train.py", "train.py"), ("a/go", "a/go"), ("go", "./go"), ("/w/train.py", "/w/train.py")]
)
def test_a_draft_is_as_it_would_be_typed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    draft = draft_of(("--cwd", str(tmp_path), str(tmp_path / script), "--", "--cwd", "x"))
    assert draft == {"command": f"{command} --cwd x"}
    assert draft_of(("--cwd", "/d", "/w/train.py"))["more"] == "--cwd /d"


@pytest.mark.parametrize(
    ("field", "problem", "shown"),
    [
        (
            "minutes",
            "-m/--max-run-minutes/--max-minutes: '0,1': must be a number; see: backprop-tui run --help",
            "Stop after: '0,1': must be a number",
        ),
        (
            "vram",
            "--gpu-min-vram: 'x': must be a size; see: backprop-tui run --help",
            "VRAM at least: 'x': must be a size",
        ),
        (
            "after",
            "--after warmup: no run 'warmup'; backprop-tui list shows",
            "After: no run 'warmup'; backprop-tui list shows",
        ),
    ],
)
def test_a_refusal_names_the_field_in_place_of_its_option(field: str, problem: str, shown: str) -> None:
    assert in_terms_of_fields(problem, {field: "x"}) == shown
    assert in_terms_of_fields(problem, {"more": "--option of run"}) == problem
    assert in_terms_of_fields("train.py: not found", {field: "x"}) == "train.py: not found"
