"""Xid events, with which the NVIDIA driver reports GPU errors."""

from __future__ import annotations

import time

from backprop_tui.domain.values import dataclass

RECENT_SECONDS = 600.0

# The errors that occur in training, from https://docs.nvidia.com/deploy/xid-errors/.
_XID_MEANINGS = {
    13: "graphics engine exception, usually caused by the program",
    31: "memory page fault, usually caused by the program",
    43: "GPU stopped processing, usually caused by the program",
    45: "preemptive cleanup after another error",
    48: "double bit ECC error",
    61: "internal micro-controller breakpoint",
    62: "internal micro-controller halt",
    63: "memory row remapping recorded",
    64: "memory row remapping failed",
    74: "NVLink error",
    79: "fallen off the bus",
    92: "high single bit ECC error rate",
    94: "contained ECC error",
    95: "uncontained ECC error, GPU needs a reset",
    119: "GPU firmware does not respond, GPU needs a reset",
    120: "GPU firmware error, GPU needs a reset",
    140: "unrecovered ECC error",
    154: "GPU recovery action changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid:
    """An Xid event; `seen_at` is a monotonic time."""

    number: int
    seen_at: float

    @property
    def recent(self) -> bool:
        """Whether it is new enough to be reported."""
        return time.monotonic() - self.seen_at < RECENT_SECONDS

    def __str__(self) -> str:
        meaning = _XID_MEANINGS.get(self.number)
        return f"Xid {self.number}: {meaning}" if meaning else f"Xid {self.number}"
