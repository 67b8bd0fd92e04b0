"""Where the supervisor's readings come from: the sampler's file, and for the host, where that is old, /proc itself."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from backprop_tui.domain.governor.freshness import is_stale
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, Readings
from backprop_tui.launchers.sampler_process import READINGS
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.readings_file import read_readings
from backprop_tui.store.home import Home

FRESH_SECONDS = 3.0  # of the host
HOST_SECONDS = 0.2


class ReadingsSource:
    """The newest readings; asking never blocks, for no GPU is asked here."""

    def __init__(self, home: Home, told: Readings | None = None) -> None:
        """`told` are readings that somebody else has just taken, instead of the sampler's file."""
        self._told = told
        self._path = home.host_file(READINGS)
        self._host = HostProbe(disk_path=home.root)
        self._own: Readings | None = None
        self.probe = "auto"
        self.sample_seconds = 1.0
        self.gpus_known = False
        self.broken_since: str | None = None

    def latest(self) -> Readings:
        """What the sampler wrote last; the host's half is never older than three seconds.

        A machine whose probe found no GPU earlier in this boot has none: a cold start need not wait for the sampler.
        """
        now = time.time()
        sampled = self._told or (None if self.probe == "none" else read_readings(self._path))
        self.gpus_known = sampled is not None or self.probe == "none"
        readings = self._combined(sampled, now)
        self._remember_break(readings, now)
        return readings

    def written_at(self) -> int | None:
        """When the sampler wrote last, in nanoseconds, to be compared alone; None where it never did."""
        try:
            return os.stat(self._path).st_mtime_ns
        except OSError:
            return None

    def _combined(self, sampled: Readings | None, now: float) -> Readings:
        if sampled is None:
            return self._own_reading(now)
        age = abs(now - sampled.time)
        if age <= FRESH_SECONDS:
            return sampled
        own = self._own_reading(now)
        aged = tuple(_aged(gpu, age, self.sample_seconds) for gpu in sampled.gpus)
        return replace(own, gpus=aged, probe=sampled.probe, probe_problem=sampled.probe_problem)

    def _own_reading(self, now: float) -> Readings:
        if self._own is None or abs(now - self._own.time) > HOST_SECONDS:
            self._own = Readings(time=now, host=self._host.read())
        return self._own

    def _remember_break(self, readings: Readings, now: float) -> None:
        if readings.probe_problem is None:
            self.broken_since = None
        elif self.broken_since is None:
            self.broken_since = time.strftime("%H:%M", time.localtime(now))


def _aged(gpu: GpuReading, seconds: float, sample_seconds: float) -> GpuReading:
    """The GPU as it was that long ago; stale where it is sampled more often than that."""
    age = gpu.age_seconds + seconds
    stale = gpu.health in (GpuHealth.OK, GpuHealth.HOT) and is_stale(age, sample_seconds)
    return replace(gpu, health=GpuHealth.STALE if stale else gpu.health, age_seconds=age)
