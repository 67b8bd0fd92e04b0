"""Input and output of the guard's checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from backprop_tui.domain.governor.snapshot import ActiveRun
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.requests import ContinueRequest, NoticeRequest, PauseRequest, StopRequest
from backprop_tui.domain.telemetry import STALE_AFTER_SAMPLES, GpuReading, Readings, answers

# A single reading may be wrong, two are not; a reported problem stops the run after twice as many.
READINGS_TO_ACT = 2
READINGS_TO_STOP = 4
# How often the guard runs. With a shorter sampling interval, the readings in between do not count as missing.
GUARD_INTERVAL_SECONDS = 1.0


class Alarm(StrEnum):
    """A condition that the guard acts on; all but RAM are also kinds of causes."""

    OVERHEATED = "overheated"
    RAM = "ram"
    MEMORY_LIMIT = "memory_limit"
    GPU_LOST = "gpu_lost"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GuardAction:
    """A request to one run, with the measured figure and its limit: degrees Celsius, bytes or seconds."""

    run_id: str
    alarm: Alarm
    request: StopRequest | PauseRequest | ContinueRequest | NoticeRequest
    figure: float | None = None
    limit: float | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuHistory:
    """Consecutive readings of one GPU, the newest first; `measured_at` is the time of the newest."""

    readings: tuple[GpuReading, ...]
    measured_at: float

    @property
    def newest(self) -> GpuReading:
        return self.readings[0]

    def newest_match(self, count: int, condition: Callable[[GpuReading], bool]) -> bool:
        """Whether a condition held at each of the newest `count` readings."""
        return len(self.readings) >= count and all(condition(gpu) for gpu in self.readings[:count])


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GuardView:
    """The machine at one step of the guard.

    `runs` are those that may get commands: active and not stopping. `histories` has the GPUs that answer, by UUID.
    `reported` are continuing alarms that were already reported. The seconds since the guard's last pause, and last
    pause or continuation, for RAM are infinite if there was none.
    """

    runs: tuple[ActiveRun, ...]
    readings: Readings
    histories: Mapping[str, GpuHistory]
    reported: frozenset[tuple[str, Alarm]]
    seconds_since_ram_pause: float
    seconds_since_ram_action: float

    def histories_of(self, run: ActiveRun) -> list[GpuHistory]:
        """Returns the histories of the run's GPUs that answer."""
        return [self.histories[uuid] for uuid in run.gpu_uuids if uuid in self.histories]

    def all_gpus_answer(self, run: ActiveRun) -> bool:
        return len(self.histories_of(run)) == len(run.gpu_uuids)


def update_histories(
    histories: Mapping[str, GpuHistory], readings: Readings, *, readings_age_seconds: float, sample_seconds: float
) -> dict[str, GpuHistory]:
    """Adds a reading to the history of each GPU.

    A GPU that does not answer has no history. The same reading does not count twice, and a reading after a gap starts
    a new history.
    """
    return {
        gpu.uuid: _extended_history(histories.get(gpu.uuid), gpu, readings.time - gpu.age_seconds, sample_seconds)
        for gpu in readings.gpus
        if answers(gpu, readings_age_seconds=readings_age_seconds, sample_seconds=sample_seconds)
    }


def _extended_history(
    history: GpuHistory | None, gpu: GpuReading, measured_at: float, sample_seconds: float
) -> GpuHistory:
    if history is None:
        return GpuHistory(readings=(gpu,), measured_at=measured_at)
    elapsed = measured_at - history.measured_at
    # Of a repeated reading: its age grows with the time, except for rounding.
    if abs(elapsed) < sample_seconds / 4:
        return history
    if not 0 < elapsed <= STALE_AFTER_SAMPLES * max(sample_seconds, GUARD_INTERVAL_SECONDS):
        return GpuHistory(readings=(gpu,), measured_at=measured_at)
    return GpuHistory(readings=(gpu, *history.readings)[:READINGS_TO_STOP], measured_at=measured_at)
