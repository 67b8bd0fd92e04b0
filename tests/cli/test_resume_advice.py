"""What is said before a start about checkpoints: how the script gets its own, where it saves, and from which."""

from __future__ import annotations

import shlex
import threading
import time
from pathlib import Path

import pytest

from backprop_tui.domain.run import Checkpoint, SharedDirectory
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from tests.support.commands import Commands
from tests.support.runs import Runs

ADVICE = "its checkpoint is passed in BACKPROP_RESUME_FROM only"
REMEDY = "give --resume-arg '--your-flag {path}', or read the variable in the script"
NEW_RUN = "a new run from the same checkpoint takes others"
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


TRAIN = "parser.add_argument('--epochs', default=4)\nparser.add_argument('--resume')"


@pytest.fixture
def completed(runs: Runs, workplace: Path) -> str:
    """A completed run with a checkpoint; the directory of its script."""
    (workplace / "train.py").write_text(TRAIN)
    checkpoint = workplace / "c 4.pt"
    checkpoint.write_bytes(b"\x80\x02}.")
    script = str(workplace / "train.py")
    command = ("python3", script, "--epochs", "4", "--note", "a b")
    runs.ended(
        "done",
        spec={"command": command, "script": script, "cwd": str(workplace)},
        step=400,
        checkpoints=(Checkpoint(path=str(checkpoint), step=400, saved_at=time.time() + 1, sound=True),),
    )
    return str(workplace)


@pytest.mark.parametrize(
    "words", [("--", "--epochs", "8"), ("--epochs", "8"), ("--dry-run", "--epochs", "8"), ("-d", "--", "--epochs", "8")]
)
def test_other_arguments_for_the_script_need_a_new_run_whose_line_is_given(
    obey: Commands, completed: str, words: tuple[str, ...]
) -> None:
    result = obey("resume", "done", *words)
    line = f"backprop-tui run --like done -r '{completed}/c 4.pt' -- --epochs 8"
    assert result.code == 2
    assert result.err.rstrip().endswith(f"resume keeps the arguments of the script; {NEW_RUN}: {line}")
    (row,) = [row for row in obey("--dry-run", *shlex.split(line)[1:]).lines if row.startswith("command")]
    assert "--epochs 8 --note 'a b'" in row


@pytest.mark.usefixtures("completed")
@pytest.mark.parametrize(("word", "hint"), [("--no-iu", "did you mean --no-ui?"), ("--zzz", "resume --help")])
def test_a_misspelled_option_of_ours_is_no_argument_of_the_script(obey: Commands, word: str, hint: str) -> None:
    result = obey("resume", "done", word)
    assert result.code == 2
    assert f"unknown option {word}; " in result.err
    assert hint in result.err


def test_the_resume_of_a_completed_run_says_so_and_how_to_train_longer(obey: Commands, completed: str) -> None:
    checkpoint = f"'{completed}/c 4.pt'"
    err = obey("resume", "done", "-d", "-m", "1").err
    assert f"run done completed at step 400; it starts again from {completed}/c 4.pt; to train longer: " in err
    assert f"backprop-tui run --like done -r {checkpoint} -- --epochs N" in err


def test_a_run_whose_checkpoints_have_no_owner_says_so_after_its_end(
    obey: Commands, runs: Runs, workplace: Path
) -> None:
    shared = SharedDirectory(folder="/w/ckpt", runs=("other",), files=("/w/ckpt/1.pt", "/w/ckpt/2.pt"))
    spec = {"command": ("true",), "cwd": str(workplace)}
    guardian = runs.guarded("poor", spec=spec, shared_directory=shared)
    threading.Timer(0.2, guardian.ends, [Status.STOPPED]).start()
    waited = obey("wait", "poor")
    reason = "2.pt and others in /w/ckpt may be of this run or of run other: not used; give each run its own"
    line = "backprop-tui resume poor --resume-from /w/ckpt/2.pt"
    assert reason in waited.err
    assert reason in obey("list", "poor").out
    status = obey("status", "poor").out
    assert reason in status
    assert f"if 2.pt is of this run: {line}" in status
    resumed = obey("resume", "poor", "-d", "-m", "1").err
    assert f"run poor starts from the beginning: {reason}" in resumed
    assert line in resumed


def test_a_checkpoint_that_a_later_run_has_on_record_too_is_not_picked_unasked(
    obey: Commands, runs: Runs, workplace: Path
) -> None:
    path = workplace / "step-5.pt"
    path.write_bytes(b"\x80\x02}.")
    saved = Checkpoint(path=str(path), step=5, saved_at=path.stat().st_mtime, sound=True)
    spec = {"command": ("true",), "cwd": str(workplace)}
    directories = [runs.ended(run_id, spec=spec, checkpoints=(saved,)) for run_id in ("early", "later")]
    index.update(runs.home, {str(shown["id"]): shown for shown in (each.shown() for each in directories)})
    refused = obey("resume", "early", "-d", "-m", "1")
    assert refused.code == 2
    assert "step-5.pt may be of run later; to go on from it nevertheless:" in refused.err
    assert obey("resume", "early", "-d", "-m", "1", "--resume-from", str(path)).code == 0


OUT = "parser.add_argument('--out', default='ckpt')"


@pytest.mark.parametrize(
    ("source", "words", "line"),
    [
        (OUT, (), "-- --out 'ckpt/{lr}-{seed}' --lr '{lr}' --seed '{seed}'"),
        (OUT, ("--", "--out", "x", "--lr", "{lr}"), "-- --out 'x/{lr}-{seed}' --lr '{lr}' --seed '{seed}'"),
        (OUT, ("--", "--out=m.pt"), "-- '--out=m-{lr}-{seed}.pt' --lr '{lr}' --seed '{seed}'"),
        ("p.add_argument('--save_dir', type=Path, default=Path('s'))", (), "-- --save_dir 's/{lr}-{seed}' --lr"),
        (OUT, ("--", "--out", "x/{seed}-{lr}"), None),
        (OUT + "; os.environ['BACKPROP_RUN_ID']", (), None),
        ("p.add_argument('--out')", (), None),
        ("p.add_argument('--save', action='store_true', default='x')", (), None),
        ("p.add_argument('--lr', default='x')", (), None),
    ],
)
def test_a_sweep_into_one_directory_is_warned_of_with_the_arguments_to_type(
    obey: Commands, workplace: Path, source: str, words: tuple[str, ...], line: str | None
) -> None:
    (workplace / "train.py").write_text(source)
    result = obey("run", "-d", "-m", "1", "--sweep", "lr=1,2", "--sweep", "seed=1..2", "train.py", *words)
    assert result.code == 0
    assert ("to give each run its own, end the line with: " in result.err) == (line is not None)
    if line is not None:
        assert result.err.count("for all 4 runs") == 1
        assert line in result.err
        arguments = shlex.split(result.err.partition("end the line with: ")[2].splitlines()[0])
        again = obey("run", "-d", "-m", "1", "--sweep", "lr=1,2", "--sweep", "seed=1..2", "train.py", *arguments)
        assert (again.code, "end the line with" in again.err) == (0, False)
    assert "end the line" not in obey("run", "-d", "-m", "1", "train.py").err


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
