"""Checks whether a run can start on a GPU now: health, reservation, temperature, free VRAM.

A missing reading disables its check for that GPU: unified memory and MIG have no memory figure, some drivers report no
temperature. A GPU that does not answer is never suitable.
"""

from __future__ import annotations

from backprop_tui.domain.formatting import duration, gigabytes_down, gigabytes_up, plain
from backprop_tui.domain.governor.active import BY_HEAT
from backprop_tui.domain.governor.claims import free_after_claims, outstanding_bytes
from backprop_tui.domain.governor.heat import continue_below_celsius, start_below_celsius
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.governor.snapshot import Candidate, Snapshot
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading


def unfit_reasons(candidate: Candidate, snapshot: Snapshot, gpu: GpuReading) -> tuple[HoldReason, ...]:
    """Returns all reasons against starting the run on this GPU now; for one that does not answer, only that reason."""
    unhealthy = _check_health(snapshot, gpu)
    if unhealthy is not None:
        return (unhealthy,)
    reasons = (check(candidate, snapshot, gpu) for check in (_check_reservation, _check_temperature, _check_memory))
    return tuple(reason for reason in reasons if reason is not None)


def _needed_vram_bytes(candidate: Candidate, snapshot: Snapshot, gpu: GpuReading) -> int:
    """The free VRAM that a run needs to start on a GPU.

    The margin above a learned peak only applies when the GPU is shared with other runs. With it on an empty GPU, a run
    that once filled a card would never start again.
    """
    if snapshot.runs_on(gpu):
        return candidate.claim_bytes
    return max(candidate.limits.gpu_min_free_vram_bytes, candidate.learned_peak_bytes or 0)


def _check_health(snapshot: Snapshot, gpu: GpuReading) -> HoldReason | None:
    if snapshot.answers(gpu):
        return None
    problem = f": {gpu.problem}" if gpu.problem else ""
    health = gpu.health
    match health:
        case GpuHealth.LOST:
            state = "lost"
        case GpuHealth.UNKNOWN:
            state = "never answered"
        case GpuHealth.OK | GpuHealth.HOT | GpuHealth.STALE:
            health = GpuHealth.STALE
            state = f"not answering for {duration(gpu.age_seconds + snapshot.readings_age_seconds)}"
    return HoldReason(
        check=Check.GPU_HEALTH,
        figure=health.value,
        limit=GpuHealth.OK.value,
        gpu=gpu.index,
        message=f"GPU {gpu.index} {state}{problem}",
    )


def _check_reservation(candidate: Candidate, snapshot: Snapshot, gpu: GpuReading) -> HoldReason | None:
    reservation = snapshot.reservation
    if reservation is None or reservation.run_id == candidate.id or gpu.uuid not in reservation.gpu_uuids:
        return None
    message = f"GPU {gpu.index} kept for {reservation.run_name}"
    return HoldReason(check=Check.GPU_COUNT, figure=0, limit=1, gpu=gpu.index, message=message)


def _check_temperature(candidate: Candidate, snapshot: Snapshot, gpu: GpuReading) -> HoldReason | None:
    """If a run on the GPU is paused for heat, a start waits for the same temperature, or it would keep that paused."""
    limits, temperature = candidate.limits, gpu.temperature_celsius
    if limits.gpu_max_temp_celsius <= 0 or temperature is None:
        return None
    below = start_below_celsius(limits)
    if any(run.paused_by == BY_HEAT for run in snapshot.runs_on(gpu)):
        below = min(below, continue_below_celsius(limits))
    if temperature < below:
        return None
    return HoldReason(
        check=Check.GPU_TEMPERATURE,
        figure=temperature,
        limit=below,
        gpu=gpu.index,
        message=f"GPU {gpu.index} too hot, {plain(temperature)} °C, starts below {plain(below)}",
    )


def _check_memory(candidate: Candidate, snapshot: Snapshot, gpu: GpuReading) -> HoldReason | None:
    free = free_after_claims(gpu, snapshot.claims)
    needed = _needed_vram_bytes(candidate, snapshot, gpu)
    if candidate.limits.gpu_min_free_vram_bytes <= 0 or free is None or free >= needed:
        return None
    return HoldReason(
        check=Check.GPU_MEMORY,
        figure=max(0, free),
        limit=needed,
        gpu=gpu.index,
        message=f"GPU {gpu.index}{_memory_obstacle(snapshot, gpu, free, needed)}",
    )


def _memory_obstacle(snapshot: Snapshot, gpu: GpuReading, free: int, needed: int) -> str:
    """Names the obstacle: the size of the card, a claim, another user's process, or just the memory in use."""
    total = gpu.memory_total_bytes or 0
    if total < needed:
        return f" has {gigabytes_down(total)} GB in total, needs {gigabytes_up(needed)}"
    claimed = outstanding_bytes(gpu, snapshot.claims)
    if claimed and free + claimed >= needed:
        return f" claimed by {_largest_claimant(snapshot, gpu)}, still loading"
    message = f": {gigabytes_down(max(0, free))} GB free, needs {gigabytes_up(needed)}"
    process = _largest_foreign_process(gpu)
    if process is not None and free + (process.memory_bytes or 0) >= needed:
        owner = f" ({process.owner})" if process.owner else ""
        message += f", pid {process.pid}{owner} holds {gigabytes_down(process.memory_bytes or 0)}"
    return message


def _largest_claimant(snapshot: Snapshot, gpu: GpuReading) -> str:
    claims = [claim for claim in snapshot.claims if claim.gpu_uuid == gpu.uuid]
    return max(claims, key=lambda claim: outstanding_bytes(gpu, [claim])).run_name


def _largest_foreign_process(gpu: GpuReading) -> GpuProcess | None:
    foreign = [process for process in gpu.processes if process.run is None and process.memory_bytes is not None]
    return max(foreign, key=lambda process: process.memory_bytes or 0, default=None)
