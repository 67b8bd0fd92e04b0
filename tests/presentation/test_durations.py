"""Times as the dashboard shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.presentation import durations


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (41.2, "0:42"), (599, "9:59"), (1008, "16:45"), (4560, "1:16 h"), (187_200, "2d 4h"), (None, "")],
)
def test_time_left_changes_less_often_the_more_there_is(seconds: float | None, shown: str) -> None:
    assert durations.remaining(seconds) == shown


@given(st.floats(min_value=0, max_value=1e7))
def test_time_left_fits_its_column(seconds: float) -> None:
    assert len(durations.remaining(seconds)) <= 7


@pytest.mark.parametrize(("seconds", "shown"), [(780, "13m"), (7800, "2h10"), (260_000, "3d"), (12, "20s"), (None, "")])
def test_an_eta_is_rough(seconds: float | None, shown: str) -> None:
    assert durations.eta(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(12, "12s"), (250, "4m"), (7300, "2h"), (260_000, "3d"), (-5, "0s")])
def test_ago_names_the_largest_unit(seconds: float, shown: str) -> None:
    assert durations.ago(seconds) == shown
