"""The guard's checks of running runs: heat, memory, lost GPUs and long pauses; with their input and output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial

from backprop_tui.domain.formatting import duration, gigabytes_down, gigabytes_up, plain
from backprop_tui.domain.governor.claims import run_usage_bytes
from backprop_tui.domain.governor.snapshot import ActiveRun
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MemoryLimit, RunLimits, continue_below_celsius, is_hot
from backprop_tui.domain.requests import (
    BY_HEAT,
    BY_RAM,
    GUARD_PAUSES,
    ContinueRequest,
    NoticeRequest,
    PauseRequest,
    StopRequest,
)
from backprop_tui.domain.telemetry import STALE_AFTER_SAMPLES, GpuHealth, GpuReading, Readings, answers

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


def pause_overheated(view: GuardView) -> Iterator[GuardAction]:
    """Acts on runs with a GPU at or above the limit for two readings: pauses, stops or warns them, as configured."""
    for run in view.runs:
        hottest = _overheated_gpu(run, view)
        if run.paused_by is not None or hottest is None:
            continue
        request = _overheat_request(run, hottest)
        if isinstance(request, NoticeRequest) and (run.id, Alarm.OVERHEATED) in view.reported:
            continue
        yield GuardAction(
            run_id=run.id,
            alarm=Alarm.OVERHEATED,
            request=request,
            figure=hottest.temperature_celsius,
            limit=run.limits.gpu_max_temp_celsius,
        )


def is_cool(run: ActiveRun, view: GuardView) -> bool:
    """Whether every GPU of the run is known to be below the limit by the margin."""
    below = continue_below_celsius(run.limits)
    temperatures = [history.newest.temperature_celsius for history in view.histories_of(run)]
    return view.all_gpus_answer(run) and all(celsius is not None and celsius < below for celsius in temperatures)


def is_gpu_hot(run: ActiveRun, view: GuardView) -> bool:
    return any(_at_limit(run, history.newest) for history in view.histories_of(run))


def hottest_gpu(run: ActiveRun, view: GuardView) -> GpuReading | None:
    """Returns the hottest GPU of the run; None if no temperature is known."""
    gpus = [history.newest for history in view.histories_of(run) if history.newest.temperature_celsius is not None]
    return max(gpus, key=lambda gpu: gpu.temperature_celsius or 0.0, default=None)


def _overheated_gpu(run: ActiveRun, view: GuardView) -> GpuReading | None:
    overheated = [
        history.newest
        for history in view.histories_of(run)
        if history.newest_match(READINGS_TO_ACT, lambda gpu: _at_limit(run, gpu))
    ]
    return max(overheated, key=lambda gpu: gpu.temperature_celsius or 0.0, default=None)


def _at_limit(run: ActiveRun, gpu: GpuReading) -> bool:
    return is_hot(gpu.temperature_celsius, run.limits.gpu_max_temp_celsius)


def _overheat_request(run: ActiveRun, gpu: GpuReading) -> PauseRequest | StopRequest | NoticeRequest:
    limits = run.limits
    message = (
        f"GPU {gpu.index} at {plain(gpu.temperature_celsius or 0.0)} °C, limit {plain(limits.gpu_max_temp_celsius)}"
    )
    match limits.on_overheat:
        case "warn":
            return NoticeRequest(message=message)
        case "stop":
            return StopRequest(by=BY_HEAT, reason=message, cause=Alarm.OVERHEATED.value)
        case _:
            reason = f"{message}, continues below {plain(continue_below_celsius(limits))}"
            return PauseRequest(by=BY_HEAT, reason=reason, gpu=gpu.index, celsius=gpu.temperature_celsius)


# A pause takes effect, and a reading shows it, before the next run is paused or continued.
SETTLE_SECONDS = 10.0


def pause_when_ram_is_low(view: GuardView) -> Iterator[GuardAction]:
    """Pauses the youngest of the runs by whose limits RAM is low."""
    free = view.readings.host.ram_available_bytes
    affected = [run for run in view.runs if run.paused_by is None and is_low(run, view)]
    if free is None or not affected or view.seconds_since_ram_pause < SETTLE_SECONDS:
        return
    youngest = max(affected, key=lambda run: (run.started_at, run.id))
    limit, enough = pause_ram_bytes(youngest.limits), continue_ram_bytes(youngest.limits)
    reason = f"RAM {gigabytes_down(free)} GB free, limit {gigabytes_up(limit)}, continues from {gigabytes_up(enough)}"
    request = PauseRequest(by=BY_RAM, reason=reason)
    yield GuardAction(run_id=youngest.id, alarm=Alarm.RAM, request=request, figure=free, limit=limit)


def is_low(run: ActiveRun, view: GuardView) -> bool:
    """Whether RAM is low by the run's limits; False if the free RAM is unknown."""
    free = view.readings.host.ram_available_bytes
    return free is not None and free < pause_ram_bytes(run.limits)


def has_recovered(run: ActiveRun, view: GuardView) -> bool:
    free = view.readings.host.ram_available_bytes
    return free is not None and free >= continue_ram_bytes(run.limits)


def pause_ram_bytes(limits: RunLimits) -> int:
    """Free RAM below which the run is paused; 0 if the check is off."""
    return limits.min_free_ram_bytes // 4


def continue_ram_bytes(limits: RunLimits) -> int:
    return limits.min_free_ram_bytes // 2


def enforce_memory_limits(view: GuardView) -> Iterator[GuardAction]:
    """Warns a run that is above its limit on one GPU for two readings, and stops it after two more."""
    for run in view.runs:
        reported = (run.id, Alarm.MEMORY_LIMIT) in view.reported
        count = READINGS_TO_STOP if reported else READINGS_TO_ACT
        for history in view.histories_of(run):
            if history.newest_match(count, partial(is_above_limit, run)):
                yield _memory_limit_action(run, history.newest, reported=reported)
                break


def is_above_limit(run: ActiveRun, gpu: GpuReading) -> bool:
    """Whether the run is known to use more of the GPU than it may."""
    used, limit = run_usage_bytes(gpu, run.id), limit_bytes(run.limits.gpu_memory_limit, gpu)
    return used is not None and limit is not None and used > limit


def is_within_limit(run: ActiveRun, view: GuardView) -> bool:
    """Whether all GPUs of the run answer and it is within its limit on each."""
    return view.all_gpus_answer(run) and not any(is_above_limit(run, gpu.newest) for gpu in view.histories_of(run))


def limit_bytes(limit: MemoryLimit | None, gpu: GpuReading) -> int | None:
    """Returns the limit in bytes on this GPU; None if there is none, or if the GPU's total is unknown."""
    if limit is None:
        return None
    if limit.bytes is not None:
        return limit.bytes or None
    if not limit.fraction or gpu.memory_total_bytes is None:
        return None
    return int(limit.fraction * gpu.memory_total_bytes)


def _memory_limit_action(run: ActiveRun, gpu: GpuReading, *, reported: bool) -> GuardAction:
    used = run_usage_bytes(gpu, run.id) or 0
    limit = limit_bytes(run.limits.gpu_memory_limit, gpu) or 0
    message = f"GPU {gpu.index}: {gigabytes_up(used)} GB used, limit {gigabytes_down(limit)}"
    cause = Alarm.MEMORY_LIMIT
    request = (
        StopRequest(by=cause.value, reason=message, cause=cause.value)
        if reported
        else NoticeRequest(message=f"{message}, the run will be stopped if it stays above the limit")
    )
    return GuardAction(run_id=run.id, alarm=cause, request=request, figure=used, limit=limit)


def report_lost_gpus(view: GuardView) -> Iterator[GuardAction]:
    """Reports lost GPUs of a run, once for as long as one is lost."""
    for run in view.runs:
        lost = lost_gpus(run, view)
        if lost and (run.id, Alarm.GPU_LOST) not in view.reported:
            problem = f": {lost[0].problem}" if lost[0].problem else ""
            numbers = ", ".join(str(gpu.index) for gpu in lost)
            request = NoticeRequest(message=f"GPU {numbers} lost{problem}, the run continues")
            yield GuardAction(run_id=run.id, alarm=Alarm.GPU_LOST, request=request)


def lost_gpus(run: ActiveRun, view: GuardView) -> list[GpuReading]:
    """Returns the run's lost GPUs, without those that only do not answer at the moment."""
    return [gpu for gpu in view.readings.gpus if gpu.uuid in run.gpu_uuids and gpu.health is GpuHealth.LOST]


def stop_long_paused(view: GuardView) -> Iterator[GuardAction]:
    """Stops runs that the guard has paused for longer than they allow; they can be resumed."""
    for run in view.runs:
        limit = run.limits.max_pause_seconds
        if run.paused_by not in GUARD_PAUSES or not 0 < limit <= run.paused_seconds:
            continue
        alarm = Alarm.OVERHEATED if run.paused_by == BY_HEAT else Alarm.RAM
        reason = f"paused for {run.paused_by} for {duration(run.paused_seconds)}, at most {duration(limit)}"
        cause = alarm.value if alarm is Alarm.OVERHEATED else None
        request = StopRequest(by=run.paused_by, reason=reason, cause=cause)
        yield GuardAction(run_id=run.id, alarm=alarm, request=request, figure=run.paused_seconds, limit=limit)


def continue_cooled(view: GuardView) -> Iterator[GuardAction]:
    """Continues every run that was paused for heat and whose GPUs are all cool again."""
    for run in view.runs:
        hottest = hottest_gpu(run, view)
        if run.paused_by != BY_HEAT or hottest is None or not is_cool(run, view) or is_low(run, view):
            continue
        celsius, below = hottest.temperature_celsius or 0.0, continue_below_celsius(run.limits)
        reason = f"GPU {hottest.index} at {plain(celsius)} °C, below {plain(below)}"
        request = ContinueRequest(by=BY_HEAT, reason=reason)
        yield GuardAction(run_id=run.id, alarm=Alarm.OVERHEATED, request=request, figure=celsius, limit=below)


def continue_when_ram_recovers(view: GuardView) -> Iterator[GuardAction]:
    """Continues the oldest run that was paused for RAM, one at a time."""
    free = view.readings.host.ram_available_bytes
    ready = [
        run for run in view.runs if run.paused_by == BY_RAM and has_recovered(run, view) and not is_gpu_hot(run, view)
    ]
    if free is None or not ready or view.seconds_since_ram_action < SETTLE_SECONDS:
        return
    oldest = min(ready, key=lambda run: (run.started_at, run.id))
    needed = continue_ram_bytes(oldest.limits)
    reason = f"RAM {gigabytes_down(free)} GB free, needs {gigabytes_up(needed)}"
    request = ContinueRequest(by=BY_RAM, reason=reason)
    yield GuardAction(run_id=oldest.id, alarm=Alarm.RAM, request=request, figure=free, limit=needed)
