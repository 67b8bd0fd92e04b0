"""Claims on VRAM: memory that a run which has just started will allocate but has not allocated yet.

A GPU's free memory does not account for a run that is still importing its framework, so each start claims memory on
each of its GPUs. A claim counts as far as the run does not use it yet, until the run's use has reached it or the run
has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.telemetry import GpuReading

LEARNED_MARGIN_PERCENT = 10
UNSEEN_CLAIM_SECONDS = 600.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Bytes of one GPU that a run may still allocate; `since` is the monotonic time of the run's start."""

    run_id: str
    run_name: str
    gpu_uuid: str
    bytes: int
    since: float


def claim_bytes(limits: RunLimits, learned_peak_bytes: int | None) -> int:
    """Returns the bytes that a run claims on each of its GPUs, at least its minimum of free VRAM.

    `learned_peak_bytes` is the peak of an earlier run of the same script and arguments; a tenth is added as a margin.
    """
    return max(limits.gpu_min_free_vram_bytes, -(-(learned_peak_bytes or 0) * (100 + LEARNED_MARGIN_PERCENT) // 100))


def run_usage_bytes(gpu: GpuReading, run_id: str) -> int | None:
    """Returns the GPU memory used by the processes of a run; None if the driver reports it for none of them."""
    held = [process.memory_bytes for process in gpu.processes if process.run == run_id]
    known = [count for count in held if count is not None]
    return sum(known) if known else None


def outstanding_bytes(gpu: GpuReading, claims: Iterable[Claim]) -> int:
    return sum(
        max(0, claim.bytes - (run_usage_bytes(gpu, claim.run_id) or 0))
        for claim in claims
        if claim.gpu_uuid == gpu.uuid
    )


def free_after_claims(gpu: GpuReading, claims: Iterable[Claim]) -> int | None:
    """Returns the free VRAM less the outstanding claims; negative if too much was claimed.

    None if the GPU does not report its memory: unified memory, MIG.
    """
    if gpu.memory_total_bytes is None or gpu.memory_used_bytes is None:
        return None
    return gpu.memory_total_bytes - gpu.memory_used_bytes - outstanding_bytes(gpu, claims)


def outstanding_claims(
    claims: Iterable[Claim], gpus: Iterable[GpuReading], active_ids: Collection[str], *, now: float
) -> tuple[Claim, ...]:
    """Returns the claims that still count after a reading.

    A claim ends with its run, or when the run's use has reached it, or when it was probably allocated unseen: inside
    containers drivers do not always report a process or its memory. So a claim without a measured use ends after ten
    minutes, but only if the unattributed memory of that GPU is large enough for all such claims.
    """
    active = tuple(claim for claim in claims if claim.run_id in active_ids)
    fulfilled = {
        (claim.run_id, gpu.uuid)
        for gpu in gpus
        for claim in _fulfilled_claims([claim for claim in active if claim.gpu_uuid == gpu.uuid], gpu, now)
    }
    return tuple(claim for claim in active if (claim.run_id, claim.gpu_uuid) not in fulfilled)


def _fulfilled_claims(claims: list[Claim], gpu: GpuReading, now: float) -> Iterator[Claim]:
    unseen_bytes = 0
    unseen: list[Claim] = []
    for claim in claims:
        use = run_usage_bytes(gpu, claim.run_id)
        if use is None:
            unseen.append(claim)
            unseen_bytes += claim.bytes
        elif use >= claim.bytes:
            yield claim
    if _unattributed_bytes(gpu) >= unseen_bytes:
        yield from (claim for claim in unseen if now - claim.since >= UNSEEN_CLAIM_SECONDS)


def _unattributed_bytes(gpu: GpuReading) -> int:
    known = sum(process.memory_bytes or 0 for process in gpu.processes if process.run or process.owner)
    return (gpu.memory_used_bytes or 0) - known
