"""Makes all ranks of a training stop at the same step: the decision of rank 0 counts for all.

A rank that stopped on its own would leave the others waiting in a collective operation forever.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from backprop_tui import report

Answer = tuple[bool, int]  # whether to stop, and after how many steps to check again

CHECK_SECONDS = 1.0
MAX_STEPS_UNCHECKED = 1000


class Agreement:
    """Called by every rank after each step; they communicate about once a second, since that takes GPU time."""

    def __init__(self, broadcast: Callable[[Answer], Answer] | None = None) -> None:
        """`broadcast` returns rank 0's argument on every rank; None if there is only one rank."""
        self._broadcast = broadcast
        self._step = 0
        self._next_check_step = 1
        self._checked_step = 0
        self._checked_at = time.monotonic()

    def reached(self) -> bool:
        """Whether all ranks stop now."""
        if self._broadcast is None:
            return report.should_stop()
        self._step += 1
        if self._step < self._next_check_step:
            return False
        stop, steps = self._broadcast((report.should_stop(), self._steps_to_next_check()))
        self._checked_step, self._checked_at = self._step, time.monotonic()
        self._next_check_step = self._step + steps
        return stop

    def _steps_to_next_check(self) -> int:
        """The number of steps that takes about a second, judging by the steps since the last check.

        At most twice as many as those: the first step looks quick while the GPU is still working on it.
        """
        steps = self._step - self._checked_step
        seconds = max(time.monotonic() - self._checked_at, 1e-3)
        return min(max(int(steps * CHECK_SECONDS / seconds), 1), 2 * steps, MAX_STEPS_UNCHECKED)
