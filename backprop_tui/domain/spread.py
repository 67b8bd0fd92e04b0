"""Mean and spread of repeated runs, and whether two means differ by more than that spread explains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MIN_RUNS = 2  # a single run has no spread
SIGNIFICANCE = 0.05
_EVEN = 0.9  # runs count as equally far if the last of them has made this share of the steps of the first
_INTERVALS = 400  # of the numerical integration; even


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The mean of `count` values and their sample standard deviation (divisor n - 1), None for a single value."""

    count: int
    mean: float
    deviation: float | None


def equally_far(steps: Iterable[float]) -> bool:
    known = list(steps)
    return not known or min(known) >= _EVEN * max(known)


class Verdict(StrEnum):
    """Whether a difference of means exceeds the spread of the runs behind them."""

    EXCEEDS = "exceeds"
    WITHIN = "within"
    TOO_FEW = "too few"  # one of the two means has a single value
    NO_SPREAD = "no spread"  # all values of either mean are equal, as when a script ignores its seed


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A mean minus that of the baseline; `probability` is the two-sided p of Welch's test, None without a test."""

    value: float
    verdict: Verdict
    probability: float | None = None


def spread_of(values: Sequence[float]) -> Spread | None:
    """Mean and deviation of finite values; None without any."""
    if not values:
        return None
    mean = math.fsum(value / len(values) for value in values)  # divided first: the sum of huge values overflows
    mean = min(max(mean, min(values)), max(values))  # rounding must not put the mean of equal values beside them
    deviation = None
    if len(values) >= MIN_RUNS:
        deviation = math.hypot(*(value - mean for value in values)) / math.sqrt(len(values) - 1)
    return Spread(count=len(values), mean=mean, deviation=deviation)


def difference(spread: Spread, baseline: Spread) -> Difference:
    """Compares two means by Welch's t-test at the level of 5 %, two-sided.

    t is the difference divided by sqrt(s1^2/n1 + s2^2/n2), with the degrees of freedom of Welch and Satterthwaite; the
    variances need not be equal. B. L. Welch, The generalization of "Student's" problem when several different
    population variances are involved, Biometrika 34 (1947), 28-35.
    """
    value = spread.mean - baseline.mean
    if spread.deviation is None or baseline.deviation is None:
        return Difference(value=value, verdict=Verdict.TOO_FEW)
    errors = [side.deviation / math.sqrt(side.count) for side in (spread, baseline) if side.deviation is not None]
    error = math.hypot(*errors)
    if error == 0 or not math.isfinite(error):
        return Difference(value=value, verdict=Verdict.NO_SPREAD)
    shares = [(part / error) ** 4 / (side.count - 1) for part, side in zip(errors, (spread, baseline), strict=True)]
    probability = two_sided_probability(value / error, 1 / sum(shares))
    verdict = Verdict.EXCEEDS if probability < SIGNIFICANCE else Verdict.WITHIN
    return Difference(value=value, verdict=verdict, probability=probability)


def two_sided_probability(t: float, freedom: float) -> float:
    """The probability of a Student t beyond `t` in either direction, for at least one degree of freedom.

    With t = sqrt(freedom) tan(angle), the density is proportional to cos(angle)^(freedom - 1), which is integrated up
    to the angle of `t` by Simpson's rule.
    """
    step = math.atan(abs(t) / math.sqrt(freedom)) / _INTERVALS
    heights = [math.pow(max(0.0, math.cos(index * step)), freedom - 1) for index in range(_INTERVALS + 1)]
    inside = step / 3 * (heights[0] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]) + heights[-1])
    whole = math.sqrt(math.pi) / 2 * math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom + 1) / 2))
    return max(0.0, 1 - inside / whole)
