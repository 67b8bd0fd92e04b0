"""Which GPUs a run starts on: the fit ones that fewest share, and of those the ones with most free VRAM."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.governor.claims import free_after_claims
from backprop_tui.domain.governor.gpu_checks import unfit_reasons
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.governor.selection import eligible_gpus, wanted_count
from backprop_tui.domain.governor.snapshot import Candidate, Placement, Snapshot
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GpuReading


def place(candidate: Candidate, snapshot: Snapshot) -> Placement | tuple[HoldReason, ...]:
    """Where the run would start, or why no place is fit for it.

    With the probe broken nothing is known of any GPU: the run is not placed, and admission keeps it alone.
    """
    gpus = snapshot.readings.gpus
    if candidate.gpus_wanted == 0:
        return Placement(gpus=())
    if not snapshot.gpus_known:
        return (HoldReason(check=Check.PROBE, message="GPU probe has not answered yet"),)
    wanted = wanted_count(candidate, gpus)
    if snapshot.readings.probe_problem is not None or wanted == 0:
        return Placement(gpus=None)
    eligible = eligible_gpus(candidate, gpus)
    unfit = {gpu.uuid: unfit_reasons(candidate, snapshot, gpu) for gpu in eligible}
    fit = [gpu for gpu in eligible if not unfit[gpu.uuid]]
    if len(fit) >= wanted:
        return _on(sorted(fit, key=lambda gpu: preference(snapshot, gpu))[:wanted], candidate, snapshot)
    each = (reason for gpu in eligible for reason in unfit[gpu.uuid])
    return (*_too_few(candidate, wanted, len(eligible), len(fit)), *each)


def preference(snapshot: Snapshot, gpu: GpuReading) -> tuple[int, int, int]:
    """Sort key: fewest runs of ours and processes of others, then most free VRAM after claims, then index.

    Most free VRAM alone would pile all runs on the largest card while smaller ones idle.
    """
    strangers = sum(process.run is None and process.owner is not None for process in gpu.processes)
    tenants = len(snapshot.runs_on(gpu)) + strangers
    return tenants, -(free_after_claims(gpu, snapshot.claims) or 0), gpu.index


def _on(gpus: Sequence[GpuReading], candidate: Candidate, snapshot: Snapshot) -> Placement:
    """A start on these; no more is claimed than is free, so that claims never promise what is not there."""
    frees = (free_after_claims(gpu, snapshot.claims) for gpu in gpus)
    claim = min([candidate.claim_bytes, *(max(0, free) for free in frees if free is not None)])
    chosen = sorted(gpus, key=lambda gpu: gpu.index)
    return Placement(gpus=tuple(Gpu(index=gpu.index, uuid=gpu.uuid) for gpu in chosen), claim_bytes=claim)


def _too_few(candidate: Candidate, wanted: int, eligible: int, fit: int) -> tuple[HoldReason, ...]:
    """The count, where the reasons of each GPU do not say it: several are wanted, or not so many are there."""
    if eligible >= wanted == 1:
        return ()
    if eligible >= wanted:
        have = f"{fit} free"
    elif candidate.gpu_ids:
        have = f"{eligible or 'none'} of those chosen ({','.join(candidate.gpu_ids)}) here"
    elif candidate.visible_gpus is not None:
        have = f"CUDA_VISIBLE_DEVICES shows {eligible or 'none'}"
    else:
        have = f"machine has {eligible or 'none'}"
    message = f"needs {counted(wanted, 'GPU')}, {have}"
    return (HoldReason(check=Check.GPU_COUNT, figure=fit, limit=wanted, message=message),)
