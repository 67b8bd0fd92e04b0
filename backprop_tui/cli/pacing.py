"""How long to wait between two looks at what somebody else writes: a tenth of the time since it last changed."""

from __future__ import annotations

SHARE = 0.1
LONGEST_SECONDS = 0.1
BUSY_SECONDS = 0.01
# While it is decided and started, each look that comes late is time that the user waits.
URGENT_SECONDS = 0.002


class Pace:
    """Quick after a change, slow when nothing happens; all times are monotonic."""

    __slots__ = ("_changed_at",)

    def __init__(self, now: float) -> None:
        self._changed_at = now

    def changed(self, now: float) -> None:
        """Something new was seen."""
        self._changed_at = now

    def seconds(self, now: float, *, urgent: bool) -> float:
        """How long to wait now."""
        least = URGENT_SECONDS if urgent else BUSY_SECONDS
        return min(LONGEST_SECONDS, max(least, (now - self._changed_at) * SHARE))
