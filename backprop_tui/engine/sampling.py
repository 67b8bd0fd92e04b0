"""Keeps one sampler alive while there is work, with the probe that the user, or a run, asks for."""

from __future__ import annotations

import time
from collections.abc import Iterable

from backprop_tui.domain.run import Run
from backprop_tui.domain.status import UNFINISHED
from backprop_tui.engine.machine import Machine
from backprop_tui.engine.measuring import Measurements
from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.store.home import Home

NOT_CHOSEN = frozenset({"auto", "none"})


class Sampling:
    """The supervisor's sampler; none where the configuration says that no GPU is to be measured."""

    def __init__(self, home: Home, machine: Machine, measurements: Measurements) -> None:
        self._machine = machine
        self._measurements = measurements
        self._sampler = SamplerProcess(home, machine.probe, machine.limits.sample_seconds)

    @property
    def gpus_known(self) -> bool:
        """Whether the probe has answered, or needs not."""
        return self._measurements.gpus_known

    def keep(self, runs: Iterable[Run]) -> None:
        """The sampler lives, writes, and measures as is wanted now; a run's `--gpu-probe` goes before the file's."""
        asked = (run.spec.gpu_probe for run in runs if run.status in UNFINISHED)
        probe = next((name for name in asked if name not in NOT_CHOSEN), self._machine.probe)
        self._measurements.probe = probe
        if probe == "none":
            self._sampler.stop()
            return
        self._sampler.replace(probe, self._machine.limits.sample_seconds)
        self._sampler.ensure(time.monotonic())

    def stop(self) -> None:
        """Nobody needs readings any more."""
        self._sampler.stop()
