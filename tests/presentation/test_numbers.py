"""Numbers have one notation everywhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.presentation import numbers


@pytest.mark.parametrize(
    ("value", "exact", "compact"),
    [
        (0, "0", "0"),
        (950, "950", "950"),
        (1800, "1,800", "1.8k"),
        (38_400, "38,400", "38.4k"),
        (60_000, "60,000", "60k"),
        (999_499, "999,499", "999k"),
        (1_250_000, "1,250,000", "1.25M"),
    ],
)
def test_a_step_is_exact_or_has_three_significant_digits(value: int, exact: str, compact: str) -> None:
    assert (numbers.count(value), numbers.compact_count(value)) == (exact, compact)


def test_steps_are_compact_only_where_they_do_not_fit() -> None:
    assert numbers.steps(9500, 10_000) == "9,500/10,000"
    assert numbers.steps(38_400, 60_000, cells=13) == "38,400/60,000"
    assert numbers.steps(384_000, 1_500_000, cells=13) == "384k/1.5M"
    assert numbers.steps(None, 10) == "-"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2.214, "2.214"),
        (0.3921, "0.3921"),
        (14.21, "14.21"),
        (3.41e-4, "3.41e-4"),
        (123456.0, "1.23e5"),
        (0.0, "0"),
        (math.nan, "NaN"),
        (-math.inf, "-inf"),
        (None, "-"),
        ("NaN", "NaN"),
        ("-Infinity", "-inf"),
    ],
)
def test_a_metric_has_four_significant_digits(value: float | str | None, shown: str) -> None:
    assert numbers.metric(value) == shown


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_metric_is_never_wider_than_its_column(value: float) -> None:
    assert len(numbers.metric(value)) <= numbers.METRIC_CELLS


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_only_finished_work_is_100_percent(fraction: float) -> None:
    assert numbers.percent_done(min(fraction, 0.999_999)) != "100%"
    assert numbers.percent_done(1.0) == "100%"


def test_memory_has_one_decimal_below_100_gigabytes() -> None:
    assert numbers.used_gigabytes(round(61.2 * 2**30)) == "61.2"
    assert numbers.used_gigabytes(118 * 2**30) == "118"
    assert numbers.compact_size(1_200_000_000_000) == "1.2T"
    assert numbers.size(1_200_000_000_000) == "1.2 TB"
    assert numbers.size(999) == "999 B"
    assert numbers.size(79_000_000_000) == "79 GB"


@pytest.mark.parametrize(("mebibytes", "shown"), [(24564, "24"), (81559, "80"), (81920, "80"), (12288, "12")])
def test_a_card_has_the_memory_it_is_sold_with(mebibytes: int, shown: str) -> None:
    assert numbers.total_gigabytes(mebibytes * 2**20) == shown
    assert numbers.memory_size(mebibytes * 2**20) in (f"{shown} GB", "79.6 GB")
    assert numbers.memory_size(512 * 2**20) == "512 MB"


def test_power_is_shown_with_its_limit_if_there_is_one() -> None:
    assert (numbers.watts(412.4), numbers.watts(412.4, 700.0), numbers.watts(None, 700.0)) == (
        "412 W",
        "412/700 W",
        "-",
    )


def test_a_missing_reading_is_never_shown_as_zero() -> None:
    for shown in (numbers.percent, numbers.watts, numbers.celsius, numbers.used_gigabytes, numbers.size, numbers.count):
        assert shown(None) == "-"


def test_differences_have_one_number_of_decimals() -> None:
    assert numbers.signed_metrics([-0.0201, 0.0159, None, 0.0]) == ["-0.02010", "+0.01590", "-", "0"]
    assert numbers.signed_metrics([12.3, -0.0012]) == ["+12.3000", "-0.0012"]
    assert numbers.signed_metrics([1.5, 2e-5]) == ["+1.500", "+2.00e-5"]
