"""The parts of a supervisor, which exist before its event loop does."""

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
    """Everything the supervisor's loop drives."""

    home: Home
    capacity: Capacity
    scheduler: Scheduler
    guard: Guard
    sampler: SamplerKeeper
    bell: Bell
