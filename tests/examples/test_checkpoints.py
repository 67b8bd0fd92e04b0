"""Checkpoints are saved when they are due, where the supervisor looks, and only complete ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.examples.scripts import Example, Transcript

SHORT = ("--epochs", "1")  # 44 steps


def saved_steps(transcript: Transcript) -> list[int]:
    return [line["step"] for line in transcript.checkpoints]


def test_a_checkpoint_is_saved_at_each_interval_of_steps_and_at_the_end(uninterrupted: Transcript) -> None:
    assert saved_steps(uninterrupted) == [50, 100, 150, 176]


def test_without_an_interval_only_the_last_step_is_saved(example: Example, tmp_path: Path) -> None:
    transcript = example.run(tmp_path, *SHORT, "--checkpoint-every-seconds", "0")
    assert saved_steps(transcript) == [44]


def test_the_environment_sets_the_interval_and_a_flag_overrides_it(example: Example, tmp_path: Path) -> None:
    environment = {"BACKPROP_CHECKPOINT_EVERY_SECONDS": "0.000001"}
    assert saved_steps(example.run(tmp_path, *SHORT, environment=environment)) == list(range(1, 45))
    flags = (*SHORT, "--checkpoint-every-seconds", "3600")
    assert saved_steps(example.run(tmp_path, *flags, environment=environment)) == [44]


@pytest.mark.parametrize("limit", ["deadline", "minutes"])
def test_another_checkpoint_is_saved_shortly_before_the_deadline(example: Example, tmp_path: Path, limit: str) -> None:
    environment = {
        "deadline": {"BACKPROP_DEADLINE": f"{time.time() + 4:.3f}", "BACKPROP_MAX_MINUTES": "600"},
        "minutes": {"BACKPROP_MAX_MINUTES": "0.07"},
    }[limit]
    transcript = example.run(tmp_path, *SHORT, environment=environment)
    assert saved_steps(transcript) == [1, 44]


def test_checkpoints_go_to_the_run_directory_if_there_is_one(example: Example, tmp_path: Path) -> None:
    run_directory = tmp_path / "run"
    transcript = example.run(tmp_path, *SHORT, environment={"BACKPROP_RUN_DIR": str(run_directory)})
    (name,) = [path.name for path in (run_directory / "checkpoints").iterdir()]
    assert transcript.last_checkpoint == str(run_directory / "checkpoints" / name)


def test_checkpoints_go_to_the_working_directory_otherwise_by_absolute_path(example: Example, tmp_path: Path) -> None:
    transcript = example.run(tmp_path, *SHORT)
    assert Path(transcript.last_checkpoint).parent == tmp_path / "checkpoints"
    assert Path(transcript.last_checkpoint).is_file()


def test_a_save_without_enough_space_leaves_no_checkpoint_and_is_not_announced(
    example: Example, tmp_path: Path
) -> None:
    small_files_only = ("sh", "-c", 'ulimit -f 50; exec "$@"', "sh")  # at most 51,200 bytes with any block size
    transcript = example.run(tmp_path, *SHORT, wrapper=small_files_only)
    assert transcript.exit_code != 0
    assert len(transcript.progress) > 0
    assert transcript.checkpoints == []
    assert {path.suffix for path in (tmp_path / "checkpoints").iterdir()} <= {".tmp"}
