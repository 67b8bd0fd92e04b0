"""Picks the GPU probe: the one that was asked for, or the first of NVML, nvidia-smi and AMD that works."""

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
# A processor's own graphics shares the RAM and is no place for training unless somebody asks for it.
MIN_VRAM_BYTES = 2_000_000_000

ProbeFactories = Mapping[str, Callable[[], GpuProbe]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeChoice:
    """What was picked, and why the others were not.

    `problem` is set where a probe that should work does not: then none is measured, under the name of the broken one.
    """

    probe: GpuProbe
    name: str
    problem: str | None = None
    passed_over: Mapping[str, str] = field(default_factory=dict)


class ProbeSelector:
    """Makes each probe once, so that one which hung in opening is asked again for the answer, not anew."""

    def __init__(self, requested: str, factories: ProbeFactories, order: Sequence[str] = PROBE_ORDER) -> None:
        """`requested` is `auto` or a key of `factories`."""
        self._names = tuple(order) if requested == AUTO else (requested,)
        self._requested = requested
        self._makers = factories
        self._made: dict[str, GpuProbe] = {}

    def choose(self) -> ProbeChoice:
        """Opens the first that can be opened; may take as long as their time limits together."""
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
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]


def probe_factories(
    requested: str, *, sample_seconds: float, before: Mapping[int, tuple[GpuReading, float]] | None = None
) -> ProbeFactories:
    """The probes of this machine; each loads its module when it is made. `before` is as NvmlProbe takes it."""

    def nvml() -> GpuProbe:
        from backprop_tui.probes.nvml import NvmlProbe

        return NvmlProbe(sample_seconds=sample_seconds, previous=before)

    def nvidia_smi() -> GpuProbe:
        from backprop_tui.probes.nvidia_smi import NvidiaSmiProbe

        return NvidiaSmiProbe(sample_seconds=sample_seconds, previous=before)

    def amd() -> GpuProbe:
        from backprop_tui.probes.amd import AmdProbe

        return AmdProbe(sample_seconds=sample_seconds, min_vram_bytes=MIN_VRAM_BYTES if requested == AUTO else 0)

    def simulated() -> GpuProbe:
        from backprop_tui.probes.simulated import SimulatedProbe
        from backprop_tui.probes.simulated_loads import LoadScanner

        return SimulatedProbe(os.environ, LoadScanner())

    return {"nvml": nvml, "nvidia-smi": nvidia_smi, "amd": amd, "simulated": simulated, NONE: NoneProbe}
