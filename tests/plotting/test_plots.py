"""Text plots show where values rise and fall, for any values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.plotting import plots
from backprop_tui.plotting.axes import Scale
from backprop_tui.plotting.canvas import Canvas
from backprop_tui.plotting.plots import Curve, draw_curve, mark_ends
from backprop_tui.plotting.track import Style

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


X, Y = Scale(0.0, 100.0), Scale(0.0, 10.0)
values = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=40)


def _curve(points: list[tuple[float, float]], style: Style = Style.LINE, letter: str = "*") -> Curve:
    return Curve(pieces=(tuple((x, y, y) for x, y in sorted(points)),), style=style, letter=letter)


def _cells(*curves: Curve, unicode: bool = True, y: Scale = Y) -> dict[tuple[int, int], tuple[int, str]]:
    """Owner and character of each cell that is not empty."""
    canvas = Canvas(30, 8, unicode=unicode)
    for owner, curve in sorted(enumerate(curves), key=lambda item: item[1].style):
        draw_curve(canvas, owner, curve, X, y)
    cells: dict[tuple[int, int], tuple[int, str]] = {}
    for row, runs in enumerate(canvas.runs()):
        letters = [(letter, owner) for text, owner in runs for letter in text]
        cells |= {(x, row): (owner, letter) for x, (letter, owner) in enumerate(letters) if owner is not None}
    return cells


@given(drawn=st.lists(st.tuples(values, st.sampled_from(Style)), min_size=1, max_size=4), unicode=st.booleans())
def test_every_curve_keeps_the_cells_that_are_its_own(
    drawn: list[tuple[list[tuple[float, float]], Style]],
    unicode: bool,  # noqa: FBT001 - drawn
) -> None:
    curves = [_curve(points, style) for points, style in drawn]
    alone = [set(_cells(curve, unicode=unicode)) for curve in curves]
    together = _cells(*curves, unicode=unicode)
    for owner, cells in enumerate(alone):
        others = set().union(*(other for index, other in enumerate(alone) if index != owner))
        assert all(together[cell][0] == owner for cell in cells - others)


def test_points_leave_room_for_a_line_that_takes_the_same_course() -> None:
    course = [(float(x), 5 + x / 25) for x in range(0, 101, 2)]
    owners = [owner for owner, _ in _cells(_curve(course), _curve(course, Style.POINTS)).values()]
    assert owners.count(1) >= 12
    assert owners.count(0) >= 12


def test_two_lines_that_take_the_same_course_alternate() -> None:
    course = [(float(x), 5.0) for x in range(101)]
    owners = [owner for owner, _ in _cells(_curve(course), _curve(course)).values()]
    assert owners.count(0) == owners.count(1) == 15


def test_a_point_is_drawn_at_its_own_place() -> None:
    cells = _cells(_curve([(0.0, 0.0), (50.0, 5.0), (100.0, 10.0)], Style.POINTS))
    assert cells == {(0, 7): (0, "•"), (15, 3): (0, "•"), (29, 0): (0, "•")}


def test_a_single_value_is_visible_as_a_point() -> None:
    assert _cells(_curve([(50.0, 5.0)])) == {(15, 3): (0, "•")}


def test_raw_values_are_a_shade_without_holes() -> None:
    noise = [(x / 2, 5.0 + (x % 2) * 3) for x in range(200)]
    cells = _cells(_curve(noise, Style.BAND))
    rows = {row for _, row in cells}
    assert len(rows) >= 3
    assert all((x, row) in cells for x in range(30) for row in rows)


def test_without_colors_the_styles_differ_by_their_characters() -> None:
    curves = [
        _curve([(0.0, 2.0), (100.0, 2.0)], Style.LINE, "t"),
        _curve([(0.0, 8.0), (100.0, 8.0)], Style.POINTS, "v"),
        _curve([(0.0, 5.0), (100.0, 5.0)], Style.BAND, "t"),
    ]
    for unicode, points in ((True, "•"), (False, "v")):
        characters = [{letter for owner, letter in _cells(*curves, unicode=unicode).values() if owner == index}
                      for index in range(3)]  # fmt: skip
        assert characters[1] == {points}
        assert not characters[0] & characters[1]
        assert not characters[0] & characters[2]


def test_a_log_axis_interrupts_a_curve_at_values_without_a_logarithm() -> None:
    log = Scale(0.1, 10.0, log=True)
    points = [(float(x), -1.0 if 40 <= x <= 60 else 1.0) for x in range(101)]
    columns = {x for x, _ in _cells(_curve(points), y=log)}
    assert not columns & set(range(13, 18))
    assert {0, 29} <= columns


def test_letters_at_the_ends_are_in_the_order_of_the_curves() -> None:
    canvas = Canvas(20, 8, unicode=True)
    ends = {"A": 0.016, "B": 0.106, "C": 0.108, "D": 0.103, "E": 0.072, "F": 0.042}
    curves = [_curve([(0.0, 0.6), (1.0, end)], letter=letter) for letter, end in ends.items()]
    mark_ends(canvas, list(enumerate(curves)), Scale(0.0, 1.0), Scale(0.0, 0.7))
    assert {row: text.strip() for row, text in enumerate(canvas.text()) if text.strip()} == {6: "CBD", 7: "EFA"}


@pytest.mark.parametrize("height", range(1, 13))
@pytest.mark.parametrize("count", [1, 3, 12])
@pytest.mark.parametrize("spread", [0.0, 0.02, 0.08])
@pytest.mark.parametrize("unequal", [0, 1, 3])
def test_a_letter_is_never_far_from_the_end_of_its_curve(height: int, count: int, spread: float, unequal: int) -> None:
    canvas, unit = Canvas(40, height, unicode=True), Scale(0.0, 1.0)
    ends = [(1.0 - unequal * place / 40, 0.05 + spread * place) for place in range(count)]
    curves = [_curve([(0.0, 0.6), end], letter=chr(ord("A") + place)) for place, end in enumerate(ends)]
    mark_ends(canvas, list(enumerate(curves)), unit, unit)
    rows = list(canvas.text())
    shown = {letter: row for row, text in enumerate(rows) for letter in text if letter.isalpha()}
    assert count > 3 or len(shown) == count
    assert len(shown) == sum(letter.isalpha() for text in rows for letter in text)
    for letter, row in shown.items():
        place = ord(letter) - ord("A")
        column, ended = canvas.cell(ends[place][0], ends[place][1])
        assert abs(row - ended) <= (height >= 6)
        assert abs(rows[row].index(letter) - column) <= 8
    if count == 12 and len(shown) < count and not unequal:
        assert any("…" in text for text in rows)


def test_a_letter_stays_at_the_end_of_its_curve_where_it_has_room() -> None:
    canvas = Canvas(20, 10, unicode=True)
    curves = [_curve([(0.0, 0.6), (1.0, end)], letter=letter) for letter, end in (("A", 0.95), ("B", 0.5), ("C", 0.5))]
    mark_ends(canvas, list(enumerate(curves)), Scale(0.0, 1.0), Scale(0.0, 1.0))
    rows = {text.strip(): row for row, text in enumerate(canvas.text()) if text.strip()}
    assert rows["A"] == 0
    assert {rows["B"], rows["C"]} == {3, 4}
