"""Text plots show where values rise and fall, for any values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.plotting import plots

numbers = st.floats(allow_nan=False, allow_infinity=False)
some_points = st.lists(st.tuples(st.integers(0, 10**9).map(float), numbers), min_size=1, max_size=60)


@given(points=some_points, width=st.integers(1, 70), height=st.integers(1, 12), unicode=st.booleans())
def test_a_plot_has_its_size_and_a_curve_without_gaps(
    points: list[tuple[float, float]],
    width: int,
    height: int,
    unicode: bool,  # noqa: FBT001 - drawn
) -> None:
    rows = plots.plot(points, width=width, height=height, unicode=unicode)
    assert [len(row) for row in rows] == [width] * height
    assert all(any(row[column] != " " for row in rows) for column in range(width))
    assert unicode or set("".join(rows)) <= set(" *")


@given(points=some_points, width=st.integers(1, 70), unicode=st.booleans())
def test_a_line_has_its_width(points: list[tuple[float, float]], width: int, unicode: bool) -> None:  # noqa: FBT001
    assert len(plots.sparkline(points, width=width, unicode=unicode)) == width


def test_a_rising_curve_goes_from_below_to_above() -> None:
    points = [(float(x), float(x)) for x in range(9)]
    assert plots.plot(points, width=3, height=3, unicode=False) == ["  *", " * ", "*  "]
    assert plots.sparkline(points[:8], width=8, unicode=True) == "▁▂▃▄▅▆▇█"


def test_a_spike_between_two_columns_is_not_lost() -> None:
    points = [(float(x), 100.0 if x == 501 else 0.0) for x in range(1000)]
    assert "*" in plots.plot(points, width=20, height=5, unicode=False)[0]


def test_a_constant_curve_is_drawn_in_the_middle() -> None:
    assert plots.plot([(0.0, 5.0), (9.0, 5.0)], width=4, height=3, unicode=False) == ["    ", "****", "    "]
