"""Scales map values to shares and back, and have round ticks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.plotting.axes import TIME_STEPS, Scale, padded_range, row_ticks, ticks, trimmed_range

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(first=numbers, second=numbers, log=st.booleans(), most=st.integers(0, 9))
def test_ticks_lie_on_the_axis_and_are_at_most_as_many_as_requested(
    first: float,
    second: float,
    log: bool,  # noqa: FBT001 - drawn
    most: int,
) -> None:
    scale = Scale(min(first, second), max(first, second), log=log)
    places = ticks(scale, most)
    assert len(places) <= most
    room = (scale.high / 2 - scale.low / 2) * 1e-6
    assert all(scale.low - room <= tick <= scale.high + room for tick in places)


@given(low=st.floats(1e-6, 1e6), factor=st.floats(1.5, 1e6), share=st.floats(0, 1), log=st.booleans())
def test_a_share_becomes_its_value_and_back(low: float, factor: float, share: float, log: bool) -> None:  # noqa: FBT001
    scale = Scale(low, low * factor, log=log)
    assert scale.share(scale.value(share)) == pytest.approx(share, abs=1e-6)


def test_ticks_are_round() -> None:
    assert ticks(Scale(1.8, 7.3), 6) == [2, 3, 4, 5, 6, 7]
    assert ticks(Scale(0, 100), 5) == [0, 25, 50, 75, 100]
    assert ticks(Scale(0.001, 10, log=True), 5) == pytest.approx([0.001, 0.01, 0.1, 1, 10])
    assert ticks(Scale(-1800, 0), 4, steps=TIME_STEPS) == [-1800, -1200, -600, 0]


def test_the_planned_end_is_labelled_where_it_is_round() -> None:
    assert ticks(Scale(0, 60_000), 5, to_end=True) == [0, 15_000, 30_000, 45_000, 60_000]
    assert ticks(Scale(0, 2_200), 5, to_end=True) == [0, 500, 1_000, 1_500, 2_000]


def test_a_logarithm_needs_values_above_zero() -> None:
    assert not Scale(0, 1, log=True).is_log
    assert Scale(0, 1, log=True).share(0.5) == 0.5
    assert Scale(1, 100, log=True).share(-1) == float("-inf")


def test_an_outlier_does_not_determine_the_range() -> None:
    assert trimmed_range([*(float(number) for number in range(200)), 1e9]) == (2.0, 198.0)
    assert trimmed_range([1.0, 2.0, 1e9]) == (1.0, 1e9)


@given(low=st.floats(-1e308, 1e308), span=st.floats(0, 1e307))
def test_a_range_is_padded_and_never_empty(low: float, span: float) -> None:
    bottom, top = padded_range(low, low + span)
    assert bottom <= low <= top
    assert bottom < top


@given(low=numbers, high=numbers, rows=st.integers(0, 60))
def test_labeled_rows_are_equally_far_apart_and_the_axis_keeps_its_range(low: float, high: float, rows: int) -> None:
    scale = Scale(min(low, high), max(low, high))
    widened, labels = row_ticks(scale, rows)
    assert widened.low <= scale.low
    assert widened.high >= scale.high
    assert len({after - before for (before, _), (after, _) in pairwise(labels)}) <= 1
    assert all(0 <= row < rows for row, _ in labels)
    for row, value in labels:
        assert int(widened.share(value) * rows) == row


@given(low=st.floats(-1e6, 1e6), span=st.floats(1, 1e6), rows=st.integers(10, 60))
def test_round_labels_cost_at_most_a_third_of_the_height(low: float, span: float, rows: int) -> None:
    widened, labels = row_ticks(Scale(low, low + span), rows)
    assert (widened.high - widened.low) * 0.66 <= span + span / rows
    assert len(labels) >= 2


def test_labels_of_rows_are_round() -> None:
    assert [value for _, value in row_ticks(Scale(0.05, 0.6), 12)[1]] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert [value for _, value in row_ticks(Scale(1.9, 7.4), 17)[1]] == [2, 3, 4, 5, 6, 7]
