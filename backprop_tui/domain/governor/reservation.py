"""Reserves GPUs for a run that waits at the head of the queue, so that small runs do not starve a big one.

Small runs may overtake a run that does not fit yet. But once the first run that waits for GPUs has waited for five
minutes, the GPUs it needs are reserved: nothing new starts on them, runs there may finish, and each pass considers the
waiting run first. Nothing is reserved for a run that does not fit on this machine at all, that waits for another run,
or that is held for other reasons than GPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.domain.governor.placement import (
    eligible_gpus,
    gpu_preference,
    place,
    required_gpu_count,
    unfit_reasons,
)
from backprop_tui.domain.governor.snapshot import Candidate, Placement, Reservation, Snapshot
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import GpuHealth, GpuReading

RESERVE_AFTER_SECONDS = 300.0

_GONE = frozenset({GpuHealth.LOST, GpuHealth.UNKNOWN})


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class HeadOfQueue:
    """The first run of the queue that waits for GPUs, and the monotonic time since when it has been the first."""

    run_id: str
    since: float


def head_of_queue(previous: HeadOfQueue | None, queue: Sequence[Candidate], snapshot: Snapshot) -> HeadOfQueue | None:
    """Returns the head for this pass over the queue; None if no run waits for GPUs.

    The head of the last pass stays unless a run before it waits, even if something else holds it for a moment.
    """
    free_for_all = replace(snapshot, reservation=None)
    for candidate in queue:
        stays = previous is not None and previous.run_id == candidate.id
        if _could_run(candidate, snapshot) and (stays or _waits_for_gpus(candidate, free_for_all)):
            return previous if stays else HeadOfQueue(run_id=candidate.id, since=snapshot.now)
    return None


def reserve(head: HeadOfQueue | None, queue: Sequence[Candidate], snapshot: Snapshot) -> Reservation | None:
    """Reserves GPUs for the head once it has waited long enough: suitable ones first, then the closest to suitable."""
    if head is None or snapshot.now - head.since < RESERVE_AFTER_SECONDS:
        return None
    free_for_all = replace(snapshot, reservation=None)
    candidate = next((candidate for candidate in queue if candidate.id == head.run_id), None)
    if candidate is None or not _waits_for_gpus(candidate, free_for_all):
        return None

    def nearness(gpu: GpuReading) -> tuple[bool, bool, tuple[int, int, int]]:
        fit = not unfit_reasons(candidate, free_for_all, gpu)
        return not fit, not snapshot.answers(gpu), gpu_preference(snapshot, gpu)

    nearest = sorted(_large_enough(candidate, snapshot), key=nearness)
    kept = nearest[: required_gpu_count(candidate, snapshot.readings.gpus)]
    return Reservation(run_id=candidate.id, run_name=candidate.name, gpu_uuids=frozenset(gpu.uuid for gpu in kept))


def _waits_for_gpus(candidate: Candidate, snapshot: Snapshot) -> bool:
    return not isinstance(place(candidate, snapshot), Placement)


def _could_run(candidate: Candidate, snapshot: Snapshot) -> bool:
    """Whether the run has no unmet dependency and would fit on this machine once the other runs have ended."""
    required = required_gpu_count(candidate, snapshot.readings.gpus)
    return not candidate.awaited and 0 < required <= len(_large_enough(candidate, snapshot))


def _large_enough(candidate: Candidate, snapshot: Snapshot) -> list[GpuReading]:
    """The eligible GPUs that are large enough for the run once the other runs have ended."""
    needed = max(candidate.limits.gpu_min_free_vram_bytes, candidate.learned_peak_bytes or 0)
    return [
        gpu
        for gpu in eligible_gpus(candidate, snapshot.readings.gpus)
        if gpu.health not in _GONE and _has_room(snapshot, gpu, needed)
    ]


def _has_room(snapshot: Snapshot, gpu: GpuReading, needed: int) -> bool:
    """Whether foreign processes leave that much; without a run on the GPU, all memory in use is theirs."""
    if gpu.memory_total_bytes is None or gpu.memory_used_bytes is None:
        return True
    if not snapshot.runs_on(gpu):
        return gpu.memory_total_bytes - gpu.memory_used_bytes >= needed
    foreign = sum(process.memory_bytes or 0 for process in gpu.processes if process.owner and process.run is None)
    return gpu.memory_total_bytes - foreign >= needed
