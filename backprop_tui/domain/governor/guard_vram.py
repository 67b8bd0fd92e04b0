"""The guard of a run's own GPU memory limit, by what its process tree is seen to use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from backprop_tui.domain.formatting import gigabytes_down, gigabytes_up
from backprop_tui.domain.governor.active import ActiveRun
from backprop_tui.domain.governor.claims import own_use_bytes
from backprop_tui.domain.governor.guard_view import READINGS_TO_ACT, READINGS_TO_STOP, Alarm, GuardAction, View
from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.requests import StopRequest, TellRequest
from backprop_tui.domain.telemetry import GpuReading


def enforce_memory_limits(view: View) -> Iterator[GuardAction]:
    """Above the limit on one GPU for two readings: told; for two more: ended gracefully."""
    for run in view.runs:
        told = (run.id, Alarm.MEMORY_LIMIT) in view.told
        readings = READINGS_TO_STOP if told else READINGS_TO_ACT
        for track in view.tracks_of(run):
            if track.lasts(readings, partial(is_above_limit, run)):
                yield _action(run, track.newest, told=told)
                break


def is_above_limit(run: ActiveRun, gpu: GpuReading) -> bool:
    """Whether the run is known to hold more of the GPU than it may."""
    used, limit = own_use_bytes(gpu, run.id), limit_bytes(run.limits.gpu_memory_limit, gpu)
    return used is not None and limit is not None and used > limit


def is_within_limit(run: ActiveRun, view: View) -> bool:
    """Whether the run keeps to its limit on all its GPUs, each of which answers."""
    return view.sees_all_of(run) and not any(is_above_limit(run, track.newest) for track in view.tracks_of(run))


def limit_bytes(limit: MemoryLimit | None, gpu: GpuReading) -> int | None:
    """The limit in bytes of this GPU; None where there is none, or no total to take a share of."""
    if limit is None:
        return None
    if limit.bytes is not None:
        return limit.bytes or None
    if not limit.fraction or gpu.memory_total_bytes is None:
        return None
    return int(limit.fraction * gpu.memory_total_bytes)


def _action(run: ActiveRun, gpu: GpuReading, *, told: bool) -> GuardAction:
    used = own_use_bytes(gpu, run.id) or 0
    limit = limit_bytes(run.limits.gpu_memory_limit, gpu) or 0
    words = f"GPU {gpu.index}: {gigabytes_up(used)} GB used, limit {gigabytes_down(limit)}"
    cause = Alarm.MEMORY_LIMIT
    request = (
        StopRequest(by=cause.value, reason=words, cause=cause.value)
        if told
        else TellRequest(message=f"{words}, stopped if it stays above")
    )
    return GuardAction(run_id=run.id, alarm=cause, request=request, figure=used, limit=limit)
