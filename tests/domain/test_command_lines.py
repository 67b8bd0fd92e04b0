"""The target of a command line, and the name of its run."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.command_lines import (
    Target,
    TargetKind,
    find_target,
    name_of_path,
    shell_target,
)

SCRIPT, MODULE, PROGRAM = TargetKind.SCRIPT, TargetKind.MODULE, TargetKind.PROGRAM


def _target(line: str) -> Target:
    return find_target(shlex.split(line))


@pytest.mark.parametrize(
    ("line", "kind", "word", "name"),
    [
        ("python3 train.py --lr 1", SCRIPT, "train.py", "train"),
        ("python3.11 -u -W ignore tools/fit --lr 1", SCRIPT, "tools/fit", "fit"),
        ("python3 -m pkg.train", MODULE, "pkg.train", "train"),
        ("python -um pkg.train.__main__ -x", MODULE, "pkg.train.__main__", "train"),
        ("python3 pkg/__main__.py", SCRIPT, "pkg/__main__.py", "pkg"),
        ("torchrun --nproc-per-node 2 train.py --lr 1", SCRIPT, "train.py", "train"),
        ("torchrun -m --nproc-per-node 2 --standalone pkg.train", MODULE, "pkg.train", "train"),
        ("torchrun --nproc-per-node=2 train", PROGRAM, "train", "train"),
        ("accelerate launch --mixed_precision bf16 -m pkg.fit a", MODULE, "pkg.fit", "fit"),
        ("deepspeed --num_gpus=2 --module pkg.train", MODULE, "pkg.train", "train"),
        ("python -m torch.distributed.run --nproc-per-node 2 train.py", SCRIPT, "train.py", "train"),
        ("python -m accelerate.commands.launch -m pkg.train", MODULE, "pkg.train", "train"),
        ("conda run -n deepspeed --no-capture-output python -m pkg.train", MODULE, "pkg.train", "train"),
        ("uv run --with torch python train.py", SCRIPT, "train.py", "train"),
        ("uv run -m pkg.train", MODULE, "pkg.train", "train"),
        ("poetry run train --lr 1", PROGRAM, "train", "train"),
        ("pipenv run python train.py", SCRIPT, "train.py", "train"),
        ("srun -N 1 --gres=gpu:1 python -u train.py --init other.py", SCRIPT, "train.py", "train"),
        ("env A=1 nohup nice -n 10 numactl --localalloc stdbuf -oL python3 -m a.b", MODULE, "a.b", "b"),
        ("timeout 60 sleep 5", PROGRAM, "sleep", "sleep"),
        ("bash run.sh a b", SCRIPT, "run.sh", "run"),
        ("bash -lc 'cd sub && exec python train.py'", SCRIPT, "train.py", "train"),
        ("sh -c 'make data; make model'", PROGRAM, "make", "make"),
        ("python -c 'from pkg.fit import main; main()'", TargetKind.CODE, "from pkg.fit import main; main()", "fit"),
        ("python -c 'import time; time.sleep(4)'", TargetKind.CODE, "import time; time.sleep(4)", "inline"),
        ("fairseq-train data", PROGRAM, "fairseq-train", "fairseq-train"),
        ("./job --lr 1", PROGRAM, "./job", "job"),
    ],
)
def test_the_script_is_found_behind_interpreters_launchers_and_wrappers(
    line: str, kind: TargetKind, word: str, name: str
) -> None:
    target = _target(line)
    assert (target.kind, target.word, target.name) == (kind, word, name)


def test_variables_directory_and_arguments_of_the_script_are_known() -> None:
    target = _target("env PYTHONPATH=src A=1 uv run --directory sub python -m pkg.train --lr 1")
    assert (target.variables, target.directory) == ((("PYTHONPATH", "src"), ("A", "1")), "sub")
    assert (target.arguments, target.takes_arguments) == (("--lr", "1"), True)


RUN_SH = """#!/bin/bash
set -e
export PYTHONPATH=src
cd "$(dirname "$0")"
python prepare.py --out data  # once
exec torchrun --nproc-per-node 2 \\
    train.py --lr 1 \\
    "$@" 2>&1 | tee log.txt
"""


def test_a_shell_script_runs_the_command_that_gets_its_arguments() -> None:
    target = shell_target(RUN_SH, "/work")
    assert target is not None
    assert (target.word, target.directory, target.takes_arguments) == ("train.py", "/work", True)
    assert target.variables == (("PYTHONPATH", "src"),)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("python train.py --lr 1\n", "train.py"),  # keeps its arguments
        ('python train.py "$@"\npython evaluate.py "$@"\n', "evaluate.py"),  # an option of one is none of the other
        ("for s in 1 2; do python -m pkg.train --seed $s; done\n", "pkg.train"),
    ],
)
def test_a_shell_script_with_several_such_commands_takes_no_arguments(source: str, word: str) -> None:
    target = shell_target(source)
    assert target is not None
    assert (target.word, target.takes_arguments) == (word, False)


def test_inline_code_of_a_shell_passes_only_words_after_its_own_name() -> None:
    assert _target("""bash -c 'python train.py "$@"' _ --lr 1""").takes_arguments
    assert not _target("""bash -c 'python train.py "$@"'""").takes_arguments


def test_a_package_is_named_by_its_folder() -> None:
    assert [name_of_path(path) for path in ("a/b.py", "a/__main__.py", "__main__.py")] == ["b", "a", "__main__"]


@given(
    st.lists(st.sampled_from(["python", "-m", "-c", "torchrun", "bash", "a.py", "--", "x", "A=1", "'", "run", "uv"]))
)
def test_any_command_line_is_accepted(words: list[str]) -> None:
    assert find_target([*words, "end"]).name
    shell_target(" ".join(words))
