"""Whether a checkpoint is complete: one file, or a directory with all parts that its framework writes."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Checkpoint

ALWAYS_ZIP = (".npz", ".keras")
PICKLE_OR_ZIP = (".pt", ".pth", ".ckpt", ".bin")  # torch.save writes zips, before torch 1.6 pickles
NEVER_BEGINS_WITH_NUL = (".pt", ".pth", ".ckpt", ".pkl", ".pickle")
SAFETENSORS = ".safetensors"
MAX_SAFETENSORS_HEADER = 100_000_000  # the format's own limit
JUDGED_ENDINGS = (*ALWAYS_ZIP, *PICKLE_OR_ZIP, SAFETENSORS, ".h5", ".hdf5")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_ADDRESS_BYTES = 8
# For each superblock version the offsets of the address width and of the end-of-file address.
HDF5_OFFSETS = {0: (13, 40), 1: (13, 44), 2: (9, 28), 3: (9, 28)}

# The first and last byte of formats with an end mark: JSON, and pickle (protocol 2 and later), which ends with STOP.
_LAST_BYTE = {b"{": b"}", b"[": b"]", b"\x80": b"."}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """No sign of damage."""

    def __bool__(self) -> bool:
        return True


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Unsound:
    """Must not be resumed from; `reason` continues a sentence after the path: "is cut short"."""

    reason: str

    def __bool__(self) -> bool:
        return False


def judge_file(path: str, size_bytes: int, recorded_size_bytes: int | None) -> Sound | Unsound:
    """Judges a regular file by its size, and its format if that is known; raises OSError if it cannot be read."""
    if size_bytes == 0:
        return Unsound(reason="is empty")
    with open(path, "rb") as file:
        head = file.read(2)
        if path.endswith(SAFETENSORS):
            return _judge_safetensors(file, size_bytes)
        if head == b"PK" or path.endswith(ALWAYS_ZIP):
            return _judge_zip(file)
        if head == HDF5_SIGNATURE[:2]:
            return _judge_hdf5(file, size_bytes)
        if head[:1] == b"\0" and path.endswith(NEVER_BEGINS_WITH_NUL):
            return Unsound(reason="begins with zeros: its content never reached the disk")
        if _has_end_mark(file, head[:1]):
            return Sound()
    return compare_sizes(size_bytes, recorded_size_bytes)


def _judge_zip(file: BinaryIO) -> Sound | Unsound:
    """A zip that was cut short lacks the central directory, which is at its end."""
    import zipfile  # slow to import, and most commands judge nothing

    try:
        with zipfile.ZipFile(file) as archive:
            members, members_end = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        return Unsound(reason=f"is cut short or damaged: {error}")
    if not members:
        return Unsound(reason="is an empty zip")
    if any(member.header_offset + member.compress_size > members_end for member in members):
        return Unsound(reason="is damaged: a part of the zip reaches past its end")
    return Sound()


def _judge_safetensors(file: BinaryIO, size_bytes: int) -> Sound | Unsound:
    """See https://github.com/huggingface/safetensors#format."""
    file.seek(0)
    header_bytes = int.from_bytes(file.read(8), "little")
    tensors_bytes = size_bytes - 8 - header_bytes
    if tensors_bytes < 0 or header_bytes > MAX_SAFETENSORS_HEADER:
        return Unsound(reason="is cut short or damaged: its header is longer than the file")
    try:
        header = json.loads(file.read(header_bytes))
    except (ValueError, RecursionError):
        return Unsound(reason="is damaged: its header is not JSON")
    declared_bytes = _declared_bytes(header)
    if isinstance(declared_bytes, Unsound):
        return declared_bytes
    if declared_bytes != tensors_bytes:
        return Unsound(reason=f"holds {tensors_bytes} bytes of tensors, its header declares {declared_bytes}")
    return Sound()


def _judge_hdf5(file: BinaryIO, size_bytes: int) -> Sound | Unsound:
    """The superblock declares the end of the file; see the HDF5 File Format Specification, II.A."""
    file.seek(0)
    superblock = file.read(64)
    if len(superblock) < 64 or not superblock.startswith(HDF5_SIGNATURE):
        return Unsound(reason="is damaged: it starts like HDF5 but has no superblock")
    width_at, end_at = HDF5_OFFSETS.get(superblock[8], (0, 0))
    if not end_at or superblock[width_at] != HDF5_ADDRESS_BYTES:
        return Sound()  # an unknown version
    declared_bytes = int.from_bytes(superblock[end_at : end_at + HDF5_ADDRESS_BYTES], "little")
    if declared_bytes > size_bytes:
        return Unsound(reason=f"is cut short: {size_bytes} bytes, its superblock declares {declared_bytes}")
    return Sound()


def _declared_bytes(header: object) -> int | Unsound:
    """Returns where the last tensor ends."""
    if not isinstance(header, dict):
        return Unsound(reason="is damaged: its header is not a JSON object")
    ends = [0]
    for name, tensor in header.items():
        match tensor:
            case {"data_offsets": [int(), int(end)]}:
                ends.append(end)
            case _ if name != "__metadata__":
                return Unsound(reason=f"is damaged: its header has no offsets for {name!r}")
    return max(ends)


def _has_end_mark(file: BinaryIO, first: bytes) -> bool:
    file.seek(-min(8, file.seek(0, os.SEEK_END)), os.SEEK_END)
    last = file.read().rstrip()[-1:]
    return first in _LAST_BYTE and _LAST_BYTE[first] == last


def compare_sizes(size_bytes: int, recorded_size_bytes: int | None) -> Sound | Unsound:
    """A file that shrank was cut; one that grew was still being written when recorded, or was saved again."""
    if recorded_size_bytes is not None and size_bytes < recorded_size_bytes:
        return Unsound(reason=f"was {recorded_size_bytes} bytes when it was announced and is {size_bytes} now")
    return Sound()


INCOMPLETE_SENTINEL = "checkpoint-is-incomplete.txt"  # left by Hugging Face Trainer in an unfinished checkpoint
SHARD_INDEX = ".index.json"  # model.safetensors.index.json, pytorch_model.bin.index.json
MAX_JSON_BYTES = 64 << 20

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
    """Yields every file below a directory; raises OSError if a directory cannot be read."""
    for folder, _, names in os.walk(path, onerror=_raise):
        for name in names:
            yield os.path.join(folder, name)


def _raise(error: OSError) -> None:
    raise error


def judge_folder(path: str, recorded_size_bytes: int | None) -> Sound | Unsound:
    """Judges a directory by its content; raises OSError if it or a file in it cannot be read."""
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
    if os.stat(file).st_size > MAX_JSON_BYTES:
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


def judge(path: str, *, recorded_size_bytes: int | None = None) -> Sound | Unsound:
    """Judges a file or a directory by its existence, its size, and its format if that is known.

    `recorded_size_bytes` is the size when it was announced, by `size_and_change_time`. A file that is smaller now was
    cut, unless its format shows that it is complete. A larger one is accepted: it was still being written when it was
    announced, or was saved again.
    """
    try:
        return _judge(path, recorded_size_bytes)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError) and error.filename == path
        return Unsound(reason="does not exist" if is_missing else f"cannot be read: {error}")
    except ValueError:  # a NUL or a lone surrogate
        return Unsound(reason="is not a valid path")


def size_and_change_time(path: str) -> tuple[int | None, int]:
    """Returns size and newest modification time (ns) of a checkpoint, of a directory over all its files.

    (None, 0) if it cannot be read.
    """
    try:
        if not os.path.isdir(path):
            status = os.stat(path)
            return status.st_size, status.st_mtime_ns
        statuses = [os.stat(file) for file in files_in(path)]
    except (OSError, ValueError):
        return None, 0
    return sum(status.st_size for status in statuses), max((status.st_mtime_ns for status in statuses), default=0)


def judged_newest_first(checkpoints: Sequence[Checkpoint]) -> Iterator[tuple[Checkpoint, Sound | Unsound]]:
    """Yields each checkpoint with its verdict, newest first; lazily, since judging reads the disk.

    `checkpoints` are oldest first. Of several with the same path only the newest counts, since it replaced the others.
    """
    seen = set()
    for checkpoint in reversed(checkpoints):
        if checkpoint.path not in seen:
            seen.add(checkpoint.path)
            yield checkpoint, judge(checkpoint.path, recorded_size_bytes=checkpoint.size_bytes)


def newest_sound(checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    """Returns the newest sound checkpoint, None if there is none; `checkpoints` are oldest first."""
    return next((checkpoint for checkpoint, verdict in judged_newest_first(checkpoints) if verdict), None)


def _judge(path: str, recorded_size_bytes: int | None) -> Sound | Unsound:
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        return judge_folder(path, recorded_size_bytes)
    if stat.S_ISREG(status.st_mode):
        return judge_file(path, status.st_size, recorded_size_bytes)
    return Unsound(reason="is neither a file nor a directory")  # opening a FIFO would block
