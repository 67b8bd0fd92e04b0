"""Reaps the orphans of guardians that were killed, with a delay in which their exit status can still be read."""

from __future__ import annotations

import os
import time

from backprop_tui.processes.identity import DEAD_STATES, state_of
from backprop_tui.processes.tree import children

REAP_DELAY_SECONDS = 2.0


class OrphanReaper:
    """Remembers since when each zombie has been dead."""

    __slots__ = ("_dead_since",)

    def __init__(self) -> None:
        self._dead_since: dict[int, float] = {}

    def reap(self) -> None:
        """Reaps the zombies that have been dead for two seconds."""
        now = time.monotonic()
        zombies = [pid for pid in children(os.getpid()) if state_of(pid) in DEAD_STATES]
        self._dead_since = {pid: self._dead_since.get(pid, now) for pid in zombies}
        for pid, since in list(self._dead_since.items()):
            if now - since >= REAP_DELAY_SECONDS:
                os.waitpid(pid, os.WNOHANG)
                del self._dead_since[pid]
