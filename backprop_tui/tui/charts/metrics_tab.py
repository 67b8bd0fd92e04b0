"""The Metrics tab as lines: what stands where at which size."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.cells import left
from backprop_tui.tui.charts.chart import Chart
from backprop_tui.tui.charts.draw import draw_chart, filled
from backprop_tui.tui.charts.metrics_plan import TABLE_COLUMNS, Plan, plan_for, wide_at
from backprop_tui.tui.charts.metrics_view import MetricRow, MetricsView
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import LineBuilder, width_of
from backprop_tui.tui.sparklines import trend
from backprop_tui.tui.tokens import Line, Piece, Token

_NAME, _FIGURE, _TREND = 10, 8, 8


def draw_metrics(view: MetricsView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines."""
    plan = plan_for(view, width, height)
    if view.grid:
        lines = [_grid_status(view, width), *_small(view.small[: plan.small], plan, width, glyphs)]
        return [*lines, *([()] * (height - len(lines)))][:height]
    top = _top(view, width, plan, glyphs) if plan.beside else _narrow(view, width, plan, glyphs)
    return [*top, *_small(view.small[: plan.small], plan, width, glyphs)] if plan.small_rows else top


def _small(charts: Sequence[Chart], plan: Plan, width: int, glyphs: Glyphs) -> list[Line]:
    """In rows of as many as stand beside each other; those that are missing leave their place empty."""
    lines: list[Line] = []
    wide = wide_at(plan, width)
    for start in range(0, len(charts), plan.across):
        blocks = [draw_chart(one, wide, plan.small_rows, glyphs) for one in charts[start : start + plan.across]]
        lines += side_by_side(blocks, [place * (wide + 3) for place in range(len(blocks))], width, glyphs)
    return lines


def _grid_status(view: MetricsView, width: int) -> Line:
    last = view.first + len(view.small)
    words = f" {view.first + 1}-{last} of {len(view.rows)} metrics  {view.note}".rstrip()
    fact = next((line for line in view.facts if line), ())
    room = width - len(words) - 4 > width_of(fact)
    return filled((Piece(words, Token.MUTED), Piece("   "), *(fact if room else ())), width)


def side_by_side(blocks: Sequence[Sequence[Line]], columns: Sequence[int], width: int, glyphs: Glyphs) -> list[Line]:
    """Blocks of as many lines each, a divider between them; each begins one cell behind its column."""
    lines: list[Line] = []
    for place in range(max(map(len, blocks))):
        built = LineBuilder()
        for column, block in zip(columns, blocks, strict=True):
            if column:
                built.at(column).put(glyphs.divider, Token.RULE)
            built.at(column + (2 if column else 1))
            for piece in block[place] if place < len(block) else ():
                built.put(*piece[:2], bold=piece.bold, chosen=piece.chosen)
        lines.append(filled(built.line(), width))
    return lines


def _top(view: MetricsView, width: int, plan: Plan, glyphs: Glyphs) -> list[Line]:
    chart = draw_chart(view.large, plan.large_columns, plan.large_rows, glyphs)
    column = draw_table(view, TABLE_COLUMNS - 2, plan.large_rows, glyphs)
    return side_by_side([chart, column], [0, width - TABLE_COLUMNS], width, glyphs)


def _narrow(view: MetricsView, width: int, plan: Plan, glyphs: Glyphs) -> list[Line]:
    """Below the chart the table where there is room, else two lines of figures."""
    chart = draw_chart(view.large, plan.large_columns, plan.large_rows, glyphs)
    lines = [(Piece(" "), *line) for line in chart]
    if plan.table_rows:
        lines += [(Piece(" "), *line) for line in draw_table(view, width - 2, plan.table_rows, glyphs)]
    said = _figures(view, width)[: plan.figures]
    return [*lines, *said, *([()] * (plan.figures - len(said)))]


def metric_at(view: MetricsView, width: int, height: int, x: int, y: int) -> str | None:
    """The metric whose row of the table or small chart is at a cell."""
    plan = plan_for(view, width, height)
    small = plan.small_at(x, y, width)
    if small is not None:
        return view.small[small].name if small < len(view.small) else None
    if not plan.beside or x < width - TABLE_COLUMNS:
        return None
    room = _table_room(view, plan.large_rows)
    place = _table_start(view, room) + y - 1
    return view.rows[place].name if 1 <= y <= room and place < len(view.rows) else None


def _table_room(view: MetricsView, height: int) -> int:
    return max(1, height - 2 - len(view.facts)) if height > len(view.facts) + 3 else max(0, height - 1)


def _table_start(view: MetricsView, room: int) -> int:
    """The chosen one is always among them."""
    return max(0, min(view.chosen_place - room + 1, len(view.rows) - room))


def draw_table(view: MetricsView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """All metrics, then what is to say; the chosen one is always among them."""
    room = _table_room(view, height)
    rows = list(view.rows)
    start = _table_start(view, room)
    last = "at cursor" if any(row.at is not None for row in rows) else "last"
    name = min(24, max(_NAME, width - 2 * _FIGURE - _TREND - 6))
    room_of_title = name + _FIGURE - len(last)
    title = (view.note or "metric")[: room_of_title - 1]
    head = f"   {title:<{room_of_title}}{last} {'best':>{_FIGURE}}  trend"
    lines: list[Line] = [(Piece(head, Token.MUTED),)]
    lines += [_row(row, name, glyphs) for row in rows[start : start + room]]
    if height - len(lines) > len(view.facts):
        lines.append(())
    lines += [line for line in view.facts if line][: max(0, height - len(lines))]
    return [filled(line, width) for line in lines[:height]]


def _row(row: MetricRow, name: int, glyphs: Glyphs) -> Line:
    built = LineBuilder()
    built.put(glyphs.cursor if row.chosen else " ", Token.ACCENT)
    built.put(glyphs.bar_full if row.token else " ", row.token or Token.FG).put(" ")
    built.put(left(sanitize(row.name), name, glyphs), bold=row.chosen)
    built.put(f"{row.now:>{_FIGURE}}", Token.BAD if row.bad and row.at is None else Token.FG, bold=True)
    built.put(f" {row.best:>{_FIGURE}}  ", Token.MUTED)
    built.put(trend(row.trend, _TREND, glyphs.curves), row.token or Token.MUTED)
    return built.line()


def _figures(view: MetricsView, width: int) -> list[Line]:
    """What is to say in one line, the other metrics in another, as much as fits of each."""
    others = [row for row in view.rows if row.token is None]
    figures = [(Piece(f"{sanitize(row.name)} ", Token.MUTED), Piece(row.now, bold=True)) for row in others]
    lines = [_one_line([line for line in view.facts if line], width), _one_line(figures, width)]
    return [line for line in lines if line]


def _one_line(parts: Sequence[Line], width: int) -> Line:
    built = LineBuilder()
    for part in parts:
        between = " " if built.column == 0 else "   "
        if built.column + len(between) + width_of(part) > width:
            continue
        built.put(between)
        for piece in part:
            built.put(piece.text, piece.token, bold=piece.bold)
    return built.line()
