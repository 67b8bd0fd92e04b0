"""Judges whether one file of a checkpoint is complete, by what an interrupted write leaves behind."""

from __future__ import annotations

import json
import os
from typing import BinaryIO

from backprop_tui.domain.values import dataclass

ALWAYS_ZIP = (".npz", ".keras")
PICKLE_OR_ZIP = (".pt", ".pth", ".ckpt", ".bin")  # torch.save writes zips, before torch 1.6 pickles
NEVER_BEGINS_WITH_NUL = (".pt", ".pth", ".ckpt", ".pkl", ".pickle")
SAFETENSORS = ".safetensors"
LONGEST_SAFETENSORS_HEADER = 100_000_000  # the format's own limit
JUDGED_ENDINGS = (*ALWAYS_ZIP, *PICKLE_OR_ZIP, SAFETENSORS, ".h5", ".hdf5")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_ADDRESS_BYTES = 8
# For each superblock version the offsets of the address width and of the end-of-file address.
HDF5_PLACES = {0: (13, 40), 1: (13, 44), 2: (9, 28), 3: (9, 28)}

# The first and last byte of formats with an end mark: JSON, and pickle (protocol 2 and later), which ends with STOP.
_LAST_BYTE = {b"{": b"}", b"[": b"]", b"\x80": b"."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """No sign of damage."""

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsound:
    """Must not be resumed from; `reason` continues a sentence after the path: "is cut short"."""

    reason: str

    def __bool__(self) -> bool:
        return False


def judge_file(path: str, size_bytes: int, recorded_size_bytes: int | None) -> Sound | Unsound:
    """Judges a regular file by its size, and its format if that is known.

    Raises:
        OSError: the file cannot be read.
    """
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
    if tensors_bytes < 0 or header_bytes > LONGEST_SAFETENSORS_HEADER:
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
    width_at, end_at = HDF5_PLACES.get(superblock[8], (0, 0))
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
