"""Monitors whether the script's control group loses a process to the out-of-memory killer."""

from __future__ import annotations

from backprop_tui.probes.cgroups import Cgroups
from backprop_tui.runner.resources import CLOSE_SECONDS

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
