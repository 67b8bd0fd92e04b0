"""Reads the limits and OOM counters of the cgroups (v1 and v2) that contain a process, up to the root."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from backprop_tui.processes.kernel_files import read_kernel_file

# cgroup v1 represents "no limit" by the largest page-aligned number.
NO_LIMIT = 1 << 60


class Cgroups:
    """The cgroups of a process; every call reads the files again, since limits may change."""

    __slots__ = ("_known", "_membership", "_mount", "_proc", "_process")

    def __init__(self, *, proc: str, mount: str, process: str = "self") -> None:
        self._proc = proc
        self._mount = mount
        self._process = process
        self._membership = ""  # what the kernel says, for which the directories are known
        self._known: dict[str, tuple[str, ...]] = {}  # by controller

    def memory(self) -> Iterator[tuple[int, int]]:
        """Returns the limit and usage in bytes of each group with a limit; usage excludes reclaimable page cache."""
        for folder in self._folders(""):
            limit = _number(f"{folder}/memory.max")
            if limit is not None:
                yield limit, _used(folder, "memory.current", "inactive_file")
        for folder in self._folders("memory"):
            limit = _number(f"{folder}/memory.limit_in_bytes")
            if limit is not None and limit < NO_LIMIT:
                yield limit, _used(folder, "memory.usage_in_bytes", "total_inactive_file")

    def memory_kills(self) -> tuple[str, int] | None:
        """Returns the path and value of the innermost group's counter of OOM kills; None if there is no such counter.

        The kernel counts a victim in its own group, even if a parent group or the machine ran out of memory.
        See Documentation/admin-guide/cgroup-v2.rst, memory.events, and cgroup-v1/memory.rst, memory.oom_control.
        """
        for controller, names in (("", ("memory.events.local", "memory.events")), ("memory", ("memory.oom_control",))):
            for folder in self._folders(controller):
                for name in names:
                    counter = self.memory_kills_at(f"{folder}/{name}")
                    if counter is not None:
                        return counter
        return None

    @staticmethod
    def memory_kills_at(path: str) -> tuple[str, int] | None:
        """Like `memory_kills`, for the counter at `path`; None if it cannot be read."""
        match = re.search(r"^oom_kill (\d+)$", _read_text(path), re.MULTILINE)
        return None if match is None else (path, int(match[1]))

    def cpu_quotas(self) -> Iterator[float]:
        """Returns the number of cores that each group with a quota may use."""
        for folder in self._folders(""):
            fields = _read_text(f"{folder}/cpu.max").split()
            if len(fields) == 2 and fields[0].isdigit() and int(fields[1]) > 0:
                yield int(fields[0]) / int(fields[1])
        for folder in self._folders("cpu"):
            quota, period = _number(f"{folder}/cpu.cfs_quota_us"), _number(f"{folder}/cpu.cfs_period_us")
            if quota is not None and quota > 0 and period:
                yield quota / period

    def _folders(self, controller: str) -> tuple[str, ...]:
        """The directories of the process's group and its parents, looked for again when it is in another group."""
        membership = _read_text(f"{self._proc}/{self._process}/cgroup")
        if membership != self._membership:
            self._membership, self._known = membership, {}
        if controller not in self._known:
            self._known[controller] = tuple(self._find_folders(controller))
        return self._known[controller]

    def _find_folders(self, controller: str) -> Iterator[str]:
        """Yields the directories of the process's group for a controller ("" means v2) and of all visible parents.

        Inside a container the path may not exist below the mount; then the root of the mount is the group.
        """
        path = self._path(controller)
        # v2 is mounted alone, or as "unified" next to v1.
        mounts = [f"{self._mount}/{controller}"] if controller else [self._mount, f"{self._mount}/unified"]
        for mount in mounts:
            if path is None or not os.path.isdir(mount):
                continue
            parts = [part for part in path.split("/") if part]
            while parts:
                folder = os.path.join(mount, *parts)
                if os.path.isdir(folder):
                    yield folder
                parts.pop()
            yield mount

    def _path(self, controller: str) -> str | None:
        """Returns the path of the process's group in the controller's tree. See cgroups(7), /proc/PID/cgroup."""
        for line in self._membership.splitlines():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if controller in controllers.split(","):
                return path
        return None


def _used(folder: str, current: str, reclaimable: str) -> int:
    used = _number(f"{folder}/{current}") or 0
    for line in _read_text(f"{folder}/memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == reclaimable and value.isdigit():
            return max(0, used - int(value))
    return used


def _number(path: str) -> int | None:
    """Returns the number in a file; None if it has none, or contains "max"."""
    text = _read_text(path).strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _read_text(path: str) -> str:
    """Returns the content of a file; empty if it cannot be read, since a controller may be missing at any level."""
    try:
        return read_kernel_file(path).decode("ascii", "replace")
    except OSError:
        return ""
