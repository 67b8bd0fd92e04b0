"""The guard of a run's GPU memory limit, by the measured use of its process tree."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from backprop_tui.domain.formatting import gigabytes_down, gigabytes_up
from backprop_tui.domain.governor.active import ActiveRun
from backprop_tui.domain.governor.claims import own_use_bytes
from backprop_tui.domain.governor.guard_view import READINGS_TO_ACT, READINGS_TO_STOP, Alarm, GuardAction, GuardView
from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.requests import StopRequest, TellRequest
from backprop_tui.domain.telemetry import GpuReading


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
    used, limit = own_use_bytes(gpu, run.id), limit_bytes(run.limits.gpu_memory_limit, gpu)
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
    used = own_use_bytes(gpu, run.id) or 0
    limit = limit_bytes(run.limits.gpu_memory_limit, gpu) or 0
    message = f"GPU {gpu.index}: {gigabytes_up(used)} GB used, limit {gigabytes_down(limit)}"
    cause = Alarm.MEMORY_LIMIT
    request = (
        StopRequest(by=cause.value, reason=message, cause=cause.value)
        if reported
        else TellRequest(message=f"{message}, stopped if it stays above")
    )
    return GuardAction(run_id=run.id, alarm=cause, request=request, figure=used, limit=limit)
