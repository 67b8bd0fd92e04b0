"""Keeps one sampler alive while there is work, with the probe that the user, or a run, asks for."""

from __future__ import annotations

import time
from collections.abc import Iterable

from backprop_tui.domain.run import Run
from backprop_tui.domain.status import UNFINISHED, Status
from backprop_tui.engine.machine import Capacity
from backprop_tui.engine.measuring import ReadingsSource
from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.processes.detached_log import note
from backprop_tui.store.home import Home

NOT_CHOSEN = frozenset({"auto", "none"})


class SamplerKeeper:
    """The supervisor's sampler; none where the configuration says that no GPU is to be measured."""

    def __init__(self, home: Home, machine: Capacity, measurements: ReadingsSource) -> None:
        self._machine = machine
        self._measurements = measurements
        self._sampler = SamplerProcess(home, machine.probe, machine.limits.sample_seconds)

    @property
    def gpus_known(self) -> bool:
        """Whether the probe has answered, or needs not."""
        return self._measurements.gpus_known

    def keep(self, runs: Iterable[Run]) -> None:
        """The sampler lives, writes, and measures as is wanted now.

        A run's `--gpu-probe` goes before the file's, that of an active run before that of one that waits.
        """
        asked = [run for run in runs if run.status in UNFINISHED and run.spec.gpu_probe not in NOT_CHOSEN]
        first = min(asked, key=lambda run: (run.status is Status.QUEUED, run.position), default=None)
        probe = self._machine.probe if first is None else first.spec.gpu_probe
        self._measurements.probe = probe
        if probe == "none":
            self._sampler.stop()
            return
        self._sampler.replace(probe, self._machine.limits.sample_seconds)
        try:
            self._sampler.ensure(time.monotonic())
        except OSError as error:
            # No memory for a process, no room for its log: runs that need no GPU go on, and it is tried again.
            note(f"the sampler cannot be started: {error.strerror}")

    def stop(self) -> None:
        """Nobody needs readings any more."""
        self._sampler.stop()
