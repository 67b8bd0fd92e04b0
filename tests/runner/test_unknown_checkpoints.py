"""Files whose names say nothing: which of them are checkpoints, by what the log and other files show."""

from __future__ import annotations

import os
import time

import pytest

from tests.runner.scanned import Scanned, torch_save


@pytest.mark.parametrize("name", ["G_{}.pth", "{}.pth", "{:06d}.tar", "blob-{}", "run_{}.any"])
def test_files_with_unknown_names_are_checkpoints_if_their_number_follows_the_steps(
    watched: Scanned, name: str
) -> None:
    for step in (100, 200):
        watched.checkpoint_record.note_step(step)
        torch_save(watched.cwd / name.format(step))
        watched.scan_until_unchanged()
    assert watched.names() == [name.format(step) for step in (100, 200)]
    assert [saved.step for saved in watched.checkpoints] == [100, 200]


def test_files_with_unknown_names_that_follow_the_epochs_are_checkpoints_from_the_second_on(watched: Scanned) -> None:
    for epoch in (1, 2):
        watched.checkpoint_record.note_step(epoch * 500)
        time.sleep(0.3)
        torch_save(watched.cwd / f"resnet18-{epoch}.pth")
        watched.scan_until_unchanged()
        assert len(watched.names()) == (0 if epoch == 1 else 2)


def test_files_with_unknown_names_that_follow_one_another_at_once_are_several_checkpoints(watched: Scanned) -> None:
    for number in (1, 2, 3):
        watched.checkpoint_record.note_step(number * 500)
        time.sleep(0.3)
        torch_save(watched.cwd / f"blob{number}.pt")
        watched.scan_until_unchanged()
    assert watched.names() == ["blob1.pt", "blob2.pt", "blob3.pt"]


def test_a_small_number_that_is_the_step_by_chance_makes_no_checkpoint(watched: Scanned) -> None:
    watched.checkpoint_record.note_step(2)
    torch_save(watched.cwd / "corpus_v2.pt")
    watched.scan_until_unchanged()
    assert watched.names() == []


@pytest.mark.parametrize("name", ["agent.pkl", "model.pkl"])
def test_a_model_that_is_saved_again_and_again_is_a_checkpoint(watched: Scanned, name: str) -> None:
    for step in (10, 20):
        watched.checkpoint_record.note_step(step)
        time.sleep(0.3)
        torch_save(watched.cwd / name, step)
        watched.scan_until_unchanged()
    assert [(saved.step, os.path.basename(saved.path)) for saved in watched.checkpoints] == [(20, name)]


def test_of_files_in_directories_of_their_own_the_model_is_the_one_to_load(watched: Scanned) -> None:
    watched.checkpoint_record.note_step(30)
    for folder in ("ema", "model", "optimizer"):
        torch_save(watched.cwd / folder / "30.pt")
    watched.scan_until_unchanged()
    assert watched.names() == ["model/30.pt"]
    assert watched.checkpoints[0].candidates == ()


@pytest.mark.parametrize(
    "names",
    [
        "features.pkl",
        "data/shard_1.pt data/shard_2.pt",
        "samples_1.npz samples_2.npz",
        "preds_1.pkl preds_2.pkl",
        "history.pkl",
        "optimizer_1.pt optimizer_2.pt",
        "opt_20.pt optG_20.pt opt_d-00020.pt",
        "activations_20.pt attention_maps_20.npz grads_20.pt recon_20.pt video_20.zip grid_20.zip",
        "shard_1.pt shard_2.pt shard_3.pt",
        "figure_1.png figure_2.png",
        "yolo11n.pt",
    ],
)
def test_data_and_results_are_no_checkpoints(watched: Scanned, names: str) -> None:
    watched.checkpoint_record.note_step(20)
    for name in names.split():
        torch_save(watched.cwd / name)
    watched.scan_until_unchanged()
    watched.scan_until_unchanged()
    assert watched.names() == []
