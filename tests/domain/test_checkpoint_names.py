"""Names of checkpoints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.checkpoint_names import parse_checkpoint_path


@pytest.mark.parametrize(
    ("file", "path", "step"),
    [
        ("out/checkpoint-500/trainer_state.json", "out/checkpoint-500", 500),
        ("out/checkpoint-500/global_step500/mp_rank_00_model_states.pt", "out/checkpoint-500", 500),
        ("lit/version_0/checkpoints/epoch=1-step=16.ckpt", "lit/version_0/checkpoints/epoch=1-step=16.ckpt", 16),
        ("lit/checkpoints/last.ckpt", "lit/checkpoints/last.ckpt", None),
        ("ck/model.keras", "ck/model.keras", None),
        ("ck/01.weights.h5", "ck/01.weights.h5", None),
        ("out/ckpt.pt", "out/ckpt.pt", None),
        ("out/ckpt_step_2000.pt", "out/ckpt_step_2000.pt", 2000),
        ("checkpoint.pth.tar", "checkpoint.pth.tar", None),
        ("runs/detect/train/weights/last.pt", "runs/detect/train/weights/last.pt", None),
        ("checkpoints/checkpoint_last.pt", "checkpoints/checkpoint_last.pt", None),
        ("checkpoints/checkpoint_1_1000.pt", "checkpoints/checkpoint_1_1000.pt", None),
        ("meg/iter_0000845/mp_rank_00/model_optim_rng.pt", "meg/iter_0000845", 845),
        ("ds/global_step100/zero_pp_rank_0_optim_states.pt", "ds/global_step100", 100),
        ("acc/epoch_3/model.safetensors", "acc/epoch_3", None),
        ("accout/random_states_0.pkl", "accout", None),
        ("orb/10/_CHECKPOINT_METADATA", "orb/10", None),
        ("dcp/step-20/.metadata", "dcp/step-20", 20),
        ("net_epoch_7.pth", "net_epoch_7.pth", None),
        ("model_300.pt", "model_300.pt", None),
        ("out/model_300/model-00001-of-00003.safetensors", "out/model_300", None),
        ("out/my-lora-300/adapter_model.safetensors", "out/my-lora-300", None),
        ("out/ck300.pt", "out/ck300.pt", None),
    ],
)
def test_checkpoints_of_frameworks_are_recognised_with_their_step(file: str, path: str, step: int | None) -> None:
    checkpoint = parse_checkpoint_path(file)
    assert checkpoint is not None
    assert (checkpoint.path, checkpoint.step) == (path, step)


@pytest.mark.parametrize(
    "file",
    [
        "yolo11n.pt",
        "resnet50-0676ba61.pth",
        "features.pkl",
        "train.bin",
        "data/archive.tar",
        "model.safetensors",
        "metrics.csv",
        "run/tmp-checkpoint-10/model.safetensors",
        "orb/10.orbax-checkpoint-tmp-1700/_CHECKPOINT_METADATA",
        "lightning_logs/version_0/metrics.csv",
        "embeddings.npz",
        "runs/model_2/events.out.tfevents.17.host.3.0",
    ],
)
def test_other_files_are_none(file: str) -> None:
    assert parse_checkpoint_path(file) is None


@pytest.mark.parametrize(
    ("file", "number"), [("ckpt_000123.pt", 123), ("model_300.pt", 300), ("orb/10/_CHECKPOINT_METADATA", 10)]
)
def test_a_number_at_the_end_may_be_a_step(file: str, number: int) -> None:
    checkpoint = parse_checkpoint_path(file)
    assert checkpoint is not None
    assert checkpoint.number == number


def test_a_best_checkpoint_is_recognised() -> None:
    assert [
        bool(checkpoint and checkpoint.is_best) for checkpoint in map(parse_checkpoint_path, ("best.pt", "last.pt"))
    ] == [
        True,
        False,
    ]


@given(st.text(max_size=60))
def test_no_name_raises_and_no_epoch_is_taken_for_a_step(text: str) -> None:
    checkpoint = parse_checkpoint_path(text)
    assert checkpoint is None or text.startswith(checkpoint.path)


@given(st.integers(0, 10**12), st.sampled_from(["out/checkpoint-{}/model.bin", "e=0-step={}.ckpt", "iter_{:07}/x.pt"]))
def test_a_step_in_a_name_is_that_number(step: int, pattern: str) -> None:
    checkpoint = parse_checkpoint_path(pattern.format(step))
    assert checkpoint is not None
    assert checkpoint.step == step
