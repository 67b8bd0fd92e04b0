"""Whether the kernel killed processes of a run for memory: cgroup counters and the kernel log."""

from __future__ import annotations

import os
import re
from collections.abc import Container

from backprop_tui.probes.cgroups import Cgroups
from backprop_tui.runner.resources import CLOSE_SECONDS

KERNEL_LOG = "/dev/kmsg"
_KILLED = re.compile(rb"^[^,]*,\d+,(\d+),[^;]*;(.*[Oo]ut of memory.*: Killed process (\d+) .*)", re.MULTILINE)
_MAX_RECORDS = 100_000


def find_oom_kill(pids: Container[int], *, since: float, path: str = KERNEL_LOG) -> str | None:
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


CLOSE_SAMPLES = 25  # at each tick of the first seconds, since a script may move to a group of its own
RECENT_SECONDS = 30.0  # a data loader's worker dies some seconds before the script gives up


class MemoryKillMonitor:
    """Samples the group's kill counter.

    Only an increase shortly before the script's end counts: other runs may share the group, and earlier kills were
    counted before this guardian started.
    """

    __slots__ = ("_cgroups", "_count", "_due", "_increased_at", "_path", "_previous_count", "_samples")

    def __init__(self, pid: int, *, proc: str = "/proc", mount: str = "/sys/fs/cgroup") -> None:
        self._cgroups = Cgroups(proc=proc, mount=mount, process=str(pid))
        self._path: str | None = None
        self._count = self._previous_count = 0
        self._increased_at: float | None = None
        self._due = 0.0
        self._samples = 0

    def sample(self, now: float) -> None:
        """Reads the counter when a sample is due; `now` is monotonic."""
        if now < self._due:
            return
        self._samples += 1
        self._due = now if self._samples < CLOSE_SAMPLES else now + CLOSE_SECONDS
        self._update(self._cgroups.memory_kills(), now)

    def _update(self, counter: tuple[str, int] | None, now: float) -> None:
        if counter is None:
            return
        path, count = counter
        if path == self._path and count > self._count:
            self._previous_count, self._increased_at = self._count, now
        self._path, self._count = path, count

    @property
    def has_counter(self) -> bool:
        """Whether there is a counter that would show a kill."""
        return self._path is not None

    def recent_kill(self, now: float) -> str | None:
        """Evidence of a kill shortly before the script's end, for people; None where there was none."""
        if self._path is not None:
            # Read by its path: a dead process no longer shows which group it was in.
            self._update(self._cgroups.memory_kills_at(self._path), now)
        if self._increased_at is None or now - self._increased_at > RECENT_SECONDS:
            return None
        return f"{self._path}: oom_kill went from {self._previous_count} to {self._count}"
