"""The limits of the control groups around a process, version 1 and 2, up to the root; and what they killed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

# Version 1 says "no limit" with the largest page-aligned number.
NO_LIMIT = 1 << 60


class Cgroups:
    """Reads limits again at each call: they may be changed while we run."""

    __slots__ = ("_mount", "_proc", "_process")

    def __init__(self, *, proc: str, mount: str, process: str = "self") -> None:
        self._proc = proc
        self._mount = mount
        self._process = process

    def memory(self) -> Iterator[tuple[int, int]]:
        """Limit and use in bytes of each group with a limit; page cache that can be dropped is not use."""
        for folder in self._folders(""):
            limit = _number(f"{folder}/memory.max")
            if limit is not None:
                yield limit, _used(folder, "memory.current", "inactive_file")
        for folder in self._folders("memory"):
            limit = _number(f"{folder}/memory.limit_in_bytes")
            if limit is not None and limit < NO_LIMIT:
                yield limit, _used(folder, "memory.usage_in_bytes", "total_inactive_file")

    def memory_kills(self) -> tuple[str, int] | None:
        """The counter of processes of the innermost group that were killed for memory, and where it stands.

        The kernel counts a victim in its own group, whichever group or machine had no memory left.
        See Documentation/admin-guide/cgroup-v2.rst, memory.events, and cgroup-v1/memory.rst, memory.oom_control.
        """
        for controller, names in (("", ("memory.events.local", "memory.events")), ("memory", ("memory.oom_control",))):
            for folder in self._folders(controller):
                for name in names:
                    found = self.memory_kills_at(f"{folder}/{name}")
                    if found is not None:
                        return found
        return None

    @staticmethod
    def memory_kills_at(path: str) -> tuple[str, int] | None:
        """As `memory_kills`, of a counter whose group may have no process left; None where it cannot be read."""
        found = re.search(r"^oom_kill (\d+)$", _text(path), re.MULTILINE)
        return None if found is None else (path, int(found[1]))

    def cpu_quotas(self) -> Iterator[float]:
        """Cores that each group with a quota may use."""
        for folder in self._folders(""):
            words = _text(f"{folder}/cpu.max").split()
            if len(words) == 2 and words[0].isdigit() and int(words[1]) > 0:
                yield int(words[0]) / int(words[1])
        for folder in self._folders("cpu"):
            quota, period = _number(f"{folder}/cpu.cfs_quota_us"), _number(f"{folder}/cpu.cfs_period_us")
            if quota is not None and quota > 0 and period:
                yield quota / period

    def _folders(self, controller: str) -> Iterator[str]:
        """Our group of a controller ("" is version 2) and every group above it, as far as they can be seen.

        Inside a container the path may not exist below the mount: then the mount's root is our group.
        """
        path = self._path(controller)
        for mount in self._mounts(controller):
            if path is None or not os.path.isdir(mount):
                continue
            parts = [part for part in path.split("/") if part]
            while parts:
                folder = os.path.join(mount, *parts)
                if os.path.isdir(folder):
                    yield folder
                parts.pop()
            yield mount

    def _mounts(self, controller: str) -> tuple[str, ...]:
        """Where a controller's tree is mounted: version 2 alone, or beside version 1 as "unified"."""
        if controller:
            return (os.path.join(self._mount, controller),)
        return (self._mount, os.path.join(self._mount, "unified"))

    def _path(self, controller: str) -> str | None:
        """Our path in the controller's tree. See cgroups(7), /proc/PID/cgroup."""
        for line in _text(f"{self._proc}/{self._process}/cgroup").splitlines():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if controller in controllers.split(","):
                return path
        return None


def _used(folder: str, current: str, reclaimable: str) -> int:
    used = _number(f"{folder}/{current}") or 0
    for line in _text(f"{folder}/memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == reclaimable and value.isdigit():
            return max(0, used - int(value))
    return used


def _number(path: str) -> int | None:
    """The number in a file; None where there is none, or it says "max"."""
    text = _text(path).strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _text(path: str) -> str:
    """The file's text, empty where it cannot be read: a controller may be missing at any level."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
