"""Selects the GPUs that a run may use: those the user chose, within CUDA_VISIBLE_DEVICES."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.domain.governor.snapshot import Candidate
from backprop_tui.domain.telemetry import GpuReading


def eligible_gpus(candidate: Candidate, gpus: Iterable[GpuReading]) -> tuple[GpuReading, ...]:
    """Returns the GPUs that a run may use, ordered by index, whether they are suitable now or not."""
    eligible = sorted(gpus, key=lambda gpu: gpu.index)
    if candidate.visible_gpus is not None:
        eligible = _visible(candidate.visible_gpus, eligible)
    if candidate.gpu_ids:
        eligible = [gpu for gpu in eligible if any(_matches(selector, gpu) for selector in candidate.gpu_ids)]
    return tuple(eligible)


def required_gpu_count(candidate: Candidate, gpus: Iterable[GpuReading]) -> int:
    """Returns how many GPUs a run needs, on a machine with these GPUs."""
    if candidate.gpus_wanted is not None:
        return candidate.gpus_wanted
    if candidate.gpu_ids:
        return len(set(candidate.gpu_ids))
    return 1 if eligible_gpus(candidate, gpus) else 0


def _visible(selectors: Iterable[str], gpus: list[GpuReading]) -> list[GpuReading]:
    """Applies CUDA_VISIBLE_DEVICES: the first entry that matches no GPU hides itself and all entries after it."""
    visible: list[GpuReading] = []
    for selector in selectors:
        matching = [gpu for gpu in gpus if _matches(selector, gpu)]
        if not matching:
            break
        visible.extend(matching)
    return [gpu for gpu in gpus if gpu in visible]


def _matches(selector: str, gpu: GpuReading) -> bool:
    """Whether an index, a UUID or a prefix of one selects this GPU."""
    selector = selector.strip()
    if selector.isdecimal():
        return int(selector) == gpu.index
    return bool(selector) and gpu.uuid.lower().startswith(selector.lower())
