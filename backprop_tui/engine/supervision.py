"""The parts of a supervisor, put together before its loop exists."""

from __future__ import annotations

from backprop_tui.domain.values import dataclass
from backprop_tui.engine.bell import Bell
from backprop_tui.engine.guarding import Guard
from backprop_tui.engine.machine import Machine
from backprop_tui.engine.queue_keeper import QueueKeeper
from backprop_tui.engine.sampling import Sampling
from backprop_tui.store.home import Home


@dataclass(frozen=True, slots=True)
class Supervision:
    """What the loop drives."""

    home: Home
    machine: Machine
    keeper: QueueKeeper
    guard: Guard
    sampling: Sampling
    bell: Bell
