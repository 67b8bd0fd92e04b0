"""Judges whether a checkpoint directory is complete: all parts its framework writes are there, and each is complete."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping

from backprop_tui.checkpoints.files import JUDGED_ENDINGS, Sound, Unsound, compare_sizes, judge_file

INCOMPLETE_SENTINEL = "checkpoint-is-incomplete.txt"  # left by Hugging Face Trainer in an unfinished checkpoint
SHARD_INDEX = ".index.json"  # model.safetensors.index.json, pytorch_model.bin.index.json
LARGEST_JSON_BYTES = 64 << 20

# Hugging Face Trainer saves the weights first and its own state last.
TRAINER_STATE = "trainer_state.json"
TRAINER_FILES = frozenset({TRAINER_STATE, "training_args.bin", "scheduler.pt", "rng_state.pth"})
TRAINER_WEIGHTS = re.compile(
    r"(?:adapter_)?(?:model|pytorch_model).*\.(?:safetensors|bin)|pytorch_model_fsdp.*|tf_model\.h5|global_step\d+"
)
# torch.distributed.checkpoint writes the parts, then an index of the tensors in them.
DISTRIBUTED_PART, DISTRIBUTED_METADATA = ".distcp", ".metadata"
# Written next to the checkpoints once the newest is complete: by Megatron a number, by DeepSpeed a name.
TRACKERS = ("latest_checkpointed_iteration.txt", "latest")
_NUMBER = re.compile(r"\d+")


def files_in(path: str) -> Iterator[str]:
    """Yields every file below a directory.

    Raises:
        OSError: a directory cannot be read.
    """
    for folder, _, names in os.walk(path, onerror=_raise):
        for name in names:
            yield os.path.join(folder, name)


def _raise(error: OSError) -> None:
    raise error


def judge_folder(path: str, recorded_size_bytes: int | None) -> Sound | Unsound:
    """Judges a directory by its content.

    Raises:
        OSError: the directory or a file in it cannot be read.
    """
    total_bytes = 0
    sizes: dict[str, int] = {}
    for file in files_in(path):
        name = os.path.relpath(file, path)
        if os.path.basename(file) == INCOMPLETE_SENTINEL:
            return Unsound(reason=f"is incomplete: it contains {name}")
        status = os.stat(file)
        total_bytes += status.st_size
        sizes[name] = status.st_size
        verdict = _judge_part(file, status)
        if isinstance(verdict, Unsound):
            return Unsound(reason=f"is damaged: {name} {verdict.reason}")
    if total_bytes == 0:
        return Unsound(reason="is empty")
    missing = _missing_part(path, sizes)
    return compare_sizes(total_bytes, recorded_size_bytes) if missing is None else Unsound(reason=missing)


def _judge_part(file: str, status: os.stat_result) -> Sound | Unsound:
    if not stat.S_ISREG(status.st_mode):
        return Sound()
    if file.endswith((SHARD_INDEX, TRAINER_STATE)):
        with open(file, "rb") as part:
            part.seek(max(0, status.st_size - 64))
            is_whole = part.read().rstrip().endswith(b"}")
        return Sound() if is_whole else Unsound(reason="is cut short: its JSON does not end")
    return judge_file(file, status.st_size, None) if file.endswith(JUDGED_ENDINGS) else Sound()


def _missing_part(path: str, sizes: Mapping[str, int]) -> str | None:
    """Returns which part that the framework writes is missing; None if none is known to be."""
    top = {name.split("/")[0] for name in sizes}
    if top & TRAINER_FILES:
        if TRAINER_STATE not in top:
            return f"is incomplete: {TRAINER_STATE}, which is saved last, is missing"
        if not any(map(TRAINER_WEIGHTS.fullmatch, top)):
            return "is incomplete: it has no weights"
    for name in sizes:
        if name.endswith(SHARD_INDEX):
            shard = _missing_shard(path, name)
            if shard is not None:
                return f"is incomplete: {shard}, which {name} names, is missing"
        elif name.endswith(DISTRIBUTED_PART):
            metadata = os.path.join(os.path.dirname(name), DISTRIBUTED_METADATA)
            if metadata not in sizes:
                return f"is incomplete: {metadata}, which is saved last, is missing"
    return _newer_than_tracker(path)


def _missing_shard(path: str, name: str) -> str | None:
    file = os.path.join(path, name)
    if os.stat(file).st_size > LARGEST_JSON_BYTES:
        return None
    with open(file, "rb") as index:
        try:
            shards = set(json.load(index)["weight_map"].values())
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None  # a different kind of index
    folder = os.path.dirname(file)
    return next((str(shard) for shard in shards if not os.path.exists(os.path.join(folder, str(shard)))), None)


def _newer_than_tracker(path: str) -> str | None:
    """Megatron and DeepSpeed record the newest complete checkpoint next to it: a later one is not complete yet."""
    parent, own = os.path.split(path.rstrip("/"))
    number = _NUMBER.search(own)
    if number is None or not own.startswith(("iter_", "global_step")):
        return None
    for tracker in TRACKERS:
        try:
            with open(os.path.join(parent, tracker), "rb") as file:
                tracked = _NUMBER.search(file.read(200).decode("ascii", "replace"))
        except OSError:
            continue
        if tracked is not None and int(tracked[0]) < int(number[0]):
            return f"is not complete yet: {tracker} says {tracked[0]}"
    return None
