"""Detects out-of-memory on the host: a kill shown by the kernel's counters, or a refused allocation.

A bare SIGKILL, or exit code 137, proves nothing: it is a signal like any other.
"""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.causes.words import batch_option, binary_size
from backprop_tui.domain.run import Cause

_REFUSED = (
    r"^(?:\w+\.)*_?(?:Array)?MemoryError\b|Cannot allocate memory|std::bad_alloc"
    r"|DefaultCPUAllocator: (?:can't allocate memory|not enough memory)"
    r"|OOM when allocating tensor with shape\s?\[[\d,]+\].*?CPU:\d|RESOURCE_EXHAUSTED: .*?[Oo]ut of memory"
)
_NUMPY_SIZE = r"[Uu]nable to allocate ([\d.]+ \wi?B)"
_SIZE_IN_BYTES = r"tried to allocate (\d+) bytes|allocat(?:e|ing) (\d+) bytes"


def host_memory(clues: Clues) -> Cause | None:
    """Recognises a kill shown by a counter, or a refused allocation in the script's output."""
    killed = clues.facts.memory_kill
    if killed is not None and clues.signal == "SIGKILL":
        return made(
            "host_oom",
            evidence=killed,
            summary="out of host memory: killed by the kernel",
            advice=f"{_less_memory(clues)}, or let fewer runs share the machine (--max-parallel, --min-free-ram)",
            retryable=True,  # other processes may have used the memory
        )
    hit = clues.find(_REFUSED)
    if hit is None:
        return None
    readable = re.search(_NUMPY_SIZE, hit.text)
    in_bytes = re.search(_SIZE_IN_BYTES, hit.text)
    size = None if readable is None else readable[1]
    if size is None and in_bytes is not None:
        size = binary_size(int(in_bytes[1] or in_bytes[2]))
    return made(
        "host_oom",
        at=hit.line,
        summary="out of host memory" + ("" if size is None else f": requested {size}"),
        advice=f"{_less_memory(clues)}, or load the data in smaller chunks",
        retryable=True,
    )


def _less_memory(clues: Clues) -> str:
    batch = batch_option(clues.facts.command)
    smaller_batch = "a smaller batch" if batch is None else f"a smaller {batch[0]}"
    return f"use fewer loader workers or {smaller_batch}"
