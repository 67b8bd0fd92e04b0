"""Placement: chooses the GPUs of a run, those with the fewest processes and then the most free VRAM."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.governor.claims import free_after_claims
from backprop_tui.domain.governor.gpu_checks import unfit_reasons
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.governor.selection import eligible_gpus, required_gpu_count
from backprop_tui.domain.governor.snapshot import Candidate, Placement, Snapshot
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GpuReading


def place(candidate: Candidate, snapshot: Snapshot) -> Placement | tuple[HoldReason, ...]:
    """Returns where the run would start, or why it cannot start anywhere.

    With a broken probe nothing is known about any GPU: the run is not placed, and admission lets only one run start.
    """
    gpus = snapshot.readings.gpus
    if candidate.gpus_wanted == 0:
        return Placement(gpus=())
    if not snapshot.gpus_known:
        return (HoldReason(check=Check.PROBE, message="GPU probe has not answered yet"),)
    required = required_gpu_count(candidate, gpus)
    if snapshot.readings.probe_problem is not None or required == 0:
        return Placement(gpus=None)
    eligible = eligible_gpus(candidate, gpus)
    reasons = {gpu.uuid: unfit_reasons(candidate, snapshot, gpu) for gpu in eligible}
    fit = [gpu for gpu in eligible if not reasons[gpu.uuid]]
    if len(fit) >= required:
        return _placement_on(sorted(fit, key=lambda gpu: gpu_preference(snapshot, gpu))[:required], candidate, snapshot)
    gpu_reasons = (reason for gpu in eligible for reason in reasons[gpu.uuid])
    return (*_too_few_reason(candidate, required, len(eligible), len(fit)), *gpu_reasons)


def gpu_preference(snapshot: Snapshot, gpu: GpuReading) -> tuple[int, int, int]:
    """Sort key: fewest runs and foreign processes, then most free VRAM after claims, then index.

    Free VRAM alone would put all runs on the largest card while smaller ones are idle.
    """
    foreign = sum(process.run is None and process.owner is not None for process in gpu.processes)
    users = len(snapshot.runs_on(gpu)) + foreign
    return users, -(free_after_claims(gpu, snapshot.claims) or 0), gpu.index


def _placement_on(gpus: Sequence[GpuReading], candidate: Candidate, snapshot: Snapshot) -> Placement:
    """A placement on these GPUs; the claim is limited to what is free."""
    frees = (free_after_claims(gpu, snapshot.claims) for gpu in gpus)
    claim = min([candidate.claim_bytes, *(max(0, free) for free in frees if free is not None)])
    chosen = sorted(gpus, key=lambda gpu: gpu.index)
    return Placement(gpus=tuple(Gpu(index=gpu.index, uuid=gpu.uuid) for gpu in chosen), claim_bytes=claim)


def _too_few_reason(candidate: Candidate, required: int, eligible: int, fit: int) -> tuple[HoldReason, ...]:
    """A reason about the count if the reasons of the GPUs do not cover it: several are needed, or too few exist."""
    if eligible >= required == 1:
        return ()
    if eligible >= required:
        available = f"{fit} free"
    elif candidate.gpu_ids:
        available = f"{eligible or 'none'} of those chosen ({','.join(candidate.gpu_ids)}) here"
    elif candidate.visible_gpus is not None:
        available = f"CUDA_VISIBLE_DEVICES shows {eligible or 'none'}"
    else:
        available = f"machine has {eligible or 'none'}"
    prefix = "" if eligible >= required else "can never start: "
    message = f"{prefix}needs {counted(required, 'GPU')}, {available}"
    return (HoldReason(check=Check.GPU_COUNT, figure=fit, limit=required, message=message),)
