"""An active run as the governor sees it: where it sits, how long it is there, whether it stands still."""

from __future__ import annotations

from dataclasses import field

from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.values import dataclass

BY_HEAT = "heat"
BY_RAM = "ram"
GUARD_PAUSES = frozenset({BY_HEAT, BY_RAM})


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRun:
    """A run that was admitted and has not ended: starting, running, paused or stopping.

    `gpu_uuids` are those it was given, none where it uses the CPU or where nobody knows. `started_at` is only compared
    among runs. `paused_by` is who paused it (a person, or the guard for "heat" or "ram"), None while it moves;
    `paused_seconds` is how long that pause lasts.
    """

    id: str
    name: str
    started_at: float
    limits: RunLimits = field(default_factory=RunLimits)
    gpu_uuids: tuple[str, ...] = ()
    paused_by: str | None = None
    paused_seconds: float = 0.0
    stopping: bool = False

    @property
    def paused_by_guard(self) -> bool:
        """Whether it is the guard that stopped it; what a person paused, only a person continues."""
        return self.paused_by in GUARD_PAUSES
