"""Where the parts of the Metrics tab stand at which size."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.values import dataclass
from backprop_tui.tui.charts.metrics_view import MetricsView

TABLE_COLUMNS = 46  # of the table at the right
_BESIDE_FROM = 100  # columns
_THREE_FROM = 110
_SMALL_FROM_ROWS = 24
_GRID_COLUMNS, _GRID_ROWS = 38, 10  # that a chart of the grid wants
_MOST_ACROSS, _MOST_DOWN = 4, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What stands where: the size of the large chart, which begins at column 1 of row 0; the small ones below it.

    In a grid the large one has no rows.
    """

    large_columns: int
    large_rows: int
    small_rows: int
    across: int
    down: int
    beside: bool  # whether the table stands at the right
    table_rows: int = 0  # below
    figures: int = 0

    @property
    def small(self) -> int:
        """How many small charts there is room for."""
        return self.across * self.down

    def small_at(self, x: int, y: int, width: int) -> int | None:
        """Which of the small charts is at a cell."""
        top = self.large_rows + self.table_rows + self.figures
        if y < top or self.small_rows <= 0:
            return None
        row, column = (y - top) // self.small_rows, min(self.across - 1, x * self.across // max(1, width))
        return row * self.across + column if row < self.down else None


def plan_of(width: int, height: int, *, grid: bool, rows: int = 0, facts: int = 0) -> Plan:
    """For a pane of this size; `rows` of the table and `facts` are as many as there are to show."""
    if grid:
        across = max(1, min(_MOST_ACROSS, width // _GRID_COLUMNS))
        down = max(1, min(_MOST_DOWN, (height - 1) // _GRID_ROWS))
        each = max(1, (height - 1) // down)
        return Plan(large_columns=0, large_rows=0, small_rows=each, across=across, down=down, beside=False, figures=1)
    small_rows = min(12, height * 3 // 10) if height >= _SMALL_FROM_ROWS else 0
    across = (3 if width >= _THREE_FROM else 2 if width >= 70 else 1) if small_rows else 0
    top = height - small_rows
    if width >= _BESIDE_FROM:
        columns = width - TABLE_COLUMNS - 2
        return Plan(large_columns=columns, large_rows=top, small_rows=small_rows, across=across, down=1, beside=True)
    table_rows = min(rows + facts + 2, top // 2) if top >= 24 else 0
    figures = 0 if table_rows else 2 if top >= 8 else 1 if top >= 6 else 0
    return Plan(
        large_columns=width - 2,
        large_rows=top - table_rows - figures,
        small_rows=small_rows,
        across=across,
        down=1,
        beside=False,
        table_rows=table_rows,
        figures=figures,
    )


def plan_for(view: MetricsView, width: int, height: int) -> Plan:
    """The plan of what there is to show; without other metrics the large chart has all the room."""
    plan = plan_of(width, height, grid=view.grid, rows=len(view.rows), facts=len(view.facts))
    if view.grid or not plan.small_rows:
        return plan
    if view.small:
        return replace(plan, across=min(plan.across, len(view.small)))
    return replace(plan, large_rows=plan.large_rows + plan.small_rows, small_rows=0, across=0)


def wide_at(plan: Plan, width: int) -> int:
    """Columns of a small chart."""
    return (width - 1) // max(1, plan.across) - 3
