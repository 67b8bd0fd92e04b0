"""Measures the host: CPU, load, RAM and disk, the cgroup's limits where they are tighter."""

from __future__ import annotations

import os

from backprop_tui.domain.telemetry import HostReading
from backprop_tui.probes.cgroups import Cgroups

_MIN_COUNTERS = 5  # of /proc/stat: up to the time spent waiting for disks


class HostProbe:
    """Keeps the last CPU counters, so that each reading tells of the time since the one before."""

    def __init__(self, *, disk_path: str, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> None:
        """`disk_path` is where runs are recorded; `proc` and `cgroups` are the roots of those file systems."""
        self._disk_path = disk_path
        self._proc = proc
        self._cgroups = Cgroups(proc=proc, mount=cgroups)
        self._ticks: tuple[int, int] | None = None

    def read(self) -> HostReading:
        """What can be measured now; what cannot is None."""
        total, available = self._ram()
        return HostReading(
            cpu_percent=self._cpu_percent(),
            load_1m=self._load(),
            cores=self._cores(),
            ram_total_bytes=total,
            ram_available_bytes=available,
            disk_free_bytes=self._disk_free(),
        )

    def _ram(self) -> tuple[int | None, int | None]:
        """Total and available, of the machine or of the tightest cgroup around us."""
        fields = self._meminfo()
        total, available = fields.get("MemTotal"), fields.get("MemAvailable")
        for limit, used in self._cgroups.memory():
            total = limit if total is None else min(total, limit)
            free = max(0, limit - used)
            available = free if available is None else min(available, free)
        return total, available

    def _meminfo(self) -> dict[str, int]:
        """Bytes by name. See proc(5), /proc/meminfo."""
        fields: dict[str, int] = {}
        try:
            with open(f"{self._proc}/meminfo", encoding="ascii") as file:
                for line in file:
                    name, _, rest = line.partition(":")
                    words = rest.split()
                    if words and words[0].isdigit():
                        fields[name] = int(words[0]) * 1024
        except OSError:
            return {}
        return fields

    def _cpu_percent(self) -> float | None:
        """Busy share of all cores since the last reading, 0 to 100; None for the first. See proc(5), /proc/stat."""
        try:
            with open(f"{self._proc}/stat", encoding="ascii") as file:
                words = file.readline().split()
        except OSError:
            return None
        counts = [int(word) for word in words[1:9] if word.isdecimal()]  # guest time is part of user time
        if words[:1] != ["cpu"] or len(counts) < _MIN_COUNTERS:
            return None
        idle, total = counts[3] + counts[4], sum(counts)
        before, self._ticks = self._ticks, (idle, total)
        if before is None or total <= before[1]:
            return None
        return round(100 * (1 - (idle - before[0]) / (total - before[1])), 1)

    def _load(self) -> float | None:
        try:
            with open(f"{self._proc}/loadavg", encoding="ascii") as file:
                return float(file.read().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _cores(self) -> float:
        """Cores this process may use: its affinity, or the cgroup's quota where that is less."""
        return min([float(len(os.sched_getaffinity(0))), *self._cgroups.cpu_quotas()])

    def _disk_free(self) -> int | None:
        try:
            found = os.statvfs(self._disk_path)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize
