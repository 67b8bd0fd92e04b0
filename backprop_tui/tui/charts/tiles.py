"""Several charts of equal rank that fill an area: how many fit, where each one is, and their lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.charts.chart import Chart, draw_chart, padded
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Token

_SHAPE = 3.6  # columns per row of a chart that reads well
_DIVIDER = 3  # cells between two charts


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """The place of a chart with its divider, and the size of the chart itself."""

    left: int
    top: int
    columns: int
    rows: int

    def covers(self, x: int, y: int) -> bool:
        return self.left <= x < self.left + self.columns + _DIVIDER and self.top <= y < self.top + self.rows

    @property
    def chart_left(self) -> int:
        """The first column of the chart: next to the divider, or to the edge."""
        return self.left + 2 if self.left else 1


def tiling(count: int, width: int, height: int, *, columns: int, rows: int) -> tuple[Tile, ...]:
    """Divides an area among `count` charts of at least this size; fewer tiles if that many do not fit.

    A last row with fewer charts is divided among those. Charts have about the shape that reads best.
    """
    most_across, most_down = max(1, width // columns), max(1, height // rows)
    count = max(1, min(count, most_across * most_down))
    shapes = {down: -(-count // down) for down in range(1, most_down + 1) if -(-count // down) <= most_across}
    down = min(shapes, key=lambda each: abs(math.log(max(1, width) / shapes[each] / (height / each) / _SHAPE)))
    across = shapes[down]
    down = -(-count // across)
    tiles = []
    for row in range(down):
        top, bottom = row * height // down, (row + 1) * height // down
        in_row = min(across, count - row * across)
        for column in range(in_row):
            left, right = column * (width - 1) // in_row, (column + 1) * (width - 1) // in_row
            tiles.append(Tile(left=left, top=top, columns=max(1, right - left - _DIVIDER), rows=bottom - top))
    return tuple(tiles)


def draw_tiles(charts: Sequence[Chart], tiles: Sequence[Tile], width: int, glyphs: Glyphs) -> list[Line]:
    """Draws each chart in its tile; charts without a tile are left out."""
    lines: list[Line] = []
    for top in sorted({tile.top for tile in tiles}):
        row = [(tile, chart) for tile, chart in zip(tiles, charts, strict=False) if tile.top == top]
        blocks = [draw_chart(chart, tile.columns, tile.rows, glyphs) for tile, chart in row]
        lines += side_by_side(blocks, [tile.left for tile, _ in row], width, glyphs) if row else []
    return lines


def side_by_side(blocks: Sequence[Sequence[Line]], columns: Sequence[int], width: int, glyphs: Glyphs) -> list[Line]:
    """Joins blocks of lines horizontally with dividers at the given columns; a block starts next to its divider."""
    lines: list[Line] = []
    for row in range(max(map(len, blocks))):
        builder = LineBuilder()
        for column, block in zip(columns, blocks, strict=True):
            if column:
                builder.at(column).put(glyphs.divider, Token.RULE)
            builder.at(column + (2 if column else 1)).extend(block[row] if row < len(block) else ())
        lines.append(padded(builder.line(), width))
    return lines
