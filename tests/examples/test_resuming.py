"""A resumed run continues exactly as if it had never ended; an unsuitable checkpoint is rejected with a message."""

from __future__ import annotations

import signal
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.scripts import Example, Line, Transcript

EVERY_LINE = ("--epochs", "4", "--progress-every-seconds", "0")
# Slow enough that a signal sent at once arrives long before the last of the 176 steps.
PACED = (*EVERY_LINE, "--pace", "0.02")


def checkpoint_of_step_60(line: Line) -> bool:
    return line.get("event") == "checkpoint_saved" and line["step"] == 60


def progress_of_step_30(line: Line) -> bool:
    return "event" not in line and line["step"] == 30


@pytest.mark.parametrize("step", [50, 150], ids=["in the second epoch", "in the last epoch"])
def test_a_resumed_run_repeats_every_loss_exactly(
    example: Example, uninterrupted: Transcript, tmp_path: Path, step: int
) -> None:
    resumed = example.run(tmp_path, *EVERY_LINE, "--resume-from", uninterrupted.checkpoint_of(step))
    assert resumed.exit_code == 0, resumed.errors
    assert resumed.progress == uninterrupted.curve_after(step)
    assert resumed.lines[-1] == uninterrupted.lines[-1]


def test_a_resumed_run_repeats_every_loss_exactly_from_between_two_epochs(
    example: Example, uninterrupted: Transcript, tmp_path: Path
) -> None:
    first = example.run(tmp_path, "--epochs", "1", "--progress-every-seconds", "0")
    resumed = example.run(tmp_path, *EVERY_LINE, "--resume-from", first.last_checkpoint)
    assert first.progress[-1]["step"] == 44
    assert resumed.progress == uninterrupted.curve_after(44)


def test_a_killed_run_resumes_from_its_last_checkpoint_with_the_same_curve(
    example: Example, uninterrupted: Transcript, tmp_path: Path
) -> None:
    flags = (*PACED, "--checkpoint-every-steps", "20")
    killed = example.run_until(tmp_path, checkpoint_of_step_60, signal.SIGKILL, *flags)
    assert killed.exit_code == -signal.SIGKILL
    resumed = example.run(tmp_path, *EVERY_LINE, "--resume-from", killed.checkpoint_of(60))
    assert resumed.progress == uninterrupted.curve_after(60)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_saves_its_last_step_and_resumes_from_it_exactly(
    example: Example, uninterrupted: Transcript, tmp_path: Path, stop: signal.Signals
) -> None:
    stopped = example.run_until(tmp_path, progress_of_step_30, stop, *PACED)
    assert stopped.exit_code == 128 + stop, stopped.errors
    assert stopped.lines[-1] == {**stopped.checkpoints[-1], "step": stopped.progress[-1]["step"]}
    assert stopped.progress[-1]["step"] < 176
    resumed = example.run(tmp_path, *EVERY_LINE, environment={"BACKPROP_RESUME_FROM": stopped.last_checkpoint})
    assert stopped.progress + resumed.progress == uninterrupted.progress


def test_sigint_is_handled_although_the_parent_ignored_it(example: Example, tmp_path: Path) -> None:
    ignoring = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    stopped = example.run_until(tmp_path, progress_of_step_30, signal.SIGINT, *PACED, wrapper=ignoring)
    assert stopped.exit_code == 128 + signal.SIGINT
    assert stopped.lines[-1]["event"] == "checkpoint_saved"


def test_a_finished_run_that_is_resumed_only_reports_its_end(
    example: Example, uninterrupted: Transcript, tmp_path: Path
) -> None:
    resumed = example.run(tmp_path, *EVERY_LINE, "--resume-from", uninterrupted.last_checkpoint)
    assert resumed.exit_code == 0
    assert resumed.progress == []
    assert resumed.lines[-1] == uninterrupted.lines[-1]


def cut_short(intact: Path, bad: Path) -> None:
    bad.write_bytes(intact.read_bytes()[:-1000])


def flipped_bits(intact: Path, bad: Path) -> None:
    content = bytearray(intact.read_bytes())
    for position in range(100, len(content) - 2000):
        content[position] ^= 0xFF
    bad.write_bytes(content)


def text_file(intact: Path, bad: Path) -> None:
    bad.write_text("not a checkpoint")


def other_archive(intact: Path, bad: Path) -> None:
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("hello.txt", "not a checkpoint either")


def missing(intact: Path, bad: Path) -> None:
    return


@pytest.mark.parametrize("damage", [cut_short, flipped_bits, text_file, other_archive, missing])
def test_a_bad_checkpoint_is_rejected_with_its_path(
    example: Example, uninterrupted: Transcript, tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    intact = Path(uninterrupted.last_checkpoint)
    bad = tmp_path / intact.name
    damage(intact, bad)
    rejected = example.run(tmp_path, *EVERY_LINE, "--resume-from", str(bad))
    assert rejected.exit_code == 1
    assert rejected.lines == []
    assert rejected.errors.startswith(f"{example.name}: cannot resume: {bad} ")
    assert "Traceback" not in rejected.errors


@pytest.mark.parametrize(
    ("flag", "value"), [("--hidden", "7"), ("--lr", "0.5"), ("--batch-size", "8"), ("--seed", "3")]
)
def test_a_checkpoint_with_other_settings_is_rejected_naming_the_flag_that_differs(
    example: Example, uninterrupted: Transcript, tmp_path: Path, flag: str, value: str
) -> None:
    rejected = example.run(tmp_path, *EVERY_LINE, "--resume-from", uninterrupted.last_checkpoint, flag, value)
    assert rejected.exit_code == 1
    assert rejected.errors.rstrip().endswith(f"but this run has {flag} {value}")
