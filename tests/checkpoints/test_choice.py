"""Which checkpoint a run resumes from."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.checkpoints.choice import CHANGED, choose, choose_without_disk
from backprop_tui.domain.checkpoint_saves import add_save
from backprop_tui.domain.run import Checkpoint


class Saves:
    """Saved files, recorded in the order in which they were saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints: tuple[Checkpoint, ...] = ()

    def save(self, name: str, at: float, *, written: bool = True) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x80\x02}.")
        saved = Checkpoint(path=str(path), step=None, saved_at=at, written=written)
        self.checkpoints = add_save(self.checkpoints, saved) if written else (*self.checkpoints, saved)

    def names(self) -> list[str]:
        return [os.path.basename(saved.path) for saved in self.checkpoints]

    def chosen(self) -> str | None:
        path = choose(self.checkpoints).path
        return None if path is None else os.path.relpath(path, self.folder)

    def candidates(self) -> list[str]:
        return [os.path.basename(path) for path in choose(self.checkpoints).candidates]


@pytest.fixture
def saves(tmp_path: Path) -> Saves:
    return Saves(tmp_path)


def test_an_announced_file_that_the_run_has_not_written_is_never_chosen(saves: Saves) -> None:
    saves.save("step_10.pt", 10.0)
    saves.save("last.pt", 20.0, written=False)
    assert saves.chosen() == "step_10.pt"
    judged = choose(saves.checkpoints).judged
    assert [(saved.sound, saved.written) for saved in judged] == [(True, True), (None, False)]
    assert choose_without_disk(judged).path == judged[0].path


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        ("model_epoch_3.pth", "ema_epoch_3.pth", "model_epoch_3.pth"),
        ("ema_300.pt", "model_300.pt", "model_300.pt"),
        ("model.pt", "training_state.pt", "training_state.pt"),
        ("mylora-000003.safetensors", "mylora-000003-state/model.safetensors", None),
        ("encoder_300.pt", "model_300.pt", "model_300.pt"),
        ("last.ckpt", "epoch=3-step=300.ckpt", "epoch=3-step=300.ckpt"),
        ("epoch=3-step=300.ckpt", "last.ckpt", "epoch=3-step=300.ckpt"),
        ("model_300.pt", "model_300_merged.safetensors", "model_300.pt"),
    ],
)
def test_files_saved_together_are_one_checkpoint(saves: Saves, first: str, second: str, chosen: str | None) -> None:
    saves.save(first, 10.0)
    saves.save(second, 10.5)
    if chosen is not None:
        assert saves.names() == [chosen]
        assert saves.chosen() == chosen


def test_saves_with_different_numbers_are_separate_checkpoints(saves: Saves) -> None:
    for number in range(3):
        saves.save(f"model_{number}00.pt", 10.0 + number / 2)
    assert len(saves.names()) == 3


@pytest.mark.parametrize(
    "names",
    [("encoder_3.pt", "decoder_3.pt"), ("actor.pt", "critic.pt"), ("3_net_G_A.pth", "3_net_G_B.pth")],
)
def test_among_equal_files_a_person_has_to_choose(saves: Saves, names: tuple[str, str]) -> None:
    for name in names:
        saves.save(name, 10.0)
    assert saves.chosen() is None
    assert saves.candidates() == sorted(names)
    question = choose(saves.checkpoints).question("r1")
    assert question is not None
    assert f"backprop-tui resume r1 --resume-from {saves.folder}/{names[0]}" in question
    assert names[0] in (choose(saves.checkpoints).advice() or "")


def test_a_later_save_has_its_own_candidates(saves: Saves) -> None:
    for at in (10.0, 60.0):
        for name in ("encoder.pt", "decoder.pt"):
            saves.save(name, at)
    assert len(saves.checkpoints) == 1
    assert saves.candidates() == ["decoder.pt", "encoder.pt"]


@pytest.mark.parametrize("name", ["ema_300.pt", "adapter_300.pt", "model_merged.pt"])
def test_exported_weights_are_not_resumed_from_without_asking(saves: Saves, name: str) -> None:
    saves.save(name, 10.0)
    assert saves.chosen() is None
    assert saves.candidates() == [name]


def test_the_best_checkpoint_comes_last(saves: Saves) -> None:
    saves.save("step_100.pt", 10.0)
    saves.save("best/best_model.pt", 60.0)
    assert saves.chosen() == "step_100.pt"
    os.unlink(saves.folder / "step_100.pt")
    assert saves.chosen() == "best/best_model.pt"


def test_what_another_run_may_have_written_is_not_used_unasked(saves: Saves) -> None:
    now = time.time()
    saves.save("step_10.pt", now - 100.0)
    saves.save("step_20.pt", now - 60.0)
    shared = replace(saves.checkpoints[1], shared_with=("b",))
    choice = choose((saves.checkpoints[0], shared))
    assert os.path.basename(choice.path or "") == "step_10.pt"
    assert choice.message().startswith(f": {saves.folder}/step_20.pt may be of run b; resuming from ")
    alone = choose((shared,))
    assert alone.path is None
    assert f"backprop-tui resume r1 --resume-from {saves.folder}/step_20.pt" in (alone.question("r1") or "")
    assert choose_without_disk((shared,)).path is None


def test_a_change_right_after_the_save_on_record_is_of_another_training(saves: Saves) -> None:
    now = time.time()
    saves.save("last.pt", now - 60.0)
    os.utime(saves.folder / "last.pt", (now - 59.9,) * 2)
    assert choose(saves.checkpoints, written_until=0.0).path is None


def test_what_another_training_wrote_after_the_end_is_not_used(saves: Saves) -> None:
    now = time.time()
    saves.save("step_10.pt", now - 100.0)
    saves.save("last.pt", now - 60.0)
    os.utime(saves.folder / "step_10.pt", (now - 100.0,) * 2)
    choice = choose(saves.checkpoints, written_until=now - 50.0)
    assert os.path.basename(choice.path or "") == "step_10.pt"
    assert choice.damaged == ((str(saves.folder / "last.pt"), CHANGED),)
    assert choice.question("r1") is None
    alone = choose(saves.checkpoints[1:], written_until=now - 50.0)
    assert alone.path is None
    assert f"backprop-tui resume r1 --resume-from {saves.folder}/last.pt" in (alone.question("r1") or "")
    assert choose(saves.checkpoints[1:], written_until=now).path == str(saves.folder / "last.pt")
