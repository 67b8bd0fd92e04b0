"""The model of one simulated GPU: what its runs do to its memory, power and temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from backprop_tui.domain.values import dataclass

MEMORY_FILLS_SECONDS = 6.0  # how long a run takes to allocate what it will hold
THERMAL_SECONDS = 25.0  # after which a change of temperature is 63 % done
POWER_SECONDS = 2.0
MIN_SHARE, MAX_SHARE = 0.15, 0.45  # of the memory, by a run that names no figure


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuModel:
    """The figures of a kind of GPU; at full load it settles `heat_celsius` above the air around it."""

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
    """What a run does to a GPU; `busy` is False while it is paused. `memory_bytes` None is a share by the run's id."""

    run: str
    pid: int
    busy: bool = True
    memory_bytes: int | None = None


class SimulatedGpu:
    """Advanced by the time between two readings; the same seed and times give the same figures."""

    def __init__(self, model: GpuModel, *, seed: str, ambient_celsius: float) -> None:
        self.model = model
        self._seed = seed
        self._ambient_celsius = ambient_celsius
        self._phase = Random(seed).uniform(0, 2 * math.pi)
        self._held: dict[str, float] = {}
        self.utilization_percent = 0.0
        self.watts = model.idle_watts
        self.celsius = self._settles_at(model.idle_watts)

    def advance(self, now: float, seconds: float, loads: Sequence[SimulatedLoad]) -> None:
        """Lets so many seconds pass, up to `now`, under these runs."""
        model = self.model
        busy = sum(1 for load in loads if load.busy)
        # Training waits for its data now and then; a second run fills the gaps.
        wave = 0.5 + 0.5 * math.sin(now / 3.7 + self._phase) * math.sin(now / 11.3)
        self.utilization_percent = 0.0 if not busy else min(100.0, round(99 - 14 * wave / busy))
        draws = model.idle_watts + (model.full_watts - model.idle_watts) * self.utilization_percent / 100
        self.watts = _approach(self.watts, draws, seconds / POWER_SECONDS)
        self.celsius = _approach(self.celsius, self._settles_at(self.watts), seconds / THERMAL_SECONDS)
        self._allocate(seconds, loads)

    def held_bytes(self, run: str) -> int:
        """What a run holds of the memory."""
        return int(self._held.get(run, 0))

    @property
    def used_bytes(self) -> int:
        """What all runs hold, and the driver."""
        return self.model.memory_bytes // 200 + sum(int(held) for held in self._held.values())

    def _allocate(self, seconds: float, loads: Sequence[SimulatedLoad]) -> None:
        """Memory fills while a run computes, stays while it is paused, and is free once it ended."""
        wanted = {load.run: self._wanted(load) for load in loads}
        self._held = {run: held for run, held in self._held.items() if run in wanted}
        for load in loads:
            free = self.model.memory_bytes - self.used_bytes
            held = self._held.get(load.run, 0.0)
            grows = wanted[load.run] * seconds / MEMORY_FILLS_SECONDS if load.busy else 0.0
            self._held[load.run] = max(held, min(wanted[load.run], held + grows, held + max(0, free)))

    def _wanted(self, load: SimulatedLoad) -> float:
        if load.memory_bytes is not None:
            return float(load.memory_bytes)
        share = Random(f"{self._seed} {load.run}").uniform(MIN_SHARE, MAX_SHARE)
        return self.model.memory_bytes * share

    def _settles_at(self, watts: float) -> float:
        return self._ambient_celsius + self.model.heat_celsius * watts / self.model.full_watts


def _approach(value: float, target: float, time_constants: float) -> float:
    """Exponential approach, as of anything that warms up: the same for one long step and for many short ones."""
    return target + (value - target) * math.exp(-time_constants)
