"""What the guard's checks look at and what they answer with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from backprop_tui.domain.governor.active import ActiveRun
from backprop_tui.domain.governor.freshness import STALE_AFTER_SAMPLES, answers
from backprop_tui.domain.requests import ContinueRequest, PauseRequest, StopRequest, TellRequest
from backprop_tui.domain.telemetry import GpuReading, Readings
from backprop_tui.domain.values import dataclass

# One reading may be wrong, two are not; after twice as many something that was told of ends the run.
READINGS_TO_ACT = 2
READINGS_TO_STOP = 4
# How often the guard looks; where it is sampled more often, the readings between are not missed.
LOOK_SECONDS = 1.0


class Alarm(StrEnum):
    """What the guard acts on; all but RAM are causes of an end too."""

    OVERHEATED = "overheated"
    RAM = "ram"
    MEMORY_LIMIT = "memory_limit"
    GPU_LOST = "gpu_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardAction:
    """A request to one run, with the figure that called for it and its limit: degrees Celsius, bytes or seconds."""

    run_id: str
    alarm: Alarm
    request: StopRequest | PauseRequest | ContinueRequest | TellRequest
    figure: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Readings of one GPU, the newest first, none missing between them; `measured_at` is the time of the newest."""

    readings: tuple[GpuReading, ...]
    measured_at: float

    @property
    def newest(self) -> GpuReading:
        """The last that is known of the GPU."""
        return self.readings[0]

    def lasts(self, count: int, holds: Callable[[GpuReading], bool]) -> bool:
        """Whether something held at each of the newest `count` readings."""
        return len(self.readings) >= count and all(holds(gpu) for gpu in self.readings[:count])


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The machine as one step of the guard sees it.

    `runs` are those that may be commanded: active and not stopping. `tracks` has the GPUs that answer, by UUID.
    `told` are the alarms that stand for a run since it was told of them. The seconds since the guard's last pause, and
    last pause or continuing, for RAM are infinite when there was none.
    """

    runs: tuple[ActiveRun, ...]
    readings: Readings
    tracks: Mapping[str, Track]
    told: frozenset[tuple[str, Alarm]]
    seconds_since_ram_pause: float
    seconds_since_ram_action: float

    def tracks_of(self, run: ActiveRun) -> list[Track]:
        """The run's GPUs that answer."""
        return [self.tracks[uuid] for uuid in run.gpu_uuids if uuid in self.tracks]

    def sees_all_of(self, run: ActiveRun) -> bool:
        """Whether every GPU of the run answers."""
        return len(self.tracks_of(run)) == len(run.gpu_uuids)


def follow(
    tracks: Mapping[str, Track], readings: Readings, *, readings_age_seconds: float, sample_seconds: float
) -> dict[str, Track]:
    """The tracks after a reading.

    A GPU that does not answer has none. A reading that was seen already is not counted twice, however often it is
    looked at; one that comes after a gap begins anew.
    """
    return {
        gpu.uuid: _longer(tracks.get(gpu.uuid), gpu, readings.time - gpu.age_seconds, sample_seconds)
        for gpu in readings.gpus
        if answers(gpu, readings_age_seconds=readings_age_seconds, sample_seconds=sample_seconds)
    }


def _longer(track: Track | None, gpu: GpuReading, measured_at: float, sample_seconds: float) -> Track:
    if track is None:
        return Track(readings=(gpu,), measured_at=measured_at)
    passed = measured_at - track.measured_at
    # The age of a reading that is shown again grows as the time does, but for rounding.
    if abs(passed) < sample_seconds / 4:
        return track
    if not 0 < passed <= STALE_AFTER_SAMPLES * max(sample_seconds, LOOK_SECONDS):
        return Track(readings=(gpu,), measured_at=measured_at)
    return Track(readings=(gpu, *track.readings)[:READINGS_TO_STOP], measured_at=measured_at)
