"""Whether a checkpoint is complete: one file, or a directory with all parts that its framework writes."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from backprop_tui.domain.checkpoint_names import FileRole, may_be_checkpoint, parse_checkpoint_name
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Checkpoint
from backprop_tui.processes.regular_files import open_regular

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
    with open(open_regular(path), "rb") as file:
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
_DISTRIBUTED_NAME = re.compile(rb"__\d{1,6}_\d{1,6}\.distcp")
# model-00001-of-00003.safetensors; one file for each rank, as DeepSpeed and accelerate write them.
_SHARD = re.compile(r"(.*?)(\d{1,6})([-_]of[-_])(\d{1,6})(.*)", re.DOTALL)
_RANK = re.compile(r"(.*?(?:pp_rank|mp_rank|random_states)_)(\d{1,6})(\D.*)", re.DOTALL)
# accelerate saves the random states last; orbax renames a directory once all of it is written.
ACCELERATE_OPTIMIZER, ACCELERATE_LAST = "optimizer.bin", "random_states_0.pkl"
ORBAX_UNFINISHED = ".orbax-checkpoint-tmp"
ORBAX_MANIFEST = "manifest.ocdbt"
_ORBAX_PROCESS = re.compile(r"((?:.*/)?)ocdbt\.process_\d+/")
# A checkpoint of TensorFlow has the name PREFIX, which is no file: PREFIX.index and PREFIX.data-00000-of-00001 are.
TENSORFLOW_INDEX, TENSORFLOW_SHARD = ".index", ".data-"
# Written next to the checkpoints once the newest is complete: by Megatron a number, by DeepSpeed a name.
TRACKERS = ("latest_checkpointed_iteration.txt", "latest")
_NUMBER = re.compile(r"\d+")


def files_in(path: str) -> Iterator[str]:
    """Yields the files of a checkpoint: itself, all below a directory, or those of a TensorFlow prefix.

    Raises OSError if it does not exist or a directory cannot be read.
    """
    if not os.path.isdir(path):
        yield from [path] if os.path.lexists(path) else _tensorflow_files(path)
        return
    for folder, _, names in os.walk(path, onerror=_raise):
        for name in names:
            yield os.path.join(folder, name)


def _raise(error: OSError) -> None:
    raise error


def _tensorflow_files(prefix: str) -> list[str]:
    if not os.path.lexists(prefix + TENSORFLOW_INDEX):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), prefix)
    folder, name = os.path.split(prefix)
    starts = (name + TENSORFLOW_INDEX, name + TENSORFLOW_SHARD)
    return [os.path.join(folder, file) for file in os.listdir(folder or ".") if file.startswith(starts)]


def checkpoint_exists(path: str) -> bool:
    """Whether there is a file, a directory, or a checkpoint of TensorFlow with this name."""
    return os.path.lexists(path) or os.path.lexists(path + TENSORFLOW_INDEX)


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
        if ORBAX_UNFINISHED in name:
            return Unsound(reason=f"is incomplete: it contains {name}")
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
    missing = next(filter(None, (_missing_beside(path, name, sizes) for name in sizes)), None)
    if missing is not None:
        return f"is incomplete: {missing} is missing"
    if ACCELERATE_LAST in top and all(parse_checkpoint_name(name).role is FileRole.PART for name in sizes):
        return "is incomplete: it has no weights"
    return _newer_than_tracker(path) or _missing_tracked(path, top)


def _missing_beside(path: str, name: str, sizes: Mapping[str, int]) -> str | None:
    """The missing file that this one requires, with the reason."""
    folder, base = os.path.split(name)
    if name.endswith(SHARD_INDEX):
        return _named_but_missing(path, name, _shards_of_index)
    if base == DISTRIBUTED_METADATA:
        return _named_but_missing(path, name, _shards_of_metadata)
    if name.endswith(DISTRIBUTED_PART):
        metadata = os.path.join(folder, DISTRIBUTED_METADATA)
        return None if metadata in sizes else f"{metadata}, which is saved last,"
    process = _ORBAX_PROCESS.match(name)
    if process is not None:
        return (
            None if f"{process[1]}{ORBAX_MANIFEST}" in sizes else f"{process[1]}{ORBAX_MANIFEST}, which is saved last,"
        )
    if base == ACCELERATE_OPTIMIZER:
        last = os.path.join(folder, ACCELERATE_LAST)
        return None if last in sizes else f"{last}, which is saved last,"
    shard, rank = _SHARD.fullmatch(base), _RANK.fullmatch(base)
    if shard is not None:
        return _missing_number(os.path.join(folder, ""), shard, sizes)
    if rank is not None and int(rank[2]) > 0:
        before = os.path.join(folder, f"{rank[1]}{int(rank[2]) - 1:0{len(rank[2])}d}{rank[3]}")
        before_unpadded = os.path.join(folder, f"{rank[1]}{int(rank[2]) - 1}{rank[3]}")
        return None if before in sizes or before_unpadded in sizes else f"{before_unpadded}, the part of another rank,"
    return None


def _missing_number(folder: str, shard: re.Match[str], present: Container[str]) -> str | None:
    """The shard before this one, or the last, if it is missing; they are numbered from 0 or from 1."""
    start, digits, of, total, end = shard.groups()
    first = 0 if f"{folder}{start}{0:0{len(digits)}d}{of}{total}{end}" in present else 1
    needed = [number for number in (int(digits) - 1, int(total) - 1 + first) if number >= first]
    names = [f"{folder}{start}{number:0{len(digits)}d}{of}{total}{end}" for number in needed]
    return next((name for name in names if name not in present), None)


def _missing_tracked(path: str, top: Container[str]) -> str | None:
    """DeepSpeed, also below Lightning and Trainer, names the directory of the newest save in `latest`."""
    if "latest" not in top:
        return None
    try:
        with open(os.path.join(path, "latest"), "rb") as file:
            name = file.read(200).decode("utf-8", "replace").strip()
    except OSError:
        return None
    is_missing = name and "/" not in name and not os.path.exists(os.path.join(path, name))
    return f"is incomplete: {name}, which latest names, is missing" if is_missing else None


def _named_but_missing(path: str, name: str, shards_of: Callable[[bytes], Iterable[str]]) -> str | None:
    file = os.path.join(path, name)
    if os.stat(file).st_size > MAX_JSON_BYTES:
        return None
    with open(file, "rb") as index:
        shards = sorted(shards_of(index.read()))
    folder = os.path.dirname(file)
    missing = next((shard for shard in shards if not os.path.exists(os.path.join(folder, shard))), None)
    return None if missing is None else f"{missing}, which {name} names,"


def _shards_of_index(content: bytes) -> set[str]:
    try:
        return set(map(str, json.loads(content)["weight_map"].values()))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return set()  # a different kind of index


def _shards_of_metadata(content: bytes) -> set[str]:
    """The names of the parts in a pickle, which is searched and never loaded."""
    return {name.decode("ascii") for name in _DISTRIBUTED_NAME.findall(content)}


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
    """Returns size and newest modification time (ns) of a checkpoint over all its files.

    (None, 0) if it cannot be read.
    """
    try:
        statuses = [os.stat(file) for file in files_in(path)]
    except (OSError, ValueError):
        return None, 0
    return sum(status.st_size for status in statuses), max((status.st_mtime_ns for status in statuses), default=0)


def is_written_since(path: str, since_ns: int) -> bool:
    """Whether a checkpoint, of a directory a file of its state, was written at this wall-clock time (ns) or later.

    The time of the last change of a file cannot be set, so it also shows what was written before with a later time.
    A copy that keeps the time of its content, such as one of a pretrained model, was not written by the run.
    """
    try:
        files = list(files_in(path))
        states = [file for file in files if may_be_checkpoint(os.path.basename(file))] or files
        statuses = [os.stat(file) for file in states]
    except (OSError, ValueError):
        return False
    return any(min(status.st_ctime_ns, status.st_mtime_ns) >= since_ns for status in statuses)


def shard_of_earlier_save(path: str, earlier_ns: int) -> str | None:
    """The name of a shard that was not written again since the save at `earlier_ns`, while others were; or None."""
    is_old: dict[str, bool] = {}
    try:
        for file in files_in(path):
            if file.endswith(DISTRIBUTED_PART) or _SHARD.fullmatch(os.path.basename(file)):
                is_old[file] = os.stat(file).st_mtime_ns <= earlier_ns
    except OSError:
        return None
    old = sorted(file for file, was_before in is_old.items() if was_before)
    return os.path.relpath(old[0], path) if old and len(old) < len(is_old) else None


_MAGIC = (b"PK\x03\x04", HDF5_SIGNATURE, b"GGUF", b"tree\nversion=", b'{"learner"', b"{L", b"CBM1", b"\x0c\xdb\x3d\xa2")


def is_container(path: str) -> bool:
    """Whether a file begins like a format in which the state of a training is kept; False if it cannot be read."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except (OSError, ValueError):
        return False
    is_pickle = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    is_safetensors = head[8:10] == b'{"' and int.from_bytes(head[:8], "little") <= MAX_SAFETENSORS_HEADER
    # A map of MessagePack whose first key is a text, as flax writes it.
    is_msgpack = len(head) > 1 and 0x81 <= head[0] <= 0x8F and 0xA1 <= head[1] <= 0xBF
    return head.startswith(_MAGIC) or is_pickle or is_safetensors or is_msgpack


def judged_newest_first(checkpoints: Sequence[Checkpoint]) -> Iterator[tuple[Checkpoint, Sound | Unsound]]:
    """Yields each checkpoint with its verdict, newest first; lazily, since judging reads the disk.

    `checkpoints` are oldest first. Of several with the same path only the newest counts, since it replaced the others.
    """
    seen = set()
    for checkpoint in reversed(checkpoints):
        if checkpoint.path not in seen:
            seen.add(checkpoint.path)
            yield checkpoint, judge(checkpoint.path, recorded_size_bytes=checkpoint.size_bytes)


def _judge(path: str, recorded_size_bytes: int | None) -> Sound | Unsound:
    if not os.path.lexists(path) and checkpoint_exists(path):
        return _judge_tensorflow(path)
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        return judge_folder(path, recorded_size_bytes)
    if stat.S_ISREG(status.st_mode):
        return judge_file(path, status.st_size, recorded_size_bytes)
    return Unsound(reason="is neither a file nor a directory")  # opening a FIFO would block


def _judge_tensorflow(prefix: str) -> Sound | Unsound:
    files = set(_tensorflow_files(prefix))
    shards = [shard for shard in map(_SHARD.fullmatch, files) if shard is not None]
    if not shards:
        return Unsound(reason="is incomplete: it has no data")
    missing = next(filter(None, (_missing_number("", shard, files) for shard in shards)), None)
    if missing is not None:
        return Unsound(reason=f"is incomplete: {missing} is missing")
    empty = next((file for file in sorted(files) if os.stat(file).st_size == 0), None)
    return Sound() if empty is None else Unsound(reason=f"is damaged: {empty} is empty")
