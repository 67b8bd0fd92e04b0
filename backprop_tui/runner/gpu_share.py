"""A run's use of its GPUs, from the sampler's newest readings; the guardian itself asks no GPU."""

from __future__ import annotations

import time

from backprop_tui.domain.governor.claims import own_use_bytes
from backprop_tui.domain.governor.freshness import answers
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.domain.values import dataclass
from backprop_tui.probes.readings_file import read_readings
from backprop_tui.store.fields import JsonObject

SAMPLE_SECONDS = 2.0  # readings older than three of these are not used


@dataclass(frozen=True, slots=True)
class GpuShare:
    """Fresh readings of the run's GPUs; empty where it has none or none of the readings are fresh."""

    run_id: str
    gpus: tuple[GpuReading, ...]

    @property
    def vram_bytes(self) -> int | None:
        """The run's memory on the GPU where it uses most; None where no use of it was measured."""
        uses = [use for gpu in self.gpus if (use := own_use_bytes(gpu, self.run_id)) is not None]
        return max(uses, default=None)

    @property
    def temperature_celsius(self) -> float | None:
        """The temperature of the hottest of its GPUs."""
        return max((gpu.temperature_celsius for gpu in self.gpus if gpu.temperature_celsius is not None), default=None)

    def to_json(self) -> list[JsonObject]:
        """One object per GPU, for resources.jsonl."""
        return [
            {
                "uuid": gpu.uuid,
                "memory_bytes": own_use_bytes(gpu, self.run_id),
                "temperature_celsius": gpu.temperature_celsius,
                "utilization_percent": gpu.utilization_percent,
                "power_watts": gpu.power_watts,
            }
            for gpu in self.gpus
        ]


def share_of(run_id: str, gpus: tuple[Gpu, ...], readings_path: str) -> GpuShare:
    """The run's share according to the readings file."""
    readings = read_readings(readings_path) if gpus else None
    if readings is None:
        return GpuShare(run_id, ())
    age = time.time() - readings.time
    own_uuids = {gpu.uuid for gpu in gpus}
    return GpuShare(
        run_id,
        tuple(
            gpu
            for gpu in readings.gpus
            if gpu.uuid in own_uuids and answers(gpu, readings_age_seconds=age, sample_seconds=SAMPLE_SECONDS)
        ),
    )
