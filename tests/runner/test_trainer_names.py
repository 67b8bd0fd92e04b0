"""The checkpoints of widely used trainers: what they write in one save, and which file a run resumes from.

`docs/frameworks.md` has the same table.
"""

from __future__ import annotations

import json
import pickle
import time
import zipfile
from pathlib import Path

import pytest

from backprop_tui.checkpoints.choice import choose
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from tests.runner.scanned import Scanned

EPOCH, STEP = 3, 300
DOCS = Path(__file__).parents[2] / "docs" / "frameworks.md"


@lazy_dataclass(frozen=True, slots=True)
class Trainer:
    """`files` are those of one save, with {e} for the epoch and {s} for the step; `chosen` is what to go on from."""

    name: str
    files: str
    chosen: str
    step: int | None = STEP


HF_PARTS = "model.safetensors optimizer.pt scheduler.pt rng_state.pth training_args.bin trainer_state.json"
TRAINERS = [
    Trainer(
        "Hugging Face Trainer", " ".join(f"checkpoint-{{s}}/{part}" for part in HF_PARTS.split()), "checkpoint-{s}"
    ),
    Trainer(
        "Hugging Face PEFT",
        "checkpoint-{s}/adapter_model.safetensors checkpoint-{s}/optimizer.pt checkpoint-{s}/trainer_state.json",
        "checkpoint-{s}",
    ),
    Trainer(
        "accelerate save_state",
        "step_{s}/model.safetensors step_{s}/optimizer.bin step_{s}/scheduler.bin step_{s}/random_states_0.pkl",
        "step_{s}",
    ),
    Trainer(
        "diffusers",
        "checkpoint-{s}/unet/diffusion_pytorch_model.safetensors checkpoint-{s}/optimizer.bin"
        " checkpoint-{s}/random_states_0.pkl",
        "checkpoint-{s}",
    ),
    Trainer(
        "kohya sd-scripts",
        "name-{e:06d}.safetensors name-{e:06d}-state/model.safetensors name-{e:06d}-state/optimizer.bin"
        " name-{e:06d}-state/random_states_0.pkl name-{e:06d}-state/train_state.json",
        "name-{e:06d}-state",
    ),
    Trainer(
        "Lightning", "version_0/checkpoints/epoch={e}-step={s}.ckpt", "version_0/checkpoints/epoch={e}-step={s}.ckpt"
    ),
    Trainer("Lightning, save_last", "epoch={e}-step={s}.ckpt last.ckpt", "epoch={e}-step={s}.ckpt"),
    Trainer(
        "Lightning with DeepSpeed",
        "last.ckpt/checkpoint/mp_rank_00_model_states.pt"
        " last.ckpt/checkpoint/zero_pp_rank_0_mp_rank_00_optim_states.pt",
        "last.ckpt",
    ),
    Trainer(
        "DeepSpeed",
        "global_step{s}/mp_rank_00_model_states.pt global_step{s}/zero_pp_rank_0_mp_rank_00_optim_states.pt",
        "global_step{s}",
    ),
    Trainer("Megatron-LM", "iter_{s:07d}/mp_rank_00/model_optim_rng.pt", "iter_{s:07d}"),
    Trainer("torch.distributed.checkpoint", "step-{s}/__0_0.distcp step-{s}/.metadata", "step-{s}"),
    Trainer("torchtitan", "checkpoint/step-{s}/__0_0.distcp checkpoint/step-{s}/.metadata", "checkpoint/step-{s}"),
    Trainer(
        "torchtune",
        "epoch_{e}_step_{s}/model-00001-of-00001.safetensors epoch_{e}_step_{s}/recipe_state.pt",
        "epoch_{e}_step_{s}",
    ),
    Trainer("orbax", "{s}/_CHECKPOINT_METADATA {s}/default/manifest.ocdbt", "{s}"),
    Trainer("flax, legacy", "checkpoint_{s}", "checkpoint_{s}"),
    Trainer("Keras ModelCheckpoint", "weights.{e:02d}-0.83.hdf5", "weights.{e:02d}-0.83.hdf5"),
    Trainer("Keras 3", "{e:02d}.weights.h5", "{e:02d}.weights.h5"),
    Trainer("tf.train.CheckpointManager", "ckpt-{s}.data-00000-of-00001 ckpt-{s}.index", "ckpt-{s}"),
    Trainer("ultralytics", "weights/best.pt weights/last.pt", "weights/last.pt"),
    Trainer("timm", "checkpoint-{e}.pth.tar last.pth.tar model_best.pth.tar", "checkpoint-{e}.pth.tar"),
    Trainer("pytorch/examples imagenet", "checkpoint.pth.tar model_best.pth.tar", "checkpoint.pth.tar"),
    Trainer("pytorch/examples word_language_model", "model.pt", "model.pt"),
    Trainer("pytorch/examples dcgan", "netG_epoch_{e}.pth netD_epoch_{e}.pth", "netG_epoch_{e}.pth"),
    Trainer("nanoGPT", "out/ckpt.pt", "out/ckpt.pt"),
    Trainer("nanochat", "d2/model_{s:06d}.pt d2/optim_{s:06d}.pt d2/meta_{s:06d}.json", "d2/model_{s:06d}.pt"),
    Trainer("detectron2", "model_{s:07d}.pth", "model_{s:07d}.pth"),
    Trainer("mmengine", "work_dirs/iter_{s}.pth", "work_dirs/iter_{s}.pth"),
    Trainer("fairseq", "checkpoint_{e}_{s}.pt checkpoint_last.pt", "checkpoint_{e}_{s}.pt"),
    Trainer("guided-diffusion", "model{s:06d}.pt ema_0.9999_{s:06d}.pt opt{s:06d}.pt", "model{s:06d}.pt"),
    Trainer("BasicSR", "models/net_g_{s}.pth training_states/{s}.state", "training_states/{s}.state"),
    Trainer("CycleGAN and pix2pix", "{e}_net_G.pth {e}_net_D.pth latest_net_G.pth", "{e}_net_G.pth"),
    Trainer("VITS and RVC", "G_{s}.pth D_{s}.pth", "G_{s}.pth"),
    Trainer("3D Gaussian Splatting", "chkpnt{s}.pth", "chkpnt{s}.pth"),
    Trainer("NeRF", "{s:06d}.tar", "{s:06d}.tar"),
    Trainer(
        "Stable-Baselines3",
        "rl_model_{s}_steps.zip rl_model_vecnormalize_{s}_steps.pkl rl_model_replay_buffer_{s}_steps.pkl",
        "rl_model_{s}_steps.zip",
    ),
    Trainer("skrl", "checkpoints/agent_{s}.pt", "checkpoints/agent_{s}.pt"),
    Trainer("Composer", "ep{e}-ba{s}-rank0.pt", "ep{e}-ba{s}-rank0.pt"),
    Trainer("PaddlePaddle", "iter_epoch_{e}.pdparams iter_epoch_{e}.pdopt", "iter_epoch_{e}.pdparams"),
    Trainer("XGBoost TrainingCheckPoint", "model_{s}.ubj", "model_{s}.ubj"),
    Trainer("LightGBM snapshot_freq", "model.txt.snapshot_iter_{s}", "model.txt.snapshot_iter_{s}"),
]


def write(path: Path) -> None:
    """A small file of the format that a trainer uses for files of this name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    if name.endswith(".safetensors"):
        head = json.dumps({"w": {"dtype": "U8", "shape": [16], "data_offsets": [0, 16]}}).encode()
        path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(16))
    elif name.endswith(".json"):
        path.write_text(json.dumps({"global_step": STEP}))
    elif name.endswith((".h5", ".hdf5")):
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5) + b"\x08" + bytes(100))
    elif name.endswith((".pkl", ".bin", ".pdparams", ".pdopt", ".metadata")):
        path.write_bytes(pickle.dumps({"step": STEP}))
    elif name.endswith(".ubj"):
        path.write_bytes(b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{}")
    elif "snapshot" in name:
        path.write_text("tree\nversion=v4\n")
    elif name.startswith("checkpoint_") and "." not in name:
        path.write_bytes(b"\x81\xa6params\xc4\x04aaaa")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"x" * 100)


def test_at_least_40_trainers_are_known() -> None:
    assert len({trainer.name for trainer in TRAINERS}) >= 40


@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda trainer: trainer.name)
def test_a_save_is_one_checkpoint_and_the_state_or_the_model_is_chosen(tmp_path: Path, trainer: Trainer) -> None:
    watched = Scanned(tmp_path)
    watched.checkpoint_record.note_step(STEP)
    for pattern in trainer.files.split():
        write(watched.cwd / pattern.format(e=EPOCH, s=STEP))
        time.sleep(0.002)
    watched.scan_until_unchanged()
    watched.scan_until_unchanged()
    chosen = trainer.chosen.format(e=EPOCH, s=STEP)
    assert watched.names() == [chosen]
    assert [saved.step for saved in watched.checkpoints] == [trainer.step]
    choice = choose(watched.checkpoints)
    assert choice.path == str(watched.cwd / chosen)
    assert len(watched.messages("checkpoint")) == 1


def test_the_documentation_has_the_same_table() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    for trainer in TRAINERS:
        chosen = trainer.chosen.replace("{e:02d}", "E").replace("{e:06d}", "E").replace("{s:06d}", "S")
        chosen = chosen.replace("{s:07d}", "S").replace("{e}", "E").replace("{s}", "S")
        assert any(row.startswith(f"| {trainer.name} |") and f"`{chosen}`" in row for row in rows), trainer.name
