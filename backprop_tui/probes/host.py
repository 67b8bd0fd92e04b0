"""stub"""
from __future__ import annotations

import os

from backprop_tui.domain.telemetry import HostReading


class HostProbe:
    def __init__(self, *, disk_path: str) -> None:
        self._d=disk_path
    def read(self) -> HostReading:
        s=os.statvfs(self._d)
        m={l.split(":")[0]:int(l.split()[1])*1024 for l in open("/proc/meminfo")}
        return HostReading(cpu_percent=None,load_1m=os.getloadavg()[0],cores=len(os.sched_getaffinity(0)),ram_total_bytes=m["MemTotal"],ram_available_bytes=m["MemAvailable"],disk_free_bytes=s.f_bavail*s.f_frsize)
