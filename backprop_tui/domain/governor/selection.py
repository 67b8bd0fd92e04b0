"""Which GPUs a run may have at all: those the user chose, within those its environment shows."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.domain.governor.snapshot import Candidate
from backprop_tui.domain.telemetry import GpuReading


def eligible_gpus(candidate: Candidate, gpus: Iterable[GpuReading]) -> tuple[GpuReading, ...]:
    """The GPUs a run may have, by index; whether they are fit for it now is another question."""
    eligible = sorted(gpus, key=lambda gpu: gpu.index)
    if candidate.visible_gpus is not None:
        eligible = _visible(candidate.visible_gpus, eligible)
    if candidate.gpu_ids:
        eligible = [gpu for gpu in eligible if any(_names(selector, gpu) for selector in candidate.gpu_ids)]
    return tuple(eligible)


def wanted_count(candidate: Candidate, gpus: Iterable[GpuReading]) -> int:
    """How many GPUs a run waits for, on a machine with these."""
    if candidate.gpus_wanted is not None:
        return candidate.gpus_wanted
    if candidate.gpu_ids:
        return len(set(candidate.gpu_ids))
    return 1 if eligible_gpus(candidate, gpus) else 0


def _visible(selectors: Iterable[str], gpus: list[GpuReading]) -> list[GpuReading]:
    """What CUDA_VISIBLE_DEVICES leaves: the first entry that names no GPU hides itself and all after it."""
    visible: list[GpuReading] = []
    for selector in selectors:
        named = [gpu for gpu in gpus if _names(selector, gpu)]
        if not named:
            break
        visible.extend(named)
    return [gpu for gpu in gpus if gpu in visible]


def _names(selector: str, gpu: GpuReading) -> bool:
    """Whether an index, a UUID or the beginning of one means this GPU."""
    selector = selector.strip()
    if selector.isdecimal():
        return int(selector) == gpu.index
    return bool(selector) and gpu.uuid.lower().startswith(selector.lower())
