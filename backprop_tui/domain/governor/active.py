"""The governor's view of an active run: its GPUs, its start time and whether it is paused."""

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

    `gpu_uuids` is empty for a run on the CPU, or if its GPUs are unknown. `started_at` is only compared between runs.
    `paused_by` is a person, or the guard for "heat" or "ram"; None if the run is not paused. `paused_seconds` is the
    duration of the current pause.
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
        """Whether the guard paused it; a run paused by a person is only continued by a person."""
        return self.paused_by in GUARD_PAUSES
