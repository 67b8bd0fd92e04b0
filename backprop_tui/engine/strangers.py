"""Reaps orphans of guardians that were killed, late: until then their exit status can be read from their zombies."""

from __future__ import annotations

import os
import time

from backprop_tui.processes.identity import DEAD_STATES, state_of
from backprop_tui.processes.tree import children

LATE_SECONDS = 2.0


class OrphanReaper:
    """Remembers since when each zombie lies there."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: dict[int, float] = {}

    def reap(self) -> None:
        """Reaps what has been dead for two seconds."""
        now = time.monotonic()
        dead = [pid for pid in children(os.getpid()) if state_of(pid) in DEAD_STATES]
        self._since = {pid: self._since.get(pid, now) for pid in dead}
        for pid, since in list(self._since.items()):
            if now - since >= LATE_SECONDS:
                os.waitpid(pid, os.WNOHANG)
                del self._since[pid]
