"""The guard for memory: host RAM running out, and the GPU memory limit of a run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from backprop_tui.domain.formatting import gigabytes_down, gigabytes_up
from backprop_tui.domain.governor.claims import run_usage_bytes
from backprop_tui.domain.governor.guard_view import READINGS_TO_ACT, READINGS_TO_STOP, Alarm, GuardAction, GuardView
from backprop_tui.domain.governor.snapshot import BY_RAM, ActiveRun
from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.domain.requests import NoticeRequest, PauseRequest, StopRequest
from backprop_tui.domain.telemetry import GpuReading

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
    """Whether enough RAM is known to be free for the run to continue."""
    free = view.readings.host.ram_available_bytes
    return free is not None and free >= continue_ram_bytes(run.limits)


def pause_ram_bytes(limits: RunLimits) -> int:
    """Free RAM below which the run is paused; 0 if the check is off."""
    return limits.min_free_ram_bytes // 4


def continue_ram_bytes(limits: RunLimits) -> int:
    """Free RAM from which the run is continued."""
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
        else NoticeRequest(message=f"{message}, stopped if it stays above")
    )
    return GuardAction(run_id=run.id, alarm=cause, request=request, figure=used, limit=limit)
