"""The files, pipes and sockets that processes have open, from /proc/PID/fd. See proc(5)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from itertools import islice

MAX_PROCESSES = 64
MAX_DESCRIPTORS = 256


def open_descriptors(pid: int) -> Iterator[tuple[str, int]]:
    """Yields the target of each descriptor, a path, pipe:[N] or socket:[N], and its mode: S_IRUSR, S_IWUSR or both.

    Nothing if the process is gone or belongs to another user.
    """
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            mode = os.lstat(f"{folder}/{name}").st_mode  # the permissions of the link show how the file was opened
            yield os.readlink(f"{folder}/{name}"), mode
        except OSError:
            continue  # closed at this moment


def is_file(target: str) -> bool:
    """Whether the target of a descriptor is a file of a file system that still has this path."""
    is_path = target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/sys/"))
    return is_path and not target.endswith(" (deleted)")


def files_written_by(pids: Iterable[int]) -> set[str]:
    """Returns the files that these processes have open for writing."""
    files: set[str] = set()
    for pid in islice(pids, MAX_PROCESSES):
        descriptors = islice(open_descriptors(pid), MAX_DESCRIPTORS)
        files.update(target for target, mode in descriptors if mode & stat.S_IWUSR and is_file(target))
    return files
