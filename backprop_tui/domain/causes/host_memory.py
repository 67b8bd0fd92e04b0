"""Host memory that ran out: the kernel killed, as its own counters show, or it refused an allocation.

A bare SIGKILL, or exit code 137, proves nothing: that is a signal like any other.
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
_ASKED = r"[Uu]nable to allocate ([\d.]+ \wi?B)"
_ASKED_BYTES = r"tried to allocate (\d+) bytes|allocat(?:e|ing) (\d+) bytes"


def host_memory(clues: Clues) -> Cause | None:
    """A kill that a counter shows, or a refusal in the script's own words."""
    killed = clues.facts.memory_kill
    if killed is not None and clues.signal == "SIGKILL":
        return made(
            "host_oom",
            evidence=killed,
            summary="out of host memory: the kernel killed it",
            advice=f"{_smaller(clues)}, or let fewer runs share the machine (--max-parallel, --min-free-ram)",
            retryable=True,  # it may have been the others' memory
        )
    hit = clues.find(_REFUSED)
    if hit is None:
        return None
    asked = re.search(_ASKED, hit.text)
    in_bytes = re.search(_ASKED_BYTES, hit.text)
    size = None if asked is None else asked[1]
    if size is None and in_bytes is not None:
        size = binary_size(int(in_bytes[1] or in_bytes[2]))
    return made(
        "host_oom",
        at=hit.line,
        summary="out of host memory" + ("" if size is None else f": asked {size}"),
        advice=f"{_smaller(clues)}, or read the data piece by piece",
        retryable=True,
    )


def _smaller(clues: Clues) -> str:
    batch = batch_option(clues.facts.command)
    return "use fewer loader workers or a smaller batch" if batch is None else f"fewer loader workers, less {batch[0]}"
