"""Typed or pasted command lines become words of `run`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.tui.screens.draft import (
    draft_of,
    in_terms_of_fields,
    left_out,
    line_of,
    parse_command,
    shell_line,
    words_of,
)
from backprop_tui.tui.screens.shell_line import join_lines
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


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        ("python train.py \\\n  --lr 1", "python train.py --lr 1"),
        ("python train.py\n  --lr 1\n  --seed 2", "python train.py --lr 1 --seed 2"),
        ("torchrun --nproc 2\ntrain.py --lr 1", "torchrun --nproc 2 train.py --lr 1"),  # a terminal wrapped it
        ("$ python a.py --lr 1\n$ python a.py --lr 2", "python a.py --lr 1 ; python a.py --lr 2"),
        ("# small\npython a.py\n\n# large\npython b.py", "python a.py ; python b.py"),
        ("# python a.py", "python a.py"),  # the prompt of root
        ("(base) me@host:~/x$ python a.py", "python a.py"),
        ("[me@host x]$ python a.py > log", "python a.py > log"),
        ("python a.py > log", "python a.py > log"),
        ("my-train --lr 1\nmy-train --lr 2", "my-train --lr 1 ; my-train --lr 2"),
        ("cd src\npython a.py", "cd src ; python a.py"),
        ("A=0 python a.py\nA=1 python a.py", "A=0 python a.py ; A=1 python a.py"),
        ("A=0\npython a.py", "A=0 python a.py"),
        ("python a.py &\npython b.py &", "python a.py & python b.py &"),
        ("cd src &&\npython a.py", "cd src && python a.py"),
        (
            "conda activate x\ncd src\nfor s in 1 2; do a $s; done",
            "conda activate x ; cd src ; for s in 1 2; do a $s; done",
        ),
        ("for s in 1 2; do\n  python a.py --seed $s\ndone", "for s in 1 2; do python a.py --seed $s ; done"),
        ("'/data/my set.py' ", "'/data/my set.py' "),  # a terminal puts a blank behind a dropped file
        (" --lr 1\n", " --lr 1"),
        ("bash -c 'cd /tmp\npython3 train.py --lr 1e-3'", "bash -c 'cd /tmp⏎python3 train.py --lr 1e-3'"),
        ('python3 -c "\nimport time\n# one\nprint(1)"', 'python3 -c "⏎import time⏎# one⏎print(1)"'),
        ("python3 -c 'if 1:\r\n\tprint(1)'", "python3 -c 'if 1:⏎␉print(1)'"),
        ("bash -c 'cd /tmp\npwd", "bash -c 'cd /tmp⏎pwd"),  # it is not closed yet
        (
            "# it's small\npython a.py --note 'a\nb' # it's\npython b.py",
            "python a.py --note 'a⏎b' ; python b.py",
        ),
        ("python a.py --note \\'\n--lr 1", "python a.py --note \\' --lr 1"),
        ('python a.py --note "a \\\nb"', 'python a.py --note "a b"'),
        ("python a.py --lr 1e\\\n-3", "python a.py --lr 1e-3"),
        ("$ python a.py \\\n> --lr 1", "python a.py --lr 1"),
        ("for s in 1 2; do python a.py --lr 1\n--seed $s; done", "for s in 1 2; do python a.py --lr 1 --seed $s; done"),
    ],
)
def test_pasted_lines_are_one_command_unless_they_begin_another(lines: str, joined: str) -> None:
    assert join_lines(lines) == joined


@pytest.mark.parametrize(
    ("typed", "idle", "why"),
    [
        (
            "nohup python train.py --lr 1 2>&1 > log.txt &",
            "nohup 2>&1 > log.txt &",
            "   runs go on without a terminal, and keep their log",
        ),
        (
            "python train.py --lr 1 >>log.txt 2>/dev/null </dev/null",
            ">>log.txt 2>/dev/null </dev/null",
            "   runs keep their log",
        ),
        ("python train.py &> 'my log' --lr 1 # baseline", "&> 'my log' # baseline", "   runs keep their log"),
        ("python train.py --lr 1 # lr > 1 diverges &", "# lr > 1 diverges &", ""),
        ("python train.py --lr 1;", ";", ""),
        ("python train.py --lr 1&", "&", "   runs go on without a terminal"),
    ],
)
def test_shell_syntax_without_effect_on_a_run_is_left_out_with_a_reason(typed: str, idle: str, why: str) -> None:
    assert words_of({"command": typed}) == ("train.py", "--", "--lr", "1")
    assert left_out(typed) == f"left out: {idle}{why}"
    assert not left_out("python train.py --lr 1")


@pytest.mark.parametrize(
    ("typed", "syntax"),
    [
        ("cd src && python train.py --lr 1 | tee log.txt", "&&"),
        ("cd src; python train.py", ";"),
        ("python train.py|tee log.txt", "|"),
        ("python train.py 2>&1|tee log.txt", "|"),
        ("python train.py < in.txt", "<"),
        ("python train.py > >(tee log.txt)", ">"),
        ("python train.py --out $HOME/out", "$HOME"),
        ('python train.py --out "it\'s ${RUN}"', "${"),
        ("python train.py --seed $(date +%s)", "$("),
        ("python train.py --seed `date +%s`", "`"),
    ],
)
def test_what_only_a_shell_can_do_is_refused_with_the_line_to_type(typed: str, syntax: str) -> None:
    with pytest.raises(ValueError, match="needs a shell") as refusal:
        words_of({"command": typed})
    assert str(refusal.value).startswith(f"{syntax} needs a shell")
    line = str(refusal.value).partition(", else: ")[2]
    assert words_of({"command": line}) == ("--", "bash", "-c", typed)


@pytest.mark.parametrize("line", ["python a.py --lr 1 ; python a.py --lr 2", "python a.py & python b.py &"])
def test_several_commands_are_refused_as_several_runs(line: str) -> None:
    with pytest.raises(ValueError, match="queue one at a time") as refusal:
        words_of({"command": line})
    assert words_of({"command": str(refusal.value).partition("as one run: ")[2]}) == ("--", "bash", "-c", line)


def test_quoted_shell_syntax_is_an_argument() -> None:
    arguments = ("a|b", "x > y", "$HOME", "#1", "it's $5 & `b`", "[1,2]", "*.csv", "{a,b}", "(0.9,1)", "lr=$")
    line = line_of(("train.py", *arguments))
    assert "[1,2] *.csv {a,b} (0.9,1) lr=$" in line
    assert words_of({"command": line}) == ("train.py", "--", *arguments)


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


_ODD = ["|", ">x", "&", "#", "$A", "a;b", "--", "~", "~/x", "file:///x", "--lr=1", "a,b", "", "{lr}", "a\nb", "\u3000"]
_PROGRAMS = ["python", "train.py", "A=1", "./go", "backprop-tui", "torchrun", "nohup"]
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


@pytest.mark.parametrize(
    ("problem", "shown"),
    [
        ("--gpus 2: there is 1; leave out --gpus", "GPUs: there is 1; leave out GPUs"),
        ("no Python found; name one with --python", "no Python found; name one with --python in the field Options"),
        (
            "too much; less with --min-free-ram GB, or so",
            "too much; less with --min-free-ram GB in the field Options, or so",
        ),
        ("no such option; did you mean --lr?", "no such option; did you mean --lr?"),
        ("--gpus x: wrong; backprop-tui run --gpus 2", "GPUs: wrong; backprop-tui run --gpus 2"),
    ],
)
def test_the_hint_of_a_refusal_names_fields_in_place_of_options(problem: str, shown: str) -> None:
    assert in_terms_of_fields(problem, {"gpus": "2"}) == shown
