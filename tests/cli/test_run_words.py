"""Lines of `run` without `--` are completed, or refused with the line to type."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from backprop_tui.cli.parser import Invocation, parse
from backprop_tui.client.submit import plan
from backprop_tui.domain.errors import BackpropError, NotFound, UsageError
from tests.support.commands import Commands

NO_START = ("--no-ui", "--dry-run")


@pytest.fixture(autouse=True)
def files(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script, a file with the name of a program, and programs on PATH."""
    for name in ("train.py", "mine"):
        (workplace / name).write_text("#!/bin/sh\n")
    for name in ("python3", "torchrun", "mine", "venv/bin/python"):
        path = workplace / "programs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(workplace / "programs"))


def _parsed(line: str) -> Invocation:
    return parse(shlex.split(line))


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ("run python3 train.py --lr 0.1", "run -- python3 train.py --lr 0.1"),
        ("--no-ui run -m 30 python3 -m pkg.train -n 3", "--no-ui run -m 30 -- python3 -m pkg.train -n 3"),
        ("run -d torchrun --nproc-per-node 2 train.py --json", "run -d -- torchrun --nproc-per-node 2 train.py --json"),
        ("run 'python3 train.py --lr 0.1'", "run -- python3 train.py --lr 0.1"),
        ("run 'python3 train.py --lr 0.1' -m 5 --no-ui", "run -m 5 --no-ui -- python3 train.py --lr 0.1"),
        ("run 'train.py --name \"a|b\"'", "run train.py -- --name 'a|b'"),
        ("run A=1 python3 train.py", "run --env A=1 -- python3 train.py"),
        ("run 'A=1 B=2 python3 train.py'", "run --env A=1 --env B=2 -- python3 train.py"),
        ("run programs/venv/bin/python train.py -m 3", "run -- programs/venv/bin/python train.py -m 3"),
        ("run torchrun -m pkg.train -- --lr 1", "run -- torchrun -m pkg.train -- --lr 1"),
        ("run python3 -c 'print(1)' --", "run -- python3 -c 'print(1)' --"),
    ],
)
def test_unambiguous_lines_are_completed(typed: str, understood: str) -> None:
    completed, asked = _parsed(typed), _parsed(understood)
    assert completed.arguments.understood == f"backprop-tui {understood}"
    assert asked.arguments.understood is None
    assert vars(completed.arguments) | {"understood": None} == vars(asked.arguments)
    assert completed.options == asked.options


@pytest.mark.parametrize(
    "line",
    [
        "run train.py -m 5 --no-ui -n mine",
        "run -dm 5 -p2 train.py",
        "run mine -m 5",  # the file, not the program
        "run train.py -- --lr 0.1",
        "run -- python3 train.py",
        "run -m 5 train.py --resume-arg --load={path} -- a",
    ],
)
def test_complete_lines_are_unchanged(line: str) -> None:
    assert _parsed(line).arguments.understood is None


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("run train.py --lr 0.1", "run train.py -- --lr 0.1"),
        ("--no-ui run -m 5 train.py -p 2 --lr 'a b' -n x", "--no-ui run -m 5 train.py -p 2 -- --lr 'a b' -n x"),
        ("run train.py data --lr 1", "run train.py -- data --lr 1"),
        ("run train.py --lr 0.1 --no-ui -- --wd 1", "run train.py --no-ui -- --lr 0.1 --wd 1"),
        ("run --lr 0.1 train.py", "run train.py -- --lr 0.1"),
        ("run --lr 0.1 -d --config mine -m 5 train.py --wd 1", "run -d --config mine -m 5 train.py -- --lr 0.1 --wd 1"),
        ("run mine --lr 0.1", "run mine -- --lr 0.1"),
        ("run python3 train.py -- --lr 0.1", "run -- python3 train.py --lr 0.1"),
        ("run -m 30 min train.py -d", "run -m 30min train.py -d"),
        ("run -m pkg.train --lr 1", "run -- python3 -m pkg.train --lr 1"),
        ("run 'cd x && python3 train.py' -d", "run -d -- bash -c 'cd x && python3 train.py'"),
        ("run 'python3 train.py > log'", "run -- bash -c 'python3 train.py > log'"),
        ("run 'python3 train.py --lr $LR'", "run -- bash -c 'python3 train.py --lr $LR'"),
        ("run 'python3 train.py' --lr 3", "run -- python3 train.py --lr 3"),
        ("train.py --lr 1", "run train.py -- --lr 1"),
        ("--no-ui python3 train.py", "--no-ui run -- python3 train.py"),
        ("train.py", "run train.py"),
    ],
)
def test_ambiguous_lines_are_refused_with_the_line_to_type(typed: str, line: str) -> None:
    with pytest.raises(UsageError) as refused:
        _parsed(typed)
    assert str(refused.value).endswith(f": backprop-tui {line}")
    assert _parsed(line).arguments.understood is None


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("run train.py --max-parralel 3", "did you mean --max-parallel? Arguments of train.py come after --, so"),
        (
            "run train.py --older-than 3",
            "it is an option of backprop-tui clean. Arguments of train.py come after --, so",
        ),
        ("run -m ten train.py", "'ten': must be a number of minutes or a duration such as 45s, 90m or 1h30m, or"),
        ("run 'python3 \"train.py'", "no closing quotation"),
        ("run torchrum --nproc 2 train.py", "torchrum: not found"),
        ("run --lr 0.1 nothing.py", "unknown option --lr"),
    ],
)
def test_other_mistakes_are_named(typed: str, message: str) -> None:
    with pytest.raises(BackpropError, match=message.replace("?", r"\?")):
        _parsed(typed)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("run -- train.py", "run train.py"),
        ("run -m 5 -- train.py --lr '1 2'", "run -m 5 train.py -- --lr '1 2'"),
        ("run -- 'python3 train.py' --lr 1", "run -- python3 train.py --lr 1"),
        ("run -- 'train.py --lr 1'", "run train.py -- --lr 1"),
        ("run -n x -", "run -n x script.py"),
        ("run https://example.org/code/train.py -m 5", "run train.py -m 5"),
    ],
)
def test_what_is_no_program_and_no_script_is_not_found(typed: str, line: str) -> None:
    with pytest.raises(NotFound) as refused:
        _parsed(typed)
    assert str(refused.value).endswith(f": backprop-tui {line}")


def test_an_option_that_the_script_defines_is_no_misspelling(workplace: Path) -> None:
    (workplace / "train.py").write_text("parser.add_argument('--nam')\n")
    with pytest.raises(UsageError, match=r"^unknown option --nam; arguments of train.py come after --"):
        _parsed("run train.py --nam x")


def test_our_options_after_those_of_the_script_stay_ours_if_it_does_not_define_them(workplace: Path) -> None:
    (workplace / "train.py").write_text("parser.add_argument('--lr')\nparser.add_argument('--name')\n")
    with pytest.raises(UsageError) as refused:
        _parsed("run train.py --lr 1 -d --name x -m 5 --wd 2")
    assert str(refused.value).endswith(": backprop-tui run train.py -d -m 5 -- --lr 1 --name x --wd 2")


SOURCE = """
parser.add_argument("-n", "--name")
parser.add_argument("--json", action="store_true")
# parser.add_argument("--tag")
parser.add_argument("--max-minutes")
"""


@pytest.mark.parametrize(
    ("typed", "shared", "line"),
    [
        ("run train.py --name foo", "--name was read as an option", "run train.py -- --name foo"),
        (
            "run train.py -n foo -p 2 --json -- --lr 1",
            "-n, --json were read as options",
            "run train.py -p 2 -- -n foo --json --lr 1",
        ),
        ("run -d train.py --name=foo", "--name was read as an option", "run -d train.py -- --name=foo"),
    ],
)
def test_an_option_that_the_script_also_has_is_accepted_with_a_warning(
    workplace: Path, typed: str, shared: str, line: str
) -> None:
    (workplace / "train.py").write_text(SOURCE)
    warning = _parsed(typed).arguments.trailing.warning()
    assert warning.startswith(f"{shared} of backprop-tui; for train.py")
    assert warning.endswith(f": backprop-tui {line}")


@pytest.mark.parametrize(
    "typed",
    [
        "run --name foo train.py",
        "run train.py -- --name foo",
        "run train.py --tag x",
        "run train.py --max-minutes 5",  # is passed to the script too
    ],
)
def test_there_is_no_warning_for_other_options(workplace: Path, typed: str) -> None:
    (workplace / "train.py").write_text(SOURCE)
    trailing = _parsed(typed).arguments.trailing
    assert trailing is None or trailing.warning() is None


def test_the_warning_is_shown_with_the_run(obey: Commands, workplace: Path) -> None:
    (workplace / "train.py").write_text(SOURCE)
    result = obey("run", *NO_START, "train.py", "--name", "foo")
    line = "backprop-tui run --no-ui --dry-run train.py -- --name foo"
    assert result.err == (
        "backprop-tui: --name was read as an option of backprop-tui; for train.py, which has it too, type: "
        + line
        + "\n"
    )
    assert "run          foo\n" in result.out


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("--env CartPole-v1", "--env: 'CartPole-v1' is not NAME=VALUE"),
        ("--config base.yaml", "base.yaml:1: not valid TOML"),
        ("--config nowhere.yaml", "nowhere.yaml: there is no such file"),
        ("--python nosuch", "--python nosuch: no interpreter"),
        ("--cwd data", "--cwd data: there is no such directory"),
        ("-m medium", "-m/--max-run-minutes/--max-minutes: 'medium'"),
        ("--resume-from best", "--resume-from best: not found"),
        ("--framework jax", "-f/--framework: invalid choice: 'jax'"),
        ("--after=warmup", "--after warmup: no run 'warmup'"),
    ],
)
def test_a_wrong_value_after_the_script_may_be_meant_for_it(
    obey: Commands, workplace: Path, typed: str, problem: str
) -> None:
    (workplace / "base.yaml").write_text("lr: 3\n")
    after = obey("run", *NO_START, "train.py", *typed.split())
    assert after.code == 2
    assert problem in after.err
    assert after.err.endswith(f" type: backprop-tui run --no-ui --dry-run train.py -- {typed}\n")
    before = obey("run", *NO_START, *typed.split(), "train.py")
    assert problem in before.err or "-m is the timebox" in before.err
    assert "train.py -- " not in before.err


@pytest.mark.parametrize("word", ["", " ", "-", "'", "a b"])
def test_odd_words_are_refused_in_one_line(obey: Commands, word: str) -> None:
    result = obey("run", *NO_START, word)
    assert result.code in (2, 66)
    assert result.err.count("\n") == 1


def test_the_completed_line_is_shown_once(obey: Commands) -> None:
    result = obey("run", *NO_START, "--gpus", "0", "python3", "-m", "pkg.train")
    line = "backprop-tui run --no-ui --dry-run --gpus 0 -- python3 -m pkg.train"
    assert result.err.splitlines() == [f"understood as: {line}"]
    assert "run          train\n" in result.out


def test_the_new_run_dialog_completes_lines_too(session: object) -> None:
    from backprop_tui.cli.commands.run import parse_request

    request = parse_request(["-m", "5", "python3", "train.py"])
    assert (request.command, request.script) == (("python3", "train.py"), None)
    (run,) = plan(session, request).runs  # type: ignore[arg-type]
    assert run.name == "train"


def test_a_dry_run_claims_no_gpu_where_none_was_asked_for(obey: Commands, workplace: Path) -> None:
    (workplace / "train.py").write_text("print()")

    def conditions(*words: str) -> str:
        return next(line for line in obey("run", "--dry-run", *words, "train.py").lines if "starts when" in line)

    assert ", if there is a GPU, on it " in conditions()
    assert "GPU" not in conditions("--gpus", "0")
