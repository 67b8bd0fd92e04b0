"""Model of one simulated GPU: how its memory, power and temperature depend on the runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from backprop_tui.domain.values import dataclass

MEMORY_FILLS_SECONDS = 6.0  # how long a run takes to allocate its memory
THERMAL_SECONDS = 25.0  # time constant: 63 % of a temperature change takes this long
POWER_SECONDS = 2.0  # time constant
MIN_SHARE, MAX_SHARE = 0.15, 0.45  # of the memory, for a run that does not specify an amount


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuModel:
    """Specification of a GPU model; at full load it settles at `heat_celsius` above the ambient temperature."""

    name: str
    memory_bytes: int
    idle_watts: float
    full_watts: float
    heat_celsius: float
    has_fan: bool


_MEBIBYTE = 1 << 20
MODELS = {
    model.name.split()[0].lower(): model
    for model in (
        GpuModel(name="H100 80GB", memory_bytes=81559 * _MEBIBYTE, idle_watts=70, full_watts=690, heat_celsius=50,
                 has_fan=False),
        GpuModel(name="A100 80GB", memory_bytes=81920 * _MEBIBYTE, idle_watts=55, full_watts=395, heat_celsius=47,
                 has_fan=False),
        GpuModel(name="RTX4090 24GB", memory_bytes=24564 * _MEBIBYTE, idle_watts=20, full_watts=445, heat_celsius=48,
                 has_fan=True),
        GpuModel(name="RTX3060 12GB", memory_bytes=12288 * _MEBIBYTE, idle_watts=13, full_watts=168, heat_celsius=46,
                 has_fan=True),
        GpuModel(name="T4 16GB", memory_bytes=15360 * _MEBIBYTE, idle_watts=10, full_watts=70, heat_celsius=52,
                 has_fan=False),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedLoad:
    """A run on a GPU; `busy` is False while it is paused. `memory_bytes` None: a share derived from the run's id."""

    run: str
    pid: int
    busy: bool = True
    memory_bytes: int | None = None


class SimulatedGpu:
    """The state of one GPU; the same seed and times give the same values."""

    def __init__(self, model: GpuModel, *, seed: str, ambient_celsius: float) -> None:
        self.model = model
        self._seed = seed
        self._ambient_celsius = ambient_celsius
        self._phase = Random(seed).uniform(0, 2 * math.pi)
        self._allocated: dict[str, float] = {}
        self.utilization_percent = 0.0
        self.watts = model.idle_watts
        self.celsius = self._equilibrium_celsius(model.idle_watts)

    def advance(self, now: float, seconds: float, loads: Sequence[SimulatedLoad]) -> None:
        """Advance the simulation by `seconds`, up to `now`, with these loads."""
        model = self.model
        busy = sum(1 for load in loads if load.busy)
        # Training sometimes waits for data; a second run fills the gaps.
        wave = 0.5 + 0.5 * math.sin(now / 3.7 + self._phase) * math.sin(now / 11.3)
        self.utilization_percent = 0.0 if not busy else min(100.0, round(99 - 14 * wave / busy))
        target_watts = model.idle_watts + (model.full_watts - model.idle_watts) * self.utilization_percent / 100
        self.watts = _approach(self.watts, target_watts, seconds / POWER_SECONDS)
        self.celsius = _approach(self.celsius, self._equilibrium_celsius(self.watts), seconds / THERMAL_SECONDS)
        self._allocate(seconds, loads)

    def allocated_bytes(self, run: str) -> int:
        """Memory allocated by a run."""
        return int(self._allocated.get(run, 0))

    @property
    def used_bytes(self) -> int:
        """Memory used by all runs and the driver."""
        return self.model.memory_bytes // 200 + sum(int(size) for size in self._allocated.values())

    def _allocate(self, seconds: float, loads: Sequence[SimulatedLoad]) -> None:
        """Grow the memory of busy runs, keep that of paused runs, and free that of ended runs."""
        targets = {load.run: self._target_bytes(load) for load in loads}
        self._allocated = {run: size for run, size in self._allocated.items() if run in targets}
        for load in loads:
            free = self.model.memory_bytes - self.used_bytes
            size = self._allocated.get(load.run, 0.0)
            growth = targets[load.run] * seconds / MEMORY_FILLS_SECONDS if load.busy else 0.0
            self._allocated[load.run] = max(size, min(targets[load.run], size + growth, size + max(0, free)))

    def _target_bytes(self, load: SimulatedLoad) -> float:
        if load.memory_bytes is not None:
            return float(load.memory_bytes)
        share = Random(f"{self._seed} {load.run}").uniform(MIN_SHARE, MAX_SHARE)
        return self.model.memory_bytes * share

    def _equilibrium_celsius(self, watts: float) -> float:
        return self._ambient_celsius + self.model.heat_celsius * watts / self.model.full_watts


def _approach(value: float, target: float, time_constants: float) -> float:
    """Exponential approach; one long step gives the same result as many short ones."""
    return target + (value - target) * math.exp(-time_constants)
