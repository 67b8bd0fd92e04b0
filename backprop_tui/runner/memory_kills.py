"""Whether the script's control group lost a process for memory while the script ran."""

from __future__ import annotations

from backprop_tui.probes.cgroups import Cgroups
from backprop_tui.runner.resources import CLOSE_SECONDS

CLOSE_LOOKS = 25  # at each tick of the first seconds: a script may enter a group of its own
RECENT_SECONDS = 30.0  # a loader's worker dies some seconds before the script gives up


class MemoryKillMonitor:
    """Looks at the counter again and again; what was counted before this guardian came is not the script's end.

    Other runs may share the group: only a rise shortly before the end counts.
    """

    __slots__ = ("_cgroups", "_count", "_due", "_looks", "_path", "_risen_at", "_was")

    def __init__(self, pid: int, *, proc: str = "/proc", mount: str = "/sys/fs/cgroup") -> None:
        self._cgroups = Cgroups(proc=proc, mount=mount, process=str(pid))
        self._path: str | None = None
        self._count = self._was = 0
        self._risen_at: float | None = None
        self._due = 0.0
        self._looks = 0

    def look(self, now: float) -> None:
        """Looks when it is time to; `now` is monotonic."""
        if now < self._due:
            return
        self._looks += 1
        self._due = now if self._looks < CLOSE_LOOKS else now + CLOSE_SECONDS
        self._take(self._cgroups.memory_kills(), now)

    def _take(self, found: tuple[str, int] | None, now: float) -> None:
        if found is None:
            return
        path, count = found
        if path == self._path and count > self._count:
            self._was, self._risen_at = self._count, now
        self._path, self._count = path, count

    @property
    def counts(self) -> bool:
        """Whether there is a counter that would show a kill."""
        return self._path is not None

    def before_end(self, now: float) -> str | None:
        """The rise shortly before the script's end, in words; None where there was none."""
        if self._path is not None:
            self._take(self._again(self._path), now)
        if self._risen_at is None or now - self._risen_at > RECENT_SECONDS:
            return None
        return f"{self._path}: oom_kill went from {self._was} to {self._count}"

    def _again(self, path: str) -> tuple[str, int] | None:
        """The same counter once more: the script is dead, and no longer says which group was its."""
        return self._cgroups.memory_kills_at(path)
