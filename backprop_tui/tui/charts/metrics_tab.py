"""The Metrics tab as lines: what stands where at which size."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.tui.charts.draw import draw_chart, filled
from backprop_tui.tui.charts.metrics_view import MetricRow, MetricsView
from backprop_tui.tui.drawing.lines import LineBuilder, width_of
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording.cells import left
from backprop_tui.tui.wording.curves import trend, trend_word
from backprop_tui.tui.wording.glyphs import Glyphs

_COLUMN = 46  # of the table at the right
_BESIDE_FROM = 100  # columns
_THREE_FROM = 110
_SMALL_FROM_ROWS = 24
_NAME, _FIGURE, _TREND = 10, 8, 8


def draw_metrics(view: MetricsView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines."""
    small_rows = min(12, height * 3 // 10) if height >= _SMALL_FROM_ROWS and view.small else 0
    top_rows = height - small_rows
    top = _top(view, width, top_rows, glyphs) if width >= _BESIDE_FROM else _narrow(view, width, top_rows, glyphs)
    if not small_rows:
        return top
    count = min(len(view.small), 3 if width >= _THREE_FROM else 2 if width >= 70 else 1)
    each = (width - 1) // count
    charts = [draw_chart(one, each - 3, small_rows, glyphs) for one in view.small[:count]]
    return [*top, *side_by_side(charts, [place * each for place in range(count)], width, glyphs)]


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


def _top(view: MetricsView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    chart = draw_chart(view.large, width - _COLUMN - 2, height, glyphs)
    column = draw_table(view, _COLUMN - 2, height, glyphs)
    return side_by_side([chart, column], [0, width - _COLUMN], width, glyphs)


def _narrow(view: MetricsView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """Below the chart the table where there is room, else two lines of figures."""
    table_rows = min(len(view.rows) + len(view.facts) + 2, height // 2) if height >= 24 else 0
    figures = 0 if table_rows else 2 if height >= 8 else 1 if height >= 6 else 0
    chart = draw_chart(view.large, width - 2, height - table_rows - figures, glyphs)
    lines = [(Piece(" "), *line) for line in chart]
    if table_rows:
        lines += [(Piece(" "), *line) for line in draw_table(view, width - 2, table_rows, glyphs)]
    said = _figures(view, width)[:figures]
    return [*lines, *said, *([()] * (figures - len(said)))]


def draw_table(view: MetricsView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """All metrics, then what is to say; the chosen one is always among them."""
    room = max(1, height - 2 - len(view.facts)) if height > len(view.facts) + 3 else max(0, height - 1)
    rows = list(view.rows)
    chosen = next((place for place, row in enumerate(rows) if row.chosen), 0)
    start = max(0, min(chosen - room + 1, len(rows) - room))
    name = min(24, max(_NAME, width - 2 * _FIGURE - _TREND - 6))
    head = f"   {'metric':<{name}}{'last':>{_FIGURE}} {'best':>{_FIGURE}}  trend"
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
    built.put(left(neutral(row.name), name, glyphs), bold=row.chosen)
    built.put(f"{row.last:>{_FIGURE}}", Token.BAD if row.bad else Token.FG, bold=True)
    built.put(f" {row.best:>{_FIGURE}}  ", Token.MUTED)
    built.put(trend(row.trend, _TREND) if glyphs.braille else trend_word(row.trend), row.token or Token.MUTED)
    return built.line()


def _figures(view: MetricsView, width: int) -> list[Line]:
    """What is to say in one line, the other metrics in another, as much as fits of each."""
    others = [row for row in view.rows if row.token is None]
    figures = [(Piece(f"{neutral(row.name)} ", Token.MUTED), Piece(row.last, bold=True)) for row in others]
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
