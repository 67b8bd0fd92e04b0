"""The examples learn what they say, and tell of it at a rate that a reader can follow."""

from __future__ import annotations

import math
import time
from pathlib import Path

from tests.examples.scripts import Example, Transcript


def test_it_reaches_the_stated_accuracy_and_prints_at_most_20_lines_a_second(example: Example, tmp_path: Path) -> None:
    begun = time.monotonic()
    transcript = example.run(tmp_path, "--epochs", str(example.epochs_to_accuracy))
    assert transcript.exit_code == 0, transcript.complaint
    assert transcript.lines[-1]["event"] == "training_finished"
    assert transcript.lines[-1]["accuracy"] >= 0.97
    assert len(transcript.progress) <= 20 * (time.monotonic() - begun) + 1


def test_every_progress_line_has_the_step_the_epoch_and_the_metrics(uninterrupted: Transcript) -> None:
    keys = {"step", "epoch", "total_steps", "loss", "val_loss", "accuracy"}
    assert all(line.keys() == keys for line in uninterrupted.progress)
    assert [line["step"] for line in uninterrupted.progress] == list(range(1, 177))
    assert [line["epoch"] for line in uninterrupted.progress] == [(step - 1) // 44 + 1 for step in range(1, 177)]
    assert {line["total_steps"] for line in uninterrupted.progress} == {176}
    assert all(math.isfinite(line["loss"]) and 0 <= line["accuracy"] <= 1 for line in uninterrupted.progress)


def test_another_seed_makes_another_curve(example: Example, uninterrupted: Transcript, tmp_path: Path) -> None:
    other = example.run(tmp_path, "--epochs", "1", "--progress-every-seconds", "0", "--seed", "1")
    assert all(one["loss"] != two["loss"] for one, two in zip(uninterrupted.progress, other.progress, strict=False))


def test_a_wrong_number_is_refused_by_its_flag(example: Example, tmp_path: Path) -> None:
    refused = example.run(tmp_path, environment={"BACKPROP_CHECKPOINT_EVERY_SECONDS": "often"})
    assert refused.exit_code == 2
    assert "--checkpoint-every-seconds" in refused.complaint
