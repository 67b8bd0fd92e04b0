"""Since when files are of an attempt: they have times of the wall clock, which may be set back meanwhile."""

from __future__ import annotations

import time

from backprop_tui.domain.live import Live

STEP_SECONDS = 1.0  # a smaller step of the clock is ignored


class AttemptBeginning:
    """The start of an attempt by the wall clock; what is written after that was set back may have earlier times."""

    def __init__(self, started_at: float, live: Live) -> None:
        """`live` says how long the attempt has lasted, as it does to a guardian that took over."""
        clock = live.clock.at(time.monotonic(), paused=live.pause is not None)
        self.ns = int(started_at * 1e9)
        self._began = clock.mark - clock.running_seconds - clock.paused_seconds
        self._started_at = started_at
        self._set_back = 0.0

    def earliest_ns(self) -> int:
        """The earliest time of a file of this attempt. A file that was there before may have the same."""
        set_back = self._started_at + (time.monotonic() - self._began) - time.time()
        if set_back >= STEP_SECONDS:
            self._set_back = max(self._set_back, set_back)
        return int((self._started_at - self._set_back) * 1e9)
