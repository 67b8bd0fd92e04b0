"""Durations have one notation and one rounding everywhere."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.formatting import duration
from backprop_tui.presentation import durations

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((-5, "0s"), (0.4, "0s"), (41.2, "41s"), (59.6, "1m"), (60, "1m"), (1323.6, "22m04s"), (3599.6, "1h")),
        *((3660, "1h01m"), (4560, "1h16m"), (23 * HOUR + 2400, "23h40m"), (DAY - 20, "1d"), (2.15 * DAY, "2d4h")),
    ],
)
def test_a_duration_has_two_units_and_is_rounded_to_the_nearest(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@given(st.floats(min_value=0, max_value=1e8))
def test_all_precisions_have_the_same_notation(seconds: float) -> None:
    shown = [durations.elapsed(seconds), durations.remaining(seconds), durations.eta(seconds), durations.age(seconds)]
    assert all(re.fullmatch(r"\d+d(\d+h)?|\d+h(\d\dm)?|\d+m(\d\ds)?|\d+s", text) for text in shown), shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (41.2, "41s"), (599, "9m59s"), (1008, "16m45s"), (4560, "1h16m"), (187_200, "2d4h"), (None, "")],
)
def test_time_left_changes_less_often_the_more_there_is(seconds: float | None, shown: str) -> None:
    assert durations.remaining(seconds) == shown


@given(st.floats(min_value=0, max_value=1e7))
def test_time_left_fits_its_column(seconds: float) -> None:
    assert len(durations.remaining(seconds)) <= 7


@given(st.floats(min_value=0, max_value=599))
def test_the_time_used_and_the_time_left_add_up(used: float) -> None:
    def seconds(text: str) -> int:
        minutes, _, rest = text.rpartition("m") if "m" in text else ("0", "", text)
        return 60 * int(minutes) + int(rest.removesuffix("s") or 0)

    total = seconds(durations.elapsed(used)) + seconds(durations.remaining(600 - used))
    assert abs(total - 600) <= (abs(used % 1 - 0.5) < 1e-6)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((3, "10s"), (12, "10s"), (780, "13m"), (7800, "2h10m"), (40_000, "11h"), (30 * HOUR, "1d6h")),
        *((84 * HOUR, "3d12h"), (299 * HOUR, "12d"), (None, "")),
    ],
)
def test_an_eta_is_rough(seconds: float | None, shown: str) -> None:
    assert durations.eta(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(12, "12s"), (250, "4m"), (3580, "1h"), (7300, "2h"), (260_000, "3d"), (-5, "0s"), (None, "")],
)
def test_an_age_has_one_unit(seconds: float | None, shown: str) -> None:
    assert durations.age(seconds) == shown


def test_the_time_of_another_day_has_its_date() -> None:
    noon = time.mktime((2026, 1, 31, 12, 0, 0, 0, 0, -1))
    assert durations.clock_of_day(noon + HOUR, noon) == "13:00"
    assert durations.clock_of_day(noon + 5, noon, seconds=True) == "12:00:05"
    assert durations.clock_of_day(noon + 26 * HOUR, noon) == "Feb 1 14:00"
    assert durations.clock_of_day(noon - 40 * DAY, noon) == "Dec 22 2025 12:00"
