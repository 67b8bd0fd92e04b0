"""Whether a checkpoint on disk can be trusted, judged by what a torn write leaves behind.

Nothing is loaded or unpickled: that would take memory and run what the file says.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Protocol, TypeVar

from backprop_tui.domain.values import dataclass

INCOMPLETE_SENTINEL = "checkpoint-is-incomplete.txt"  # Hugging Face Trainer leaves it in what it could not finish
ALWAYS_ZIP = (".npz", ".keras")
PICKLE_OR_ZIP = (".pt", ".pth", ".ckpt", ".bin")  # torch.save writes a zip, before torch 1.6 it wrote pickles
NEVER_BEGINS_WITH_NUL = (".pt", ".pth", ".ckpt", ".pkl", ".pickle")
SAFETENSORS = ".safetensors"
LONGEST_SAFETENSORS_HEADER = 100_000_000  # the format's own limit

# Formats that end with a mark of their own: JSON, and a pickle (protocol 2 and later), whose last opcode is STOP.
_LAST_BYTE = {b"{": b"}", b"[": b"]", b"\x80": b"."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Nothing speaks against it."""

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsound:
    """Not to be resumed from; `reason` follows the checkpoint's path in a sentence: "is cut short"."""

    reason: str

    def __bool__(self) -> bool:
        return False


class Recorded(Protocol):
    """A checkpoint as a record keeps it; `size_bytes` None where nobody measured it."""

    @property
    def path(self) -> str: ...

    @property
    def size_bytes(self) -> int | None: ...


CheckpointT = TypeVar("CheckpointT", bound=Recorded)


def is_sound(path: str, *, recorded_size_bytes: int | None = None) -> Sound | Unsound:
    """Judges a file or a directory by its existence, its size, and its format where that can be told.

    `recorded_size_bytes` is its size when it was announced, as `stored_size_bytes` gave it. A file that is smaller now
    was cut, unless its format shows that it is whole. A larger one is trusted: it was still being written when it was
    announced, or was saved again.
    """
    try:
        return _judge(path, recorded_size_bytes)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError) and error.filename == path
        return Unsound(reason="does not exist" if missing else f"cannot be read: {error}")
    except ValueError:  # a NUL or a lone surrogate
        return Unsound(reason="is no path of this system")


def stored_size_bytes(path: str) -> int | None:
    """The size of a file, or of all files in a directory; None where there is none or it cannot be read."""
    try:
        if not os.path.isdir(path):
            return os.stat(path).st_size
        return sum(os.stat(file).st_size for file in _files_in(path))
    except (OSError, ValueError):
        return None


def judged_newest_first(checkpoints: Sequence[CheckpointT]) -> Iterator[tuple[CheckpointT, Sound | Unsound]]:
    """Each checkpoint of a record that is oldest first, with the verdict; lazily, since judging reads the disk.

    Of several at one path only the newest counts: the file holds what was saved last.
    """
    seen = set()
    for checkpoint in reversed(checkpoints):
        if checkpoint.path not in seen:
            seen.add(checkpoint.path)
            yield checkpoint, is_sound(checkpoint.path, recorded_size_bytes=checkpoint.size_bytes)


def newest_sound(checkpoints: Sequence[CheckpointT]) -> CheckpointT | None:
    """The newest checkpoint that is sound; None where none is. The record is oldest first."""
    return next((checkpoint for checkpoint, verdict in judged_newest_first(checkpoints) if verdict), None)


def _judge(path: str, recorded_size_bytes: int | None) -> Sound | Unsound:
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        return _judge_directory(path, recorded_size_bytes)
    if stat.S_ISREG(status.st_mode):
        return _judge_file(path, status.st_size, recorded_size_bytes)
    return Unsound(reason="is neither a file nor a directory")  # opening a FIFO would wait for ever


def _judge_directory(path: str, recorded_size_bytes: int | None) -> Sound | Unsound:
    total_bytes = 0
    for file in _files_in(path):
        name = os.path.relpath(file, path)
        if os.path.basename(file) == INCOMPLETE_SENTINEL:
            return Unsound(reason=f"is incomplete: it holds {name}")
        status = os.stat(file)
        total_bytes += status.st_size
        if stat.S_ISREG(status.st_mode) and file.endswith((*ALWAYS_ZIP, *PICKLE_OR_ZIP, SAFETENSORS)):
            verdict = _judge_file(file, status.st_size, None)
            if isinstance(verdict, Unsound):
                return Unsound(reason=f"is damaged: {name} {verdict.reason}")
    if total_bytes == 0:
        return Unsound(reason="is empty")
    return _compare_sizes(total_bytes, recorded_size_bytes)


def _files_in(path: str) -> Iterator[str]:
    """Every file below a directory.

    Raises:
        OSError: a directory cannot be read.
    """
    for folder, _, names in os.walk(path, onerror=_raise):
        for name in names:
            yield os.path.join(folder, name)


def _raise(error: OSError) -> None:
    raise error


def _judge_file(path: str, size_bytes: int, recorded_size_bytes: int | None) -> Sound | Unsound:
    if size_bytes == 0:
        return Unsound(reason="is empty")
    with open(path, "rb") as file:
        head = file.read(2)
        if path.endswith(SAFETENSORS):
            return _judge_safetensors(file, size_bytes)
        if head == b"PK" or path.endswith(ALWAYS_ZIP):
            return _judge_zip(file)
        if head[:1] == b"\0" and path.endswith(NEVER_BEGINS_WITH_NUL):
            return Unsound(reason="begins with zeros, as a file does whose content never reached the disk")
        if _shows_its_end(file, head[:1]):
            return Sound()
    return _compare_sizes(size_bytes, recorded_size_bytes)


def _judge_zip(file: BinaryIO) -> Sound | Unsound:
    """The central directory stands at a zip's end, so one that was cut short has none."""
    import zipfile  # costs as much as starting Python, and most commands judge nothing

    try:
        with zipfile.ZipFile(file) as archive:
            members, members_end = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        return Unsound(reason=f"is cut short or damaged: {error}")
    if not members:
        return Unsound(reason="is a zip without content")
    if any(member.header_offset + member.compress_size > members_end for member in members):
        return Unsound(reason="is damaged: a part of the zip reaches past its end")
    return Sound()


def _judge_safetensors(file: BinaryIO, size_bytes: int) -> Sound | Unsound:
    """Source of the layout: https://github.com/huggingface/safetensors#format."""
    file.seek(0)
    header_bytes = int.from_bytes(file.read(8), "little")
    tensors_bytes = size_bytes - 8 - header_bytes
    if tensors_bytes < 0 or header_bytes > LONGEST_SAFETENSORS_HEADER:
        return Unsound(reason="is cut short or damaged: its header does not fit into it")
    try:
        header = json.loads(file.read(header_bytes))
    except (ValueError, RecursionError):
        return Unsound(reason="is damaged: its header is no JSON")
    declared_bytes = _declared_bytes(header)
    if isinstance(declared_bytes, Unsound):
        return declared_bytes
    if declared_bytes != tensors_bytes:
        return Unsound(reason=f"holds {tensors_bytes} bytes of tensors where its header says {declared_bytes}")
    return Sound()


def _declared_bytes(header: object) -> int | Unsound:
    """Where the last tensor ends."""
    if not isinstance(header, dict):
        return Unsound(reason="is damaged: its header is no JSON object")
    ends = [0]
    for name, tensor in header.items():
        match tensor:
            case {"data_offsets": [int(), int(end)]}:
                ends.append(end)
            case _ if name != "__metadata__":
                return Unsound(reason=f"is damaged: its header does not say where {name!r} is")
    return max(ends)


def _shows_its_end(file: BinaryIO, first: bytes) -> bool:
    """Whether the file ends with the mark that its format ends with."""
    file.seek(-min(8, file.seek(0, os.SEEK_END)), os.SEEK_END)
    last = file.read().rstrip()[-1:]
    return first in _LAST_BYTE and _LAST_BYTE[first] == last


def _compare_sizes(size_bytes: int, recorded_size_bytes: int | None) -> Sound | Unsound:
    if recorded_size_bytes is not None and size_bytes < recorded_size_bytes:
        return Unsound(reason=f"was {recorded_size_bytes} bytes when it was announced and is {size_bytes} now")
    return Sound()
