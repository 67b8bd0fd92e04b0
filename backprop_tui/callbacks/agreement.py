"""Ranks of one training stop at the same step: the first one's answer counts for all.

A rank that stopped alone would leave the others waiting in a collective operation for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from backprop_tui import report

Answer = tuple[bool, int]  # whether to stop, and after how many further steps to ask again

ASK_EVERY_SECONDS = 1.0
MOST_STEPS_UNASKED = 1000


class Agreement:
    """Asked by every rank after each of its steps; they talk about once a second, since talking costs a GPU time."""

    def __init__(self, broadcast: Callable[[Answer], Answer] | None = None) -> None:
        """`broadcast` gives every rank what the first one gave to it; None where there is one rank."""
        self._broadcast = broadcast
        self._step = 0
        self._ask_at_step = 1
        self._asked_step = 0
        self._asked_at = time.monotonic()

    def reached(self) -> bool:
        """Whether all ranks stop now."""
        if self._broadcast is None:
            return report.should_stop()
        self._step += 1
        if self._step < self._ask_at_step:
            return False
        stop, steps_unasked = self._broadcast((report.should_stop(), self._steps_a_turn()))
        self._asked_step, self._asked_at = self._step, time.monotonic()
        self._ask_at_step = self._step + steps_unasked
        return stop

    def _steps_a_turn(self) -> int:
        """As many as passed since the last time, in the proportion of the seconds that they took.

        At most twice as many as then: a first step that only began on the GPU looks quick.
        """
        passed = self._step - self._asked_step
        seconds = max(time.monotonic() - self._asked_at, 1e-3)
        return min(max(int(passed * ASK_EVERY_SECONDS / seconds), 1), 2 * passed, MOST_STEPS_UNASKED)
