"""The parts of a supervisor, put together before its loop exists."""

from __future__ import annotations

from backprop_tui.domain.values import dataclass
from backprop_tui.engine.bell import Bell
from backprop_tui.engine.guarding import Guard
from backprop_tui.engine.machine import Capacity
from backprop_tui.engine.queue_keeper import Scheduler
from backprop_tui.engine.sampling import SamplerKeeper
from backprop_tui.store.home import Home


@dataclass(frozen=True, slots=True)
class SupervisorParts:
    """What the loop drives."""

    home: Home
    machine: Capacity
    keeper: Scheduler
    guard: Guard
    sampling: SamplerKeeper
    bell: Bell
