"""The examples reach the stated accuracy, and print progress at a readable rate."""

from __future__ import annotations

import math
import time
from pathlib import Path

from tests.examples.scripts import Example, Transcript


def test_it_reaches_the_stated_accuracy_and_prints_at_most_20_lines_a_second(example: Example, tmp_path: Path) -> None:
    started = time.monotonic()
    transcript = example.run(tmp_path, "--epochs", str(example.epochs_to_accuracy))
    assert transcript.exit_code == 0, transcript.errors
    assert transcript.lines[-1]["event"] == "training_finished"
    assert transcript.lines[-1]["accuracy"] >= 0.97
    assert len(transcript.progress) <= 20 * (time.monotonic() - started) + 1


def test_every_progress_line_has_the_step_the_epoch_and_the_metrics(uninterrupted: Transcript) -> None:
    keys = {"step", "epoch", "total_steps", "loss", "val_loss", "accuracy"}
    assert all(line.keys() == keys for line in uninterrupted.progress)
    assert [line["step"] for line in uninterrupted.progress] == list(range(1, 177))
    assert [line["epoch"] for line in uninterrupted.progress] == [(step - 1) // 44 + 1 for step in range(1, 177)]
    assert {line["total_steps"] for line in uninterrupted.progress} == {176}
    assert all(math.isfinite(line["loss"]) and 0 <= line["accuracy"] <= 1 for line in uninterrupted.progress)


def test_another_seed_gives_another_curve(example: Example, uninterrupted: Transcript, tmp_path: Path) -> None:
    other = example.run(tmp_path, "--epochs", "1", "--progress-every-seconds", "0", "--seed", "1")
    assert [line["step"] for line in other.progress] == list(range(1, 45))
    assert all(
        line["loss"] != other_line["loss"]
        for line, other_line in zip(uninterrupted.progress, other.progress, strict=False)
    )


def test_a_wrong_number_is_rejected_naming_its_flag(example: Example, tmp_path: Path) -> None:
    rejected = example.run(tmp_path, environment={"BACKPROP_CHECKPOINT_EVERY_SECONDS": "often"})
    assert rejected.exit_code == 2
    assert "--checkpoint-every-seconds" in rejected.errors
