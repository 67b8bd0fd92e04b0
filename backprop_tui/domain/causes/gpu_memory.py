"""GPU memory that ran out: what was asked, what was free, and whether somebody else held it."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.causes.words import batch_option, binary_size
from backprop_tui.domain.run import Cause

_SIZE = r"([\d.]+ ?(?:[KMGT]i?B|bytes))"
_TORCH = r"(?:CUDA|HIP|XPU|MPS backend) out of memory"
_DRIVER = (
    r"CUDA error: out of memory|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation"
    r"|(?:CUBLAS|CUDNN|CUFFT|CUSOLVER)_STATUS_ALLOC_FAILED|out of memory on device|Failed to allocate memory on GPU"
)
_XLA = r"RESOURCE_EXHAUSTED: .*?(?:Out of memory|out of memory|Failed to allocate)|XlaRuntimeError: RESOURCE_EXHAUSTED"
_TENSORFLOW = r"OOM when allocating tensor with shape\s?\[[\d,]+\].*?GPU:\d"
_ASKED = (
    rf"[Tt]ried to allocate {_SIZE}",
    rf"(?:trying to allocate|request to allocate|allocating|to allocate) {_SIZE}",
)
_FREE = (rf"of which {_SIZE} is free", rf"{_SIZE} free")
_TOTAL = (rf"total capacity of {_SIZE}", rf"{_SIZE} total capacity")
_GPU = (r"GPU (\d+) has a total", r"\(GPU (\d+);", r"GPU:(\d+)")
_OTHERS = rf"Process (\d+) has {_SIZE} memory in use"
_UNALLOCATED = rf"{_SIZE} is reserved by PyTorch but unallocated"
_GB = 10**9


def gpu_memory(clues: Clues) -> Cause | None:
    """By the words of PyTorch old and new, the CUDA libraries, XLA and TensorFlow."""
    hit = clues.find(f"{_TORCH}|{_DRIVER}|{_TENSORFLOW}")
    if hit is None and clues.facts.gpu_indices:
        hit = clues.find(_XLA)  # on a machine without GPUs XLA says the same of RAM
    if hit is None:
        return None
    holders = _holders(clues, hit)
    return made(
        "cuda_oom",
        at=hit.line,
        summary=_summary(clues, hit),
        advice=_advice(clues, hit, holders),
        retryable=bool(holders),  # alone on the GPU the same start needs the same memory again
    )


def _summary(clues: Clues, hit: Hit) -> str:
    words = "CUDA out of memory"
    asked, free, total = _first(_ASKED, hit.text), _first(_FREE, hit.text), _first(_TOTAL, hit.text)
    if asked is not None:
        words += f": asked {_size(asked)}"
        if free is not None:
            words += f", {_size(free)} free"
    gpu = _first(_GPU, hit.text)
    if gpu is not None and (free is not None or total is not None):
        words += f" on GPU {_index(clues, int(gpu))}" + ("" if total is None else f" ({_size(total)})")
    return words


def _index(clues: Clues, counted_by_script: int) -> int:
    """The machine's number of a GPU: the script counts only those that it was given."""
    indices = clues.facts.gpu_indices
    return indices[counted_by_script] if counted_by_script < len(indices) else counted_by_script


def _holders(clues: Clues, hit: Hit) -> list[str]:
    told = [f"pid {pid} held {_size(size)}" for pid, size in re.findall(_OTHERS, hit.text)]
    seen = [
        one.who + ("" if one.memory_bytes is None else f" held {one.memory_bytes / _GB:.1f} GB")
        for one in clues.facts.gpu_holders
    ]
    return seen or told


def _advice(clues: Clues, hit: Hit, holders: list[str]) -> str:
    if holders:
        more = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
        return f"{holders[0]}{more} on the same GPU: ask for more free memory with --gpu-min-vram, or wait with --after"
    batch = batch_option(clues.facts.command)
    smaller = "use a smaller batch" if batch is None else f"halve {batch[0]} ({batch[1]})"
    asked, unallocated = _first(_ASKED, hit.text), _first((_UNALLOCATED,), hit.text)
    if asked is not None and unallocated is not None and _bytes(unallocated) >= _bytes(asked):
        return f"memory is fragmented: --env PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True, or {smaller}"
    return f"{smaller}, accumulate gradients, or choose a GPU with more free memory (--gpu-min-vram)"


def _first(patterns: tuple[str, ...], text: str) -> str | None:
    for pattern in patterns:
        found = re.search(pattern, text)
        if found is not None:
            return str(found[1])
    return None


def _size(told: str) -> str:
    """As it was told, but for bare bytes."""
    return binary_size(int(float(told.split(maxsplit=1)[0]))) if told.endswith("bytes") else told


def _bytes(told: str) -> float:
    found = re.match(r"([\d.]+) ?([KMGT]?)", told)
    if found is None or not found[1].replace(".", "", 1).isdigit():
        return 0.0
    return float(found[1]) * float(1024 ** " KMGT".index(found[2] or " "))
