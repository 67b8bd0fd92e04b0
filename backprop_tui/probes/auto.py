"""Selects the GPU probe: the requested one, or the first of NVML, nvidia-smi and AMD that works."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.domain.values import dataclass
from backprop_tui.probes.gpu_probe import GpuProbe, ProbeUnavailable
from backprop_tui.probes.none import NoneProbe

AUTO = "auto"
NONE = "none"
PROBE_ORDER = ("nvml", "nvidia-smi", "amd")
# Integrated graphics share the RAM and are not used for training unless requested.
MIN_VRAM_BYTES = 2_000_000_000

ProbeFactories = Mapping[str, Callable[[], GpuProbe]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeChoice:
    """The selected probe, and in `passed_over` why each probe before it was not selected.

    `problem` is set if a probe that should work does not: then `name` is that probe, and no GPU is measured.
    """

    probe: GpuProbe
    name: str
    problem: str | None = None
    passed_over: Mapping[str, str] = field(default_factory=dict)


class ProbeSelector:
    """Creates each probe only once, so that after a hang in `open` the next attempt continues waiting for it."""

    def __init__(self, requested: str, factories: ProbeFactories, order: Sequence[str] = PROBE_ORDER) -> None:
        """Select `requested`, a key of `factories`, or for `auto` the first in `order` that works."""
        self._names = tuple(order) if requested == AUTO else (requested,)
        self._requested = requested
        self._factories = factories
        self._probes: dict[str, GpuProbe] = {}

    def choose(self) -> ProbeChoice:
        """Open the first probe that can be opened; may take as long as the sum of their time limits."""
        passed_over: dict[str, str] = {}
        broken: str | None = None
        for name in self._names:
            probe = self._probe(name)
            try:
                probe.open()
            except ProbeUnavailable as error:
                passed_over[name] = error.problem
                if broken is None and (not error.absent or self._requested != AUTO):
                    broken = name
                continue
            return ProbeChoice(probe=probe, name=name, passed_over=passed_over)
        problem = None if broken is None else passed_over[broken]
        return ProbeChoice(probe=NoneProbe(), name=broken or NONE, problem=problem, passed_over=passed_over)

    def _probe(self, name: str) -> GpuProbe:
        if name not in self._probes:
            self._probes[name] = self._factories[name]()
        return self._probes[name]


def probe_factories(
    requested: str, *, sample_seconds: float, previous: Mapping[int, tuple[GpuReading, float]] | None = None
) -> ProbeFactories:
    """Factories of all probes; each imports its module when called. For `previous` see NvmlProbe."""

    def nvml() -> GpuProbe:
        from backprop_tui.probes.nvml import NvmlProbe

        return NvmlProbe(sample_seconds=sample_seconds, previous=previous)

    def nvidia_smi() -> GpuProbe:
        from backprop_tui.probes.nvidia_smi import NvidiaSmiProbe

        return NvidiaSmiProbe(sample_seconds=sample_seconds, previous=previous)

    def amd() -> GpuProbe:
        from backprop_tui.probes.amd import AmdProbe

        return AmdProbe(sample_seconds=sample_seconds, min_vram_bytes=MIN_VRAM_BYTES if requested == AUTO else 0)

    def simulated() -> GpuProbe:
        from backprop_tui.probes.simulated import SimulatedProbe
        from backprop_tui.probes.simulated_loads import LoadScanner

        return SimulatedProbe(os.environ, LoadScanner())

    return {"nvml": nvml, "nvidia-smi": nvidia_smi, "amd": amd, "simulated": simulated, NONE: NoneProbe}
