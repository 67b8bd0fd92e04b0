"""What the kernel wrote of processes that it killed for memory, where we may read its log."""

from __future__ import annotations

import os
import re
from collections.abc import Container

KERNEL_LOG = "/dev/kmsg"
_KILLED = re.compile(rb"^[^,]*,\d+,(\d+),[^;]*;(.*[Oo]ut of memory.*: Killed process (\d+) .*)", re.MULTILINE)
_MAX_RECORDS = 100_000


def memory_kill_of(pids: Container[int], *, since: float, path: str = KERNEL_LOG) -> str | None:
    """The line that names one of these processes; None where none does, or the log is not ours to read.

    Args:
        pids: As the kernel counts them, which inside a container is another count: then nothing is found.
        since: A time of CLOCK_MONOTONIC, by which records are stamped but for a few milliseconds.
        path: Where the log is read; one record a read. See Documentation/ABI/testing/dev-kmsg.
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
            continue  # records were overwritten meanwhile: the next read goes on behind them
        except OSError:
            return None  # EAGAIN: that was all
        if not record:
            return None
        for stamp, message, pid in _KILLED.findall(record):
            if int(stamp) / 1e6 >= since - 1.0 and int(pid) in pids:
                return str(message.decode("utf-8", "replace"))[:300]
    return None
