"""Judges whether a checkpoint on disk is complete, by what an interrupted write leaves behind.

Nothing is loaded or unpickled: that would take memory and execute what the file says.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from backprop_tui.checkpoints.files import Sound, Unsound, judge_file
from backprop_tui.checkpoints.folders import INCOMPLETE_SENTINEL, files_in, judge_folder

__all__ = [
    "INCOMPLETE_SENTINEL",
    "Sound",
    "Unsound",
    "judge",
    "judged_newest_first",
    "newest_sound",
    "size_and_change_time",
]


class Recorded(Protocol):
    """A checkpoint in a record; `size_bytes` is None if it was not measured."""

    @property
    def path(self) -> str: ...

    @property
    def size_bytes(self) -> int | None: ...


CheckpointT = TypeVar("CheckpointT", bound=Recorded)


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


def judged_newest_first(checkpoints: Sequence[CheckpointT]) -> Iterator[tuple[CheckpointT, Sound | Unsound]]:
    """Yields each checkpoint with its verdict, newest first; lazily, since judging reads the disk.

    `checkpoints` are oldest first. Of several with the same path only the newest counts, since it replaced the others.
    """
    seen = set()
    for checkpoint in reversed(checkpoints):
        if checkpoint.path not in seen:
            seen.add(checkpoint.path)
            yield checkpoint, judge(checkpoint.path, recorded_size_bytes=checkpoint.size_bytes)


def newest_sound(checkpoints: Sequence[CheckpointT]) -> CheckpointT | None:
    """Returns the newest sound checkpoint, None if there is none; `checkpoints` are oldest first."""
    return next((checkpoint for checkpoint, verdict in judged_newest_first(checkpoints) if verdict), None)


def _judge(path: str, recorded_size_bytes: int | None) -> Sound | Unsound:
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        return judge_folder(path, recorded_size_bytes)
    if stat.S_ISREG(status.st_mode):
        return judge_file(path, status.st_size, recorded_size_bytes)
    return Unsound(reason="is neither a file nor a directory")  # opening a FIFO would block
