"""Searches the kernel log for out-of-memory kills."""

from __future__ import annotations

import os
import re
from collections.abc import Container

KERNEL_LOG = "/dev/kmsg"
_KILLED = re.compile(rb"^[^,]*,\d+,(\d+),[^;]*;(.*[Oo]ut of memory.*: Killed process (\d+) .*)", re.MULTILINE)
_MAX_RECORDS = 100_000


def memory_kill_of(pids: Container[int], *, since: float, path: str = KERNEL_LOG) -> str | None:
    """The kernel's message about killing one of these processes; None if there is none, or the log is not readable.

    Args:
        pids: Process ids in the initial PID namespace; inside a container they differ, and nothing is found.
        since: Earliest time on CLOCK_MONOTONIC, which the kernel's timestamps match within milliseconds.
        path: The log, which returns one record per read. See Documentation/ABI/testing/dev-kmsg.
    """
    try:
        log = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _search(log, pids, since)
    finally:
        os.close(log)


def _search(log: int, pids: Container[int], since: float) -> str | None:
    for _ in range(_MAX_RECORDS):
        try:
            record = os.read(log, 8192)
        except BrokenPipeError:
            continue  # records were overwritten; the next read continues after them
        except OSError:
            return None  # EAGAIN: end of the log
        if not record:
            return None
        for stamp, message, pid in _KILLED.findall(record):
            if int(stamp) / 1e6 >= since - 1.0 and int(pid) in pids:
                return str(message.decode("utf-8", "replace"))[:300]
    return None
