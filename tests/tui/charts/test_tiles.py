"""Charts of equal rank divide their area, whatever its size and their number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.tui.charts.tiles import tiling


@given(count=st.integers(1, 40), width=st.integers(20, 250), height=st.integers(1, 80))
def test_charts_fill_their_area_without_overlapping(count: int, width: int, height: int) -> None:
    tiles = tiling(count, width, height, columns=38, rows=10)
    assert 1 <= len(tiles) <= count
    rows = {tile.top: tile.rows for tile in tiles}
    assert sum(rows.values()) == height
    for top in rows:
        in_row = [tile for tile in tiles if tile.top == top]
        ends = [tile.left + tile.columns + 3 for tile in in_row]
        assert [tile.left for tile in in_row[1:]] == ends[:-1] or width < 38 * len(in_row)
        assert abs(ends[-1] - (width - 1)) <= 3


@pytest.mark.parametrize(
    ("count", "size", "shape"),
    [
        (1, (120, 36), [1]),
        (2, (120, 36), [1, 1]),
        (2, (200, 30), [2]),
        (3, (120, 36), [2, 1]),
        (5, (120, 36), [2, 2, 1]),
        (5, (200, 46), [3, 2]),
        (40, (120, 36), [3, 3, 3]),
        (3, (80, 9), [2]),
    ],
)
def test_the_shape_of_the_charts_decides_how_they_are_arranged(
    count: int, size: tuple[int, int], shape: list[int]
) -> None:
    tiles = tiling(count, *size, columns=38, rows=10)
    assert [sum(tile.top == top for tile in tiles) for top in sorted({tile.top for tile in tiles})] == shape


def test_a_pane_without_any_column_is_no_error() -> None:
    assert len(tiling(3, 0, 1, columns=20, rows=5)) == 1
