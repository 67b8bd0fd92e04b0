"""Simulated GPUs for demos, laptops and tests, whose memory and temperature follow the runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence

from backprop_tui.domain.governor.heat import is_hot
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import DEFAULT_HOT_CELSIUS
from backprop_tui.probes.simulated_gpu import MODELS, GpuModel, SimulatedGpu, SimulatedLoad

GPUS_VARIABLE = "BACKPROP_SIMULATED_GPUS"
AMBIENT_VARIABLE = "BACKPROP_SIMULATED_AMBIENT_C"
DEFAULT_GPUS = "2xH100"
DEFAULT_AMBIENT_CELSIUS = 27.0
MAX_GPUS = 64

_PART = re.compile(r"(?:(\d+)\s*x\s*)?([a-z0-9]+)", re.IGNORECASE)

# Returns the loads on the GPUs with the given UUIDs, by UUID.
Loads = Callable[[Sequence[str]], Mapping[str, Sequence[SimulatedLoad]]]


def parse_gpus(text: str) -> tuple[GpuModel, ...]:
    """Parse a list of models such as `2xH100,RTX4090`.

    Raises:
        ProbeUnavailable: the list is not valid.
    """
    models: list[GpuModel] = []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        model = MODELS.get(match[2].lower()) if match else None
        count = int(match[1] or 1) if match else 0
        if model is None or not 1 <= count + len(models) <= MAX_GPUS:
            known = ", ".join(sorted(name.upper() for name in MODELS))
            rule = f"write a number, x and a model, like 2xH100 or H100,RTX4090; known: {known}; at most {MAX_GPUS}"
            raise ProbeUnavailable(f"{GPUS_VARIABLE}={text!r}: {rule}")
        models.extend([model] * count)
    return tuple(models)


class SimulatedProbe:
    """Simulates GPUs deterministically: the same seed, clock and loads give the same readings."""

    name = "simulated"

    def __init__(
        self,
        environment: Mapping[str, str],
        loads: Loads,
        *,
        seed: str = "backprop",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`environment` defines the GPUs; `loads` is called at each reading."""
        self._environment = environment
        self._loads = loads
        self._seed = seed
        self._clock = clock
        self._gpus: dict[str, SimulatedGpu] = {}
        self._read_at: float | None = None

    def open(self) -> None:
        """Create the GPUs the first time.

        Raises:
            ProbeUnavailable: an environment variable is not valid.
        """
        models = parse_gpus(self._environment.get(GPUS_VARIABLE, "").strip() or DEFAULT_GPUS)
        ambient_celsius = _ambient_celsius(self._environment)
        for index, model in enumerate(() if self._gpus else models):
            uuid = f"SIM-{index}-{model.name.split()[0].lower()}"
            seed = f"{self._seed} {index}"
            self._gpus[uuid] = SimulatedGpu(model, seed=seed, ambient_celsius=ambient_celsius)

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        """Advance the simulation by the time since the last reading and return the readings."""
        now = self._clock()
        elapsed = 0.0 if self._read_at is None else max(0.0, now - self._read_at)
        self._read_at = now
        loads = self._loads(tuple(self._gpus))
        readings = []
        for index, (uuid, gpu) in enumerate(self._gpus.items()):
            gpu_loads = loads.get(uuid, ())
            gpu.advance(now, elapsed, gpu_loads)
            readings.append(_simulated_reading(index, uuid, gpu, gpu_loads))
        return tuple(readings)

    def close(self) -> None:
        """Nothing to do: the GPUs keep their state."""


def _ambient_celsius(environment: Mapping[str, str]) -> float:
    text = environment.get(AMBIENT_VARIABLE, "").strip()
    try:
        return float(text) if text else DEFAULT_AMBIENT_CELSIUS
    except ValueError as error:
        raise ProbeUnavailable(f"{AMBIENT_VARIABLE}={text!r}: must be degrees Celsius, like 27") from error


def _simulated_reading(index: int, uuid: str, gpu: SimulatedGpu, loads: Sequence[SimulatedLoad]) -> GpuReading:
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
            GpuProcess(pid=load.pid, memory_bytes=gpu.allocated_bytes(load.run), run=load.run)
            for load in loads
            if gpu.allocated_bytes(load.run)
        ),
    )
