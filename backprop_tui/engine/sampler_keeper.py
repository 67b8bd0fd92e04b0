"""Keeps one sampler running while there is work, with the probe that the user or a run asks for."""

from __future__ import annotations

import time
from collections.abc import Iterable

from backprop_tui.domain.run import Run
from backprop_tui.domain.status import UNFINISHED, Status
from backprop_tui.engine.capacity import Capacity
from backprop_tui.engine.readings import ReadingsSource
from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.processes.detached_log import note
from backprop_tui.store.home import Home

NO_PREFERENCE = frozenset({"auto", "none"})


class SamplerKeeper:
    """Owns the supervisor's sampler process; none runs where the probe is `none`."""

    def __init__(self, home: Home, capacity: Capacity, readings_source: ReadingsSource) -> None:
        self._capacity = capacity
        self._readings_source = readings_source
        self._sampler = SamplerProcess(home, capacity.probe, capacity.limits.sample_seconds)

    @property
    def gpus_known(self) -> bool:
        """Whether the probe has answered, or is not needed."""
        return self._readings_source.gpus_known

    def ensure(self, runs: Iterable[Run]) -> None:
        """Makes sure that a sampler with the right probe and interval is running; stops it where there is no probe.

        A run's `--gpu-probe` takes precedence over the configuration file, and active runs over queued ones.
        """
        choosing = [run for run in runs if run.status in UNFINISHED and run.spec.gpu_probe not in NO_PREFERENCE]
        first = min(choosing, key=lambda run: (run.status is Status.QUEUED, run.position), default=None)
        probe = self._capacity.probe if first is None else first.spec.gpu_probe
        self._readings_source.probe = probe
        if probe == "none":
            self._sampler.stop()
            return
        self._sampler.replace(probe, self._capacity.limits.sample_seconds)
        try:
            self._sampler.ensure(time.monotonic())
        except OSError as error:
            # No memory for a process or no room for its log: runs without GPUs still start, and we try again.
            note(f"cannot start the sampler: {error.strerror}")

    def stop(self) -> None:
        self._sampler.stop()
