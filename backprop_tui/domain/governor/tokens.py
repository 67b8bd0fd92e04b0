"""The token bucket that limits starts: a burst, then a number of starts per minute.

An attempt that lasts less than a minute gives its token back. One bucket serves all processes of the machine; it is
stored on disk, with its fractions, for the next supervisor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MachineLimits

ROUNDING = 1e-9  # tolerance for the rounding error of many small refills
SHORT_SECONDS = 60.0  # an attempt that lasts less gives its token back


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """The token of an attempt that is not known to have ended."""

    run_id: str
    attempt: int


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucket:
    """Start tokens at the monotonic time `as_of`; each start takes one.

    `loans` are the tokens that may still be given back. A token is given back and its loan removed in the same step, so
    it is given back at most once, however often the bucket is stored and read again.
    """

    tokens: float
    as_of: float
    loans: tuple[Loan, ...] = ()

    def refilled(self, now: float, limits: MachineLimits) -> TokenBucket:
        """Returns the bucket refilled up to `now`, including fractions, up to the burst.

        A `now` before `as_of` means that the machine was rebooted: nothing is added, and time counts from there.
        """
        gained = max(0.0, now - self.as_of) * limits.starts_per_minute / 60
        return replace(self, tokens=min(float(limits.start_burst), self.tokens + gained), as_of=now)

    def seconds_to_next(self, limits: MachineLimits) -> float:
        """Seconds from `as_of` until the next start is allowed; 0 if one is allowed now or starts are not limited."""
        if not is_limited(limits) or self.tokens >= 1 - ROUNDING:
            return 0.0
        return (1 - self.tokens) * 60 / limits.starts_per_minute

    def take(self, limits: MachineLimits) -> TokenBucket:
        """Returns the bucket after a start; raises ValueError if none is allowed, so check `seconds_to_next` first."""
        if not is_limited(limits):
            return self
        if self.seconds_to_next(limits) > 0:
            raise ValueError(f"no start is allowed: {self.tokens} tokens")
        return replace(self, tokens=max(0.0, self.tokens - 1))

    def lent(self, loan: Loan, limits: MachineLimits) -> TokenBucket:
        """Returns the bucket with the token that was just taken recorded as a loan."""
        return replace(self, loans=(*self.loans, loan)) if is_limited(limits) else self

    def settled(self, lasted: Mapping[Loan, float], limits: MachineLimits) -> TokenBucket:
        """Returns the bucket after these loans have ended; `lasted` are the seconds that each attempt took."""
        returned = sum(lasted[loan] < SHORT_SECONDS for loan in self.loans if loan in lasted)
        return replace(
            self,
            tokens=min(float(limits.start_burst), self.tokens + returned),
            loans=tuple(loan for loan in self.loans if loan not in lasted),
        )


def is_limited(limits: MachineLimits) -> bool:
    """Whether starts are limited; a burst or a rate of 0 switches the limit off."""
    return limits.start_burst > 0 and limits.starts_per_minute > 0


def full_bucket(now: float, limits: MachineLimits) -> TokenBucket:
    """Returns a full bucket, for a machine that has started nothing yet."""
    return TokenBucket(tokens=float(limits.start_burst), as_of=now)
