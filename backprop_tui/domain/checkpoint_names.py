"""Recognises checkpoints, and their steps, by the file names that training frameworks use."""

from __future__ import annotations

import re
from posixpath import basename, dirname

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MAX_PART_DEPTH = 4  # directory levels between a checkpoint directory and its parts

# Directory names that identify a checkpoint on their own: checkpoint-500 (Hugging Face), iter_0000845 (Megatron),
# global_step100 (DeepSpeed), checkpoint_3, step-16, epoch_2 (accelerate and many scripts).
_FOLDER = re.compile(
    r"(?P<word>checkpoint|ckpt|global[-_]?step|step|iter(?:ation)?|epoch)[-_=]?(?P<number>\d{1,15})", re.IGNORECASE
)
# Files that make their directory a checkpoint whatever its name: accelerate, orbax, torch.distributed.
_PARTS = ("random_states_0.pkl", "_CHECKPOINT_METADATA", ".metadata")
_UNFINISHED_FOLDER = re.compile(r"tmp-.*|.*\.orbax-checkpoint-tmp.*|.*\.tmp$")

_ALWAYS = (".ckpt", ".pth.tar", ".keras", ".weights.h5")
_PERHAPS = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".h5", ".hdf5", ".npz", ".msgpack", ".safetensors", ".tar")
_WORDS = {"ckpt", "checkpoint", "chkpt", "snapshot", "last", "latest", "best"}
_WORDS |= {"epoch", "step", "globalstep", "iter", "iteration"}
_NUMBERED = re.compile(r"(?:model|net|weights|ema)[-_]\d+", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+|\d+")
_STEP = re.compile(r"(?:global[-_]?step|steps?|iter(?:ation)?s?|updates?)[-_=]?(\d{1,15})(?!\d)", re.IGNORECASE)
_HUGGING_FACE = re.compile(r"checkpoint-(\d{1,15})")
_LAST_NUMBER = re.compile(r"(?<![0-9a-z])(?:[a-z]+[-_=]?)?(\d{1,15})$", re.IGNORECASE)
_EPOCH = re.compile(r"epoch[-_=]?\d+", re.IGNORECASE)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class NamedCheckpoint:
    """What the name of a checkpoint says.

    `step` is set if the name calls it a step; `number` is the trailing number, which may be a step or an epoch.
    `is_best`: kept for its score, so a newer checkpoint may be the one to resume from.
    """

    path: str
    step: int | None = None
    number: int | None = None
    is_best: bool = False


def parse_checkpoint_path(file: str) -> NamedCheckpoint | None:
    """Returns the checkpoint that a file is or belongs to; None if its path does not look like one."""
    folder = _folder_around(file)
    if folder is not None:
        return parse_checkpoint_name(folder)
    return parse_checkpoint_name(file) if _is_checkpoint_file(basename(file)) else None


def _folder_around(file: str) -> str | None:
    """The outermost checkpoint directory: a Hugging Face checkpoint may contain a DeepSpeed one."""
    folder = dirname(file)
    outermost = folder if basename(file) in _PARTS else None
    for _ in range(MAX_PART_DEPTH):
        name = basename(folder)
        if _UNFINISHED_FOLDER.fullmatch(name):
            return None
        if _FOLDER.fullmatch(name):
            outermost = folder
        folder = dirname(folder)
    return outermost


def _is_checkpoint_file(name: str) -> bool:
    lowered = name.lower()
    if lowered.endswith(_ALWAYS):
        return True
    ending = next((ending for ending in _PERHAPS if lowered.endswith(ending)), None)
    if ending is None:
        return False
    stem = lowered.removesuffix(ending)
    return bool(_WORDS.intersection(_WORD.findall(stem)) or _NUMBERED.fullmatch(stem))


def parse_checkpoint_name(path: str) -> NamedCheckpoint:
    """Parses the name of a path that is already known to be a checkpoint."""
    name = basename(path)
    stem = name
    for ending in (*_ALWAYS, *_PERHAPS):
        stem = stem.removesuffix(ending)
    steps = _STEP.findall(stem)
    hugging_face = _HUGGING_FACE.fullmatch(name)
    step = int(steps[-1]) if steps else int(hugging_face[1]) if hugging_face else None
    last = None if _EPOCH.search(stem) else _LAST_NUMBER.search(stem)
    return NamedCheckpoint(
        path=path,
        step=step,
        number=step if step is not None else None if last is None else int(last[1]),
        is_best="best" in _WORD.findall(stem.lower()),
    )
