"""Smoothing weights by distance on x, starts without bias, and continues correctly after a resume."""

from __future__ import annotations

import math
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.plotting.axes import Axis, XUnit
from backprop_tui.plotting.track import PlottedSeries, moving_average
from backprop_tui.store.metrics import SeriesBuilder

finite = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


def test_it_starts_without_bias_and_follows_a_level() -> None:
    assert moving_average([(0, 5.0), (1, 5.0), (2, 5.0)], 10) == pytest.approx([5.0, 5.0, 5.0])
    assert moving_average([(0, 1.0), (1, 3.0)], 0) == [1.0, 3.0]
    assert moving_average([], 1) == []
    noisy = [(place, float(place % 2)) for place in range(100)]
    assert all(0.4 < mean < 0.6 for mean in moving_average(noisy, 20)[50:])


def test_points_further_back_on_x_count_less_however_dense_they_are() -> None:
    last = moving_average([(0, 0.0), (10, 1.0)], 10)[-1]
    assert last == pytest.approx(1 / (1 + math.exp(-1)))
    assert moving_average([(0, 0.0), (1000, 1.0)], 10)[-1] == pytest.approx(1.0)
    dense = moving_average([(0, 0.0), *((10, 1.0) for _ in range(9))], 10)[-1]
    assert dense == pytest.approx(9 / (9 + math.exp(-1)))


def test_after_a_resume_the_mean_continues_from_its_state_at_that_step() -> None:
    before = [(float(step), float(step)) for step in range(100)]
    again = [(float(step), float(step)) for step in range(50, 100)]
    straight = moving_average(before, 10)
    assert moving_average([*before, *again], 10)[100:] == pytest.approx(straight[50:])
    assert moving_average([*before, (0.0, 7.0)], 10)[-1] == 7.0


def test_a_falling_curve_is_not_drawn_above_its_values() -> None:
    falling = [(float(x), 100.0 - x) for x in range(100)]
    assert moving_average(falling, 5)[20:80] == pytest.approx([value for _, value in falling[20:80]], abs=0.3)


def _series(*intervals: float, every: int = 10) -> MetricSeries:
    """A metric with a value after each of these intervals."""
    builder = SeriesBuilder("loss")
    for place, time in enumerate(accumulate(intervals)):
        builder.add(1.0, place * every, str(iso(1000.0 + time)))
    return builder.snapshot()


def test_on_an_axis_of_time_a_curve_is_interrupted_where_nothing_was_printed() -> None:
    series = _series(0, *[1.0] * 9, 300.0, *[1.0] * 9)
    attempts = AttemptTimeline(starts=(1000.0,), idle=(0.0,))
    pieces = {by: PlottedSeries(series, Axis(attempts=attempts, by=by)).drawn().pieces for by in XUnit}
    assert [len(piece) for piece in pieces[XUnit.STEP]] == [20]
    assert [len(piece) for piece in pieces[XUnit.TIME]] == [10, 10]
    evaluated = PlottedSeries(_series(0, *([1.0] * 9 + [6.0]) * 3), Axis(attempts=attempts, by=XUnit.TIME))
    assert len(evaluated.drawn().pieces) == 1


@given(points=st.lists(st.tuples(finite, finite), max_size=40), reach=st.floats(0, 1e300))
@example(points=[(0.0, 1.7976931348623155e308), (0.0, -2.9937604643020797e292)], reach=0.0)
def test_no_input_leaves_the_range_of_the_values(points: list[tuple[float, float]], reach: float) -> None:
    means = moving_average(points, reach)
    assert len(means) == len(points)
    if points:
        low, high = min(value for _, value in points), max(value for _, value in points)
        room = (high / 2 - low / 2) * 1e-9 + abs(high) * 1e-9 + abs(low) * 1e-9
        assert all(low - room <= mean <= high + room for mean in means)
