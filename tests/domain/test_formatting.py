"""Figures in messages never contradict the decision they explain."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.formatting import (
    counted,
    disk_gigabytes_down,
    disk_gigabytes_up,
    duration,
    gigabytes_down,
    gigabytes_up,
    minutes,
    plain,
)
from backprop_tui.domain.limits import DISK_GIGABYTE, GIGABYTE


@pytest.mark.parametrize(
    ("count", "down", "up"),
    [
        (0, "0", "0"),
        (round(3.14 * GIGABYTE), "3.1", "3.2"),
        (4 * GIGABYTE, "4", "4"),
        (4 * GIGABYTE - 1, "3.9", "4"),
        (5 * GIGABYTE // 2, "2.5", "2.5"),
        (round(134.7 * GIGABYTE), "134", "134"),
        (1, "0", "0.1"),
    ],
)
def test_gigabytes_have_a_decimal_only_where_it_says_something(count: int, down: str, up: str) -> None:
    assert (gigabytes_down(count), gigabytes_up(count)) == (down, up)


@pytest.mark.parametrize(
    ("unit", "down", "up"),
    [(GIGABYTE, gigabytes_down, gigabytes_up), (DISK_GIGABYTE, disk_gigabytes_down, disk_gigabytes_up)],
)
@given(free=st.integers(0, 10**11 - 10**8), lacking=st.integers(1, 10**8))
def test_a_shortage_is_never_rounded_away(
    unit: int, down: Callable[[int], str], up: Callable[[int], str], free: int, lacking: int
) -> None:
    assert float(down(free)) <= free / unit < (free + lacking) / unit <= float(up(free + lacking))


def test_memory_is_counted_as_on_the_cards_and_disks_as_on_the_disks() -> None:
    assert (gigabytes_down(24 * 2**30), disk_gigabytes_down(2 * 10**12)) == ("24", "2000")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (0.2, "0s"),
        (41, "41s"),
        (60, "1m"),
        (1324, "22m04s"),
        (3599.5, "1h"),
        (4560, "1h16m"),
        (187_200, "2d4h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("figure", "shown"), [(84.0, "84"), (2.25, "2.25"), (100.0, "100"), (0.0, "0"), (69.9, "69.9")]
)
def test_trailing_zeros_are_dropped(figure: float, shown: str) -> None:
    assert plain(figure) == shown


def test_one_is_singular() -> None:
    assert (counted(1, "run"), counted(2, "run"), counted(0, "run")) == ("1 run", "2 runs", "0 runs")


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.052038, "0.051"), (60.0, "1"), (754.321, "12.57"), (43_200.0, "720"), (6e8, "10000000")]
)
def test_minutes_have_no_more_decimals_than_they_need(seconds: float, text: str) -> None:
    assert minutes(seconds) == text
