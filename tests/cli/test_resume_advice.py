"""A warning before the start if no known way passes the script its checkpoint."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from backprop_tui.domain.run import Checkpoint
from backprop_tui.domain.status import Status
from tests.support.commands import Commands
from tests.support.runs import Runs

ADVICE = "its checkpoint is passed in BACKPROP_RESUME_FROM only"
REMEDY = "give --resume-arg '--your-flag {path}', or read the variable in the script"
OPTION = "parser.add_argument('--resume')"
SLICED = ("-d", "-m", "1", "--total-minutes", "3")


@pytest.mark.parametrize(
    ("source", "words", "resumes_by"),
    [
        ("print()", SLICED, None),
        ("print()", ("-d", "--until", "step=10"), None),
        ("LightningCLI(M, run=False)", SLICED, None),
        ("print()", (*SLICED, "--resume-arg", "--load={path}"), "--load={path}"),
        (OPTION, SLICED, "--resume {path}"),
        ("parser.add_argument('--resume-from')", SLICED, "--resume-from {path}"),
        ("import os; os.environ.get('BACKPROP_RESUME_FROM')", SLICED, "BACKPROP_RESUME_FROM"),
        ("BackupAndRestore('backup')", SLICED, "itself"),
    ],
)
def test_a_run_in_slices_warns_if_its_script_takes_no_checkpoint(
    obey: Commands, workplace: Path, source: str, words: tuple[str, ...], resumes_by: str | None
) -> None:
    (workplace / "train.py").write_text(source)
    result = obey("run", "train.py", *words, "--json")
    assert result.json["resumes_by"] == resumes_by
    expected = (
        ""
        if resumes_by
        else f"backprop-tui: train: no option that takes a checkpoint was found in its source: {ADVICE}"
    )
    assert result.err.startswith(expected)
    assert (REMEDY in result.err) == (resumes_by is None)
    assert obey("run", "train.py", "-d", "-m", "1").err == ""  # one timebox


def test_a_shell_script_that_does_not_pass_on_its_arguments_is_the_reason(obey: Commands, workplace: Path) -> None:
    (workplace / "train.py").write_text(OPTION)
    (workplace / "run.sh").write_text("python3 train.py --lr 1\n")
    err = obey("run", *SLICED, "run.sh").err
    assert 'run: its shell script does not pass on its arguments ("$@"), so --resume cannot be added' in err
    assert ADVICE in err
    (workplace / "run.sh").write_text('python3 train.py --lr 1 "$@"\n')
    assert obey("run", *SLICED, "run.sh").err == ""


def test_a_resume_warns_before_it_starts(obey: Commands, runs: Runs, workplace: Path) -> None:
    checkpoint = workplace / "c.pt"
    checkpoint.write_bytes(b"x")
    (workplace / "quiet.py").write_text("print()")
    (workplace / "clear.py").write_text(OPTION)
    for name in ("quiet", "clear"):
        command = ("python3", "-m", name)
        runs.ended(name, Status.TIMEBOXED, exit_code=None, spec={"command": command, "cwd": str(workplace)})
    assert obey("resume", "clear", "-d", "-r", "c.pt", "-m", "1").err == ""
    dry = obey("resume", "quiet", "--dry-run", "-r", "c.pt")
    queued = obey("resume", "quiet", "-d", "-r", "c.pt", "--json")
    assert ADVICE in dry.err
    assert REMEDY in queued.err
    assert queued.json["resumes_by"] is None
    (workplace / "quiet.py").write_text(OPTION)
    runs.ended("again", Status.TIMEBOXED, exit_code=None, spec={"command": command, "cwd": str(workplace)})
    assert obey.json("resume", "again", "-d", "-r", "c.pt")["resumes_by"] == "--resume {path}"


def test_the_commands_to_choose_from_are_the_last_lines(obey: Commands, runs: Runs, workplace: Path) -> None:
    paths = [workplace / name for name in ("model.bin", "ema.bin")]
    for path in paths:
        path.write_bytes(b"x")
    names = tuple(map(str, paths))
    saved = Checkpoint(path=names[0], saved_at=time.time(), step=10, candidates=names)
    runs.ended("ab12", Status.TIMEBOXED, exit_code=None, checkpoints=(saved,))
    message, *commands = obey("resume", "ab12", "-d").err.splitlines()
    assert message.endswith("; choose:")
    assert commands == [f"  backprop-tui resume ab12 --resume-from {name}" for name in names]
