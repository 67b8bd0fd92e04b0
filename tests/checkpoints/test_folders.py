"""Checkpoint directories are sound only if their framework finished writing them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_tui.checkpoints.soundness import HDF5_SIGNATURE, Sound, judge


def safetensors(path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))


@pytest.fixture
def trainer(tmp_path: Path) -> Path:
    """As Hugging Face Trainer leaves it, sharded."""
    folder = tmp_path / "checkpoint-20"
    folder.mkdir()
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for shard in shards:
        safetensors(folder / shard)
    index = {"metadata": {}, "weight_map": dict(zip("ab", shards, strict=True))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "training_args.bin").write_bytes(b"\x80\x02}.")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 20}))
    return folder


def reason(path: Path) -> str:
    verdict = judge(str(path))
    return "" if isinstance(verdict, Sound) else verdict.reason


def test_a_complete_checkpoint_is_sound(trainer: Path) -> None:
    assert reason(trainer) == ""


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "trainer_state.json").unlink(), "trainer_state.json, which is saved last"),
        (lambda folder: (folder / "trainer_state.json").write_text('{"global_st'), "its JSON does not end"),
        (lambda folder: (folder / "model-00002-of-00002.safetensors").unlink(), "model-00002-of-00002.safetensors"),
        (lambda folder: (folder / "checkpoint-is-incomplete.txt").touch(), "checkpoint-is-incomplete.txt"),
        (lambda folder: (folder / "model-00001-of-00002.safetensors").write_bytes(b"123"), "cut short"),
        (lambda folder: [path.unlink() for path in folder.glob("model*")], "has no weights"),
    ],
)
def test_an_incomplete_checkpoint_names_the_missing_part(
    trainer: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(trainer)
    assert message in reason(trainer)


def test_a_distributed_checkpoint_needs_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "__0_0.distcp").write_bytes(b"part")
    assert ".metadata" in reason(tmp_path)
    (tmp_path / ".metadata").write_bytes(b"\x80\x02}.")
    assert reason(tmp_path) == ""


def test_a_checkpoint_newer_than_the_tracker_is_not_complete(tmp_path: Path) -> None:
    for number in (100, 200):
        part = tmp_path / f"iter_{number:07}" / "mp_rank_00" / "model_optim_rng.pt"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"\x80\x02}.")
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("100")
    assert reason(tmp_path / "iter_0000100") == ""
    assert "latest_checkpointed_iteration.txt says 100" in reason(tmp_path / "iter_0000200")


@pytest.mark.parametrize(("version", "width_at", "end_at"), [(0, 13, 40), (2, 9, 28), (3, 9, 28)])
def test_an_hdf5_file_shorter_than_declared_is_cut(tmp_path: Path, version: int, width_at: int, end_at: int) -> None:
    superblock = bytearray(64)
    superblock[:8] = HDF5_SIGNATURE
    superblock[8], superblock[width_at] = version, 8
    superblock[end_at : end_at + 8] = (164).to_bytes(8, "little")
    path = tmp_path / "model.weights.h5"
    path.write_bytes(bytes(superblock) + bytes(100))
    assert reason(path) == ""
    path.write_bytes(bytes(superblock) + bytes(99))
    assert "cut short" in reason(path)


def write_all(folder: Path, names: str) -> Path:
    for name in names.split():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".safetensors"):
            safetensors(path)
        else:
            path.write_bytes(b"\x80\x02}.")
    return folder


@pytest.mark.parametrize(
    ("names", "last"),
    [
        ("model-00001-of-00003.safetensors model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"),
        (
            "zero_pp_rank_0_mp_rank_00_states.pt zero_pp_rank_2_mp_rank_00_states.pt",
            "zero_pp_rank_1_mp_rank_00_states.pt",
        ),
        ("model.safetensors optimizer.bin", "random_states_0.pkl"),
        ("model.safetensors optimizer.bin random_states_0.pkl random_states_2.pkl", "random_states_1.pkl"),
        ("_CHECKPOINT_METADATA d/5347 ocdbt.process_0/d/019b ocdbt.process_0/manifest.ocdbt", "manifest.ocdbt"),
    ],
)
def test_a_save_in_parts_needs_every_part(tmp_path: Path, names: str, last: str) -> None:
    folder = write_all(tmp_path / "step_5", names)
    assert "is missing" in reason(folder)
    write_all(folder, last)
    assert reason(folder) == ""


def test_every_part_that_the_metadata_of_a_distributed_checkpoint_names_is_needed(tmp_path: Path) -> None:
    (tmp_path / "__0_0.distcp").write_bytes(b"part")
    (tmp_path / ".metadata").write_bytes(b"\x80\x04\x95__0_0.distcp\x94__1_0.distcp.")
    assert "__1_0.distcp, which .metadata names, is missing" in reason(tmp_path)
    (tmp_path / "__1_0.distcp").write_bytes(b"part")
    assert reason(tmp_path) == ""


def test_the_directory_that_latest_names_is_needed(tmp_path: Path) -> None:
    write_all(tmp_path, "zero_to_fp32.pt")
    (tmp_path / "latest").write_text("global_step500")
    assert "global_step500, which latest names, is missing" in reason(tmp_path)
    write_all(tmp_path, "global_step500/mp_rank_00_model_states.pt")
    assert reason(tmp_path) == ""


def test_an_unfinished_orbax_directory_is_incomplete(tmp_path: Path) -> None:
    write_all(tmp_path, "_CHECKPOINT_METADATA default.orbax-checkpoint-tmp-17/d/a")
    assert "orbax-checkpoint-tmp" in reason(tmp_path)


def test_a_prefix_of_tensorflow_needs_its_data(tmp_path: Path) -> None:
    (tmp_path / "ckpt-5.index").write_bytes(b"index")
    assert "it has no data" in reason(tmp_path / "ckpt-5")
    (tmp_path / "ckpt-5.data-00000-of-00002").write_bytes(b"data")
    assert "ckpt-5.data-00001-of-00002 is missing" in reason(tmp_path / "ckpt-5")
    (tmp_path / "ckpt-5.data-00001-of-00002").write_bytes(b"data")
    assert reason(tmp_path / "ckpt-5") == ""


def test_a_state_of_accelerate_without_weights_is_incomplete(tmp_path: Path) -> None:
    write_all(tmp_path, "optimizer.bin scheduler.bin random_states_0.pkl")
    assert "has no weights" in reason(tmp_path)
    write_all(tmp_path, "unet/diffusion_pytorch_model.safetensors")
    assert reason(tmp_path) == ""
