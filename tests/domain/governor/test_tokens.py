"""The token bucket never holds more than its burst and never loses a fraction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.governor.tokens import SHORT_SECONDS, Loan, TokenBucket, full_bucket
from backprop_tui.domain.limits import MachineLimits

FOUR_THEN_ONE_A_MINUTE = MachineLimits(start_burst=4, starts_per_minute=1.0)

rates = st.builds(
    MachineLimits,
    start_burst=st.integers(1, 10),
    starts_per_minute=st.floats(0.1, 600.0),
)
buckets = st.builds(TokenBucket, tokens=st.floats(0.0, 20.0), as_of=st.floats(0.0, 1e6))


def test_a_new_machine_starts_a_burst_and_then_one_a_minute() -> None:
    bucket = full_bucket(0.0, FOUR_THEN_ONE_A_MINUTE)
    for _ in range(4):
        bucket = bucket.take(FOUR_THEN_ONE_A_MINUTE)
    assert bucket.seconds_to_next(FOUR_THEN_ONE_A_MINUTE) == 60.0
    assert bucket.refilled(19.0, FOUR_THEN_ONE_A_MINUTE).seconds_to_next(FOUR_THEN_ONE_A_MINUTE) == pytest.approx(41.0)


def test_taking_a_token_that_is_not_there_raises() -> None:
    with pytest.raises(ValueError, match="no start is allowed"):
        TokenBucket(tokens=0.9, as_of=0.0).take(FOUR_THEN_ONE_A_MINUTE)


@pytest.mark.parametrize("limits", [MachineLimits(starts_per_minute=0.0), MachineLimits(start_burst=0)])
def test_a_rate_or_burst_of_zero_means_no_limit(limits: MachineLimits) -> None:
    bucket = TokenBucket(tokens=0.0, as_of=0.0)
    assert bucket.seconds_to_next(limits) == 0.0
    assert bucket.take(limits) == bucket


def test_a_clock_that_restarts_at_boot_adds_nothing() -> None:
    before = TokenBucket(tokens=0.5, as_of=90_000.0)
    after = before.refilled(10.0, FOUR_THEN_ONE_A_MINUTE)
    assert after == TokenBucket(tokens=0.5, as_of=10.0)
    assert after.refilled(40.0, FOUR_THEN_ONE_A_MINUTE).tokens == 1.0


@given(buckets, rates, st.floats(0.0, 1e5))
def test_there_is_never_more_than_the_burst(bucket: TokenBucket, limits: MachineLimits, later: float) -> None:
    assert 0 <= bucket.refilled(bucket.as_of + later, limits).tokens <= limits.start_burst


def loan(name: str) -> Loan:
    return Loan(run_id=name, attempt=1)


def test_a_token_is_given_back_once_for_a_short_attempt_and_never_for_a_long_one() -> None:
    bucket = full_bucket(0.0, FOUR_THEN_ONE_A_MINUTE)
    for name in "abc":
        bucket = bucket.take(FOUR_THEN_ONE_A_MINUTE).lent(loan(name), FOUR_THEN_ONE_A_MINUTE)
    lasted = {loan("a"): SHORT_SECONDS - 1, loan("b"): SHORT_SECONDS}
    after = bucket.settled(lasted, FOUR_THEN_ONE_A_MINUTE)
    assert (after.tokens, after.loans) == (2.0, (loan("c"),))
    assert after.settled(lasted, FOUR_THEN_ONE_A_MINUTE) == after


def test_a_token_that_comes_back_to_a_full_bucket_is_dropped() -> None:
    bucket = full_bucket(0.0, FOUR_THEN_ONE_A_MINUTE).lent(loan("a"), FOUR_THEN_ONE_A_MINUTE)
    assert bucket.settled({loan("a"): 0.0}, FOUR_THEN_ONE_A_MINUTE) == full_bucket(0.0, FOUR_THEN_ONE_A_MINUTE)


@given(st.floats(0.0, 1.0), rates, st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50))
def test_many_small_refills_give_as_much_as_one(tokens: float, limits: MachineLimits, gaps: list[float]) -> None:
    bucket = start = TokenBucket(tokens=tokens, as_of=0.0)
    now = 0.0
    for gap in gaps:
        now += gap
        bucket = bucket.refilled(now, limits)
    assert bucket.tokens == pytest.approx(start.refilled(now, limits).tokens)


@given(st.floats(0.0, 20.0), rates)
def test_a_start_is_allowed_exactly_after_the_announced_seconds(tokens: float, limits: MachineLimits) -> None:
    bucket = TokenBucket(tokens=tokens, as_of=0.0)
    seconds = bucket.seconds_to_next(limits)
    then = bucket.refilled(seconds, limits)
    assert then.take(limits).tokens >= 0
    if seconds > 0.001:
        assert bucket.refilled(seconds * 0.99, limits).seconds_to_next(limits) > 0


@given(rates, st.lists(st.floats(0.0, 60.0), max_size=40))
def test_no_stretch_of_time_has_more_starts_than_burst_and_rate_allow(limits: MachineLimits, gaps: list[float]) -> None:
    bucket, now, starts = full_bucket(0.0, limits), 0.0, 0
    for gap in gaps:
        now += gap
        bucket = bucket.refilled(now, limits)
        while bucket.seconds_to_next(limits) == 0:
            bucket, starts = bucket.take(limits), starts + 1
    assert starts <= limits.start_burst + now * limits.starts_per_minute / 60 + 1e-6
