"""Xid events, by which the NVIDIA driver reports faults of a GPU."""

from __future__ import annotations

import time

from backprop_tui.domain.values import dataclass

FALLEN_OFF_THE_BUS = 79
RECENT_SECONDS = 600.0

# https://docs.nvidia.com/deploy/xid-errors/: those that training meets.
_XID_MEANINGS = {
    13: "graphics engine exception, mostly the program's own fault",
    31: "memory page fault, mostly the program's own fault",
    43: "GPU stopped processing, mostly the program's own fault",
    45: "preemptive cleanup after another fault",
    48: "double bit ECC error",
    61: "internal micro-controller breakpoint",
    62: "internal micro-controller halt",
    63: "memory row remapping recorded",
    64: "memory row remapping failed",
    74: "NVLink error",
    FALLEN_OFF_THE_BUS: "fallen off the bus",
    92: "high single bit ECC error rate",
    94: "contained ECC error",
    95: "uncontained ECC error, GPU needs a reset",
    119: "GPU firmware does not answer, GPU needs a reset",
    120: "GPU firmware error, GPU needs a reset",
    140: "unrecovered ECC error",
    154: "GPU recovery action changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid:
    """One event; `seen_at` is monotonic."""

    number: int
    seen_at: float

    @property
    def recent(self) -> bool:
        """Whether it is still worth telling."""
        return time.monotonic() - self.seen_at < RECENT_SECONDS

    def __str__(self) -> str:
        meaning = _XID_MEANINGS.get(self.number)
        return f"Xid {self.number}: {meaning}" if meaning else f"Xid {self.number}"
