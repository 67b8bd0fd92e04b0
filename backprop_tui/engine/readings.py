"""The supervisor's readings: the sampler it keeps running, and /proc for host figures when the sampler is silent."""

from __future__ import annotations

import os
import time
from _thread import allocate_lock  # loading `threading` would delay the first start
from collections.abc import Iterable
from dataclasses import replace

from backprop_tui.domain.run import Run
from backprop_tui.domain.status import UNFINISHED, Status
from backprop_tui.domain.telemetry import Readings, aged
from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.presentation.durations import clock_of_day
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.readings import read_readings
from backprop_tui.processes.detached_log import note
from backprop_tui.store.home import Home

FRESH_SECONDS = 3.0  # host readings of the sampler are used up to this age
HOST_SECONDS = 1.0  # our own host readings are used up to this age, as old as those of a sampler may be


class ReadingsSource:
    """Provides the newest readings. Never blocks, since it asks no GPU itself."""

    def __init__(self, home: Home, readings: Readings | None = None) -> None:
        """`readings`: the caller's own fresh readings, to be used in place of the sampler's file."""
        self._given = readings
        self._path = home.readings
        self._host_probe = HostProbe(disk_path=home.root)
        self._host_readings: Readings | None = None
        self._measuring = allocate_lock()
        self.machine_probe = "auto"  # of the configuration file
        self.probe = "auto"  # in use: a run may ask for another
        self.sample_seconds = 1.0
        self.gpus_known = False
        self._broken_at: float | None = None

    def latest(self) -> Readings:
        """The newest readings; the host's part is at most three seconds old.

        If the probe found no GPU earlier in this boot, there is none: a cold start need not wait for the sampler.
        """
        now = time.time()
        sampled = self._given or (None if self.probe == "none" else read_readings(self._path))
        self.gpus_known = sampled is not None or self.probe == "none"
        readings = self._with_fresh_host(sampled, now)
        self._track_probe_problem(readings, now)
        return readings

    @property
    def broken_since(self) -> str | None:
        """The local time at which the probe broke; None if it works."""
        return None if self._broken_at is None else clock_of_day(self._broken_at, time.time())

    def written_at(self) -> int | None:
        """The modification time of the sampler's file in nanoseconds, only for comparison; None without a file."""
        try:
            return os.stat(self._path).st_mtime_ns
        except OSError:
            return None

    def _with_fresh_host(self, sampled: Readings | None, now: float) -> Readings:
        if sampled is None:
            return self._read_host(now)
        age = abs(now - sampled.time)
        if age <= FRESH_SECONDS:
            return sampled
        host = self._read_host(now)
        gpus = tuple(aged(gpu, age, self.sample_seconds) for gpu in sampled.gpus)
        return replace(host, gpus=gpus, probe=sampled.probe, probe_problem=sampled.probe_problem)

    def _read_host(self, now: float) -> Readings:
        with self._measuring:  # a pass and a check of the guard often begin at the same moment
            if self._host_readings is None or abs(now - self._host_readings.time) > HOST_SECONDS:
                self._host_readings = Readings(time=now, host=self._host_probe.read())
            return self._host_readings

    def _track_probe_problem(self, readings: Readings, now: float) -> None:
        if readings.probe_problem is None:
            self._broken_at = None
        elif self._broken_at is None:
            self._broken_at = now


NO_PREFERENCE = frozenset({"auto", "none"})


class SamplerKeeper:
    """Owns the supervisor's sampler process; none runs if the probe is `none`."""

    def __init__(self, home: Home, source: ReadingsSource) -> None:
        self._source = source
        self._asked: tuple[Iterable[Run], str | None] = ((), None)  # runs, and the probe that one of them asks for
        self._sampler = SamplerProcess(home, source.machine_probe, source.sample_seconds)

    @property
    def gpus_known(self) -> bool:
        """Whether the probe has answered, or is not needed."""
        return self._source.gpus_known

    @property
    def has_probe(self) -> bool:
        """Whether a sampler is to run."""
        return self._source.probe != "none"

    def ensure(self, runs: Iterable[Run]) -> None:
        """Makes sure that a sampler with the right probe and interval is running; stops it if there is no probe.

        A run's `--gpu-probe` takes precedence over the configuration file, and active runs over queued ones.
        """
        if self._asked[0] is not runs:
            choosing = [run for run in runs if run.spec.gpu_probe not in NO_PREFERENCE and run.status in UNFINISHED]
            first = min(choosing, key=lambda run: (run.status is Status.QUEUED, run.position), default=None)
            self._asked = runs, None if first is None else first.spec.gpu_probe
        self._source.probe = probe = self._asked[1] or self._source.machine_probe
        if probe == "none":
            self._sampler.stop()
            return
        self._sampler.replace(probe, self._source.sample_seconds)
        try:
            self._sampler.ensure(time.monotonic())
        except OSError as error:
            # No memory for a process or no room for its log: runs without GPUs still start, and we try again.
            note(f"cannot start the sampler: {error.strerror}")

    def stop(self) -> None:
        self._sampler.stop()
