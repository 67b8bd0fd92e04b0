"""Whether a checkpoint on disk can be trusted, judged by what a torn write leaves behind.

Nothing is loaded or unpickled: that would take memory and run what the file says.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from backprop_tui.store.checkpoint_files import Sound, Unsound, judge_file
from backprop_tui.store.checkpoint_folders import INCOMPLETE_SENTINEL, files_in, judge_folder

__all__ = [
    "INCOMPLETE_SENTINEL",
    "Sound",
    "Unsound",
    "is_sound",
    "judged_newest_first",
    "newest_sound",
    "saved_files",
]


class Recorded(Protocol):
    """A checkpoint as a record keeps it; `size_bytes` None where nobody measured it."""

    @property
    def path(self) -> str: ...

    @property
    def size_bytes(self) -> int | None: ...


CheckpointT = TypeVar("CheckpointT", bound=Recorded)


def is_sound(path: str, *, recorded_size_bytes: int | None = None) -> Sound | Unsound:
    """Judges a file or a directory by its existence, its size, and its format where that can be told.

    `recorded_size_bytes` is its size when it was announced, as `saved_files` gave it. A file that is smaller now
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


def saved_files(path: str) -> tuple[int | None, int]:
    """Size in bytes and the newest change (wall time, nanoseconds) of a checkpoint; None where it cannot be read.

    Of a directory all files in it count.
    """
    try:
        if not os.path.isdir(path):
            status = os.stat(path)
            return status.st_size, status.st_mtime_ns
        found = [os.stat(file) for file in files_in(path)]
    except (OSError, ValueError):
        return None, 0
    return sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)


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
        return judge_folder(path, recorded_size_bytes)
    if stat.S_ISREG(status.st_mode):
        return judge_file(path, status.st_size, recorded_size_bytes)
    return Unsound(reason="is neither a file nor a directory")  # opening a FIFO would wait for ever
