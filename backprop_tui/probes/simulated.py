"""GPUs that do not exist, for demos, laptops and tests: labelled so, with memory and heat that follow the runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence

from backprop_tui.domain.governor.heat import is_hot
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.domain.values import dataclass
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import DEFAULT_HOT_CELSIUS
from backprop_tui.probes.simulated_gpu import MODELS, GpuModel, SimulatedGpu, SimulatedLoad

GPUS_VARIABLE = "BACKPROP_SIMULATED_GPUS"
AMBIENT_VARIABLE = "BACKPROP_SIMULATED_AMBIENT_C"
DEFAULT_GPUS = "2xH100"
DEFAULT_AMBIENT_CELSIUS = 27.0
MOST_GPUS = 64

_PART = re.compile(r"(?:(\d+)\s*x\s*)?([a-z0-9]+)", re.IGNORECASE)

# The loads on each GPU, by its UUID, of GPUs with these UUIDs.
Loads = Callable[[Sequence[str]], Mapping[str, Sequence[SimulatedLoad]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Which GPUs, and the air around them."""

    models: tuple[GpuModel, ...]
    ambient_celsius: float = DEFAULT_AMBIENT_CELSIUS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Simulation:
        """As the variables say: `2xH100`, `H100,RTX4090`.

        Raises:
            ProbeUnavailable: a variable cannot be understood.
        """
        ambient = environment.get(AMBIENT_VARIABLE, "").strip() or str(DEFAULT_AMBIENT_CELSIUS)
        try:
            celsius = float(ambient)
        except ValueError as error:
            raise ProbeUnavailable(f"{AMBIENT_VARIABLE}={ambient!r}: must be degrees Celsius, like 27") from error
        return cls(
            models=parse_gpus(environment.get(GPUS_VARIABLE, "").strip() or DEFAULT_GPUS), ambient_celsius=celsius
        )


def parse_gpus(text: str) -> tuple[GpuModel, ...]:
    """The models that `2xH100,RTX4090` means.

    Raises:
        ProbeUnavailable: it means none.
    """
    models: list[GpuModel] = []
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        model = MODELS.get(found[2].lower()) if found else None
        count = int(found[1] or 1) if found else 0
        if model is None or not 1 <= count + len(models) <= MOST_GPUS:
            known = ", ".join(sorted(one.upper() for one in MODELS))
            rule = f"write a number, x and a model, like 2xH100 or H100,RTX4090; known: {known}; at most {MOST_GPUS}"
            raise ProbeUnavailable(f"{GPUS_VARIABLE}={text!r}: {rule}")
        models.extend([model] * count)
    return tuple(models)


class SimulatedProbe:
    """Deterministic: the same seed, clock and loads give the same figures."""

    name = "simulated"

    def __init__(
        self,
        environment: Mapping[str, str],
        loads: Loads,
        *,
        seed: str = "backprop",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`environment` says which GPUs; `loads` is asked at each reading."""
        self._environment = environment
        self._loads = loads
        self._seed = seed
        self._clock = clock
        self._gpus: dict[str, SimulatedGpu] = {}
        self._read_at: float | None = None

    def open(self) -> None:
        """Makes the GPUs, the first time.

        Raises:
            ProbeUnavailable: the environment describes none.
        """
        simulation = Simulation.from_environment(self._environment)
        for index, model in enumerate(() if self._gpus else simulation.models):
            uuid = f"SIM-{index}-{model.name.split()[0].lower()}"
            seed = f"{self._seed} {index}"
            self._gpus[uuid] = SimulatedGpu(model, seed=seed, ambient_celsius=simulation.ambient_celsius)

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        """Every GPU after the time since the last reading."""
        now = self._clock()
        passed = 0.0 if self._read_at is None else max(0.0, now - self._read_at)
        self._read_at = now
        loads = self._loads(tuple(self._gpus))
        readings = []
        for index, (uuid, gpu) in enumerate(self._gpus.items()):
            on_this = loads.get(uuid, ())
            gpu.advance(now, passed, on_this)
            readings.append(_reading(index, uuid, gpu, on_this))
        return tuple(readings)

    def close(self) -> None:
        """The GPUs stay as they are."""


def _reading(index: int, uuid: str, gpu: SimulatedGpu, loads: Sequence[SimulatedLoad]) -> GpuReading:
    celsius = float(round(gpu.celsius))
    fan = max(0.0, min(100.0, round((celsius - 40) * 2.2))) if gpu.model.has_fan else None
    return GpuReading(
        index=index,
        uuid=uuid,
        name=f"{gpu.model.name} (simulated)",
        health=GpuHealth.HOT if is_hot(celsius, DEFAULT_HOT_CELSIUS) else GpuHealth.OK,
        temperature_celsius=celsius,
        utilization_percent=gpu.utilization_percent,
        memory_total_bytes=gpu.model.memory_bytes,
        memory_used_bytes=gpu.used_bytes,
        power_watts=round(gpu.watts, 1),
        fan_percent=fan,
        processes=tuple(
            GpuProcess(pid=load.pid, memory_bytes=gpu.held_bytes(load.run), run=load.run)
            for load in loads
            if gpu.held_bytes(load.run)
        ),
    )
