"""Measures the host's CPU, load, RAM and disk, taking cgroup limits into account.

It parses /proc itself because the supervisor, which uses only the standard library, measures the host too.
"""

from __future__ import annotations

import os

from backprop_tui.domain.telemetry import HostReading
from backprop_tui.probes.cgroups import Cgroups
from backprop_tui.processes.kernel_files import read_kernel_file
from backprop_tui.store.files import free_disk_bytes

_MEMORY_FIELDS = ("MemTotal", "MemAvailable")
_MIN_COUNTERS = 5  # of /proc/stat: up to iowait


class HostProbe:
    """Measures the host; CPU use is that since the previous reading."""

    def __init__(self, *, disk_path: str, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> None:
        """`disk_path` is a path on the disk to measure; `proc` and `cgroups` are mount points."""
        self._disk_path = disk_path
        self._proc = proc
        self._cgroups = Cgroups(proc=proc, mount=cgroups)
        self._ticks: tuple[int, int] | None = None

    def read(self) -> HostReading:
        total, available = self.ram()
        return HostReading(
            cpu_percent=self._cpu_percent(),
            load_1m=self._load(),
            cores=self._cores(),
            ram_total_bytes=total,
            ram_available_bytes=available,
            disk_free_bytes=free_disk_bytes(self._disk_path),
        )

    def ram(self) -> tuple[int | None, int | None]:
        """Returns total and available bytes, of the machine or of the tightest cgroup."""
        fields = self._meminfo()
        total, available = fields.get("MemTotal"), fields.get("MemAvailable")
        for limit, used in self._cgroups.memory():
            total = limit if total is None else min(total, limit)
            free = max(0, limit - used)
            available = free if available is None else min(available, free)
        return total, available

    def _meminfo(self) -> dict[str, int]:
        """Returns the bytes by field name. See proc(5), /proc/meminfo."""
        fields: dict[str, int] = {}
        for line in self._read("meminfo").splitlines():
            name, _, rest = line.partition(":")
            words = rest.split() if name in _MEMORY_FIELDS else ()
            if words and words[0].isdigit():
                fields[name] = int(words[0]) * 1024
        return fields

    def _read(self, name: str) -> str:
        """The content of a file of /proc; empty if it cannot be read."""
        try:
            return read_kernel_file(f"{self._proc}/{name}").decode("ascii", "replace")
        except OSError:
            return ""

    def _cpu_percent(self) -> float | None:
        """Returns the use of all cores since the last reading, 0 to 100; None at first. See proc(5), /proc/stat."""
        words = self._read("stat").partition("\n")[0].split()
        counts = [int(word) for word in words[1:9] if word.isdecimal()]  # guest time is part of user time
        if words[:1] != ["cpu"] or len(counts) < _MIN_COUNTERS:
            return None
        idle, total = counts[3] + counts[4], sum(counts)
        previous, self._ticks = self._ticks, (idle, total)
        if previous is None or total <= previous[1]:
            return None
        return round(100 * (1 - (idle - previous[0]) / (total - previous[1])), 1)

    def _load(self) -> float | None:
        try:
            return float(self._read("loadavg").split()[0])
        except (ValueError, IndexError):
            return None

    def _cores(self) -> float:
        """Returns the number of cores this process may use, by its affinity and the cgroup's quota."""
        return min([float(len(os.sched_getaffinity(0))), *self._cgroups.cpu_quotas()])
