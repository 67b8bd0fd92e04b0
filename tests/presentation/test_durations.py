"""Durations have one notation everywhere."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.presentation import durations


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (41.2, "42s"), (599, "9m59s"), (1008, "16m45s"), (4560, "1h16m"), (187_200, "2d4h"), (None, "")],
)
def test_time_left_changes_less_often_the_more_there_is(seconds: float | None, shown: str) -> None:
    assert durations.remaining(seconds) == shown


@given(st.floats(min_value=0, max_value=1e7))
def test_time_left_fits_its_column(seconds: float) -> None:
    assert len(durations.remaining(seconds)) <= 7


@pytest.mark.parametrize(
    ("seconds", "shown"), [(780, "13m"), (7800, "2h10m"), (40_000, "11h"), (260_000, "3d"), (12, "20s"), (None, "")]
)
def test_an_eta_is_rough(seconds: float | None, shown: str) -> None:
    assert durations.eta(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(12, "12s"), (250, "4m"), (7300, "2h"), (260_000, "3d"), (-5, "0s")])
def test_an_age_names_only_the_largest_unit(seconds: float, shown: str) -> None:
    assert durations.age(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.9, "0s"), (60, "1m"), (1324, "22m04s"), (3660, "1h01m"), (90_000, "1d1h"), (None, "-")]
)
def test_elapsed_time_is_rounded_down(seconds: float | None, shown: str) -> None:
    assert durations.elapsed(seconds) == shown


@pytest.mark.parametrize(("hours", "shown"), [(30, "30h"), (47, "47h"), (60, "2.5d"), (299, "12d")])
def test_a_long_eta_is_not_rounded_by_half_a_day(hours: float, shown: str) -> None:
    assert durations.eta(hours * 3600) == shown


def test_the_time_of_another_day_has_its_date() -> None:
    noon = time.mktime((2026, 1, 31, 12, 0, 0, 0, 0, -1))
    assert durations.clock_of_day(noon + 3600, noon) == "13:00"
    assert durations.clock_of_day(noon + 26 * 3600, noon) == "Sun 1 Feb 14:00"
