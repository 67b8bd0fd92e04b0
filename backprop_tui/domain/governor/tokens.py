"""The token bucket that spaces starts: a burst at once, then so many a minute.

One bucket serves all processes of the machine; between supervisors it lives on disk with its fractions.
"""

from __future__ import annotations

from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.values import dataclass

# What a sum of many small refills may lack of a whole token.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucket:
    """Start tokens at the monotonic time `as_of`; a start takes one."""

    tokens: float
    as_of: float

    def refilled(self, now: float, limits: MachineLimits) -> TokenBucket:
        """The bucket at `now`, fractions and all, never above the burst.

        A `now` before `as_of` is that of a later boot: nothing is added, and time goes on from there.
        """
        gained = max(0.0, now - self.as_of) * limits.starts_per_minute / 60
        return TokenBucket(tokens=min(float(limits.start_burst), self.tokens + gained), as_of=now)

    def seconds_to_next(self, limits: MachineLimits) -> float:
        """Seconds from `as_of` until a start is free; 0 when one is, or where starts are not limited."""
        if not is_limited(limits) or self.tokens >= 1 - ROUNDING:
            return 0.0
        return (1 - self.tokens) * 60 / limits.starts_per_minute

    def take(self, limits: MachineLimits) -> TokenBucket:
        """The bucket after a start.

        Raises:
            ValueError: no start is free; ask `seconds_to_next` first.
        """
        if not is_limited(limits):
            return self
        if self.seconds_to_next(limits) > 0:
            raise ValueError(f"no start is free: {self.tokens} tokens")
        return TokenBucket(tokens=max(0.0, self.tokens - 1), as_of=self.as_of)


def is_limited(limits: MachineLimits) -> bool:
    """Whether starts are spaced at all: a burst or a rate of 0 switches that off."""
    return limits.start_burst > 0 and limits.starts_per_minute > 0


def full(now: float, limits: MachineLimits) -> TokenBucket:
    """The bucket of a machine that has started nothing yet."""
    return TokenBucket(tokens=float(limits.start_burst), as_of=now)
