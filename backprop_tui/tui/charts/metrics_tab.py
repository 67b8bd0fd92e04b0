"""The Metrics tab: the selected metric large, others small, a table of all, and facts; its layout and its lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import is_smoothed, main_loss, validation_counterpart
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.objective import direction_for
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.plotting.axes import Scale
from backprop_tui.presentation import numbers
from backprop_tui.presentation.known_run import Moment
from backprop_tui.presentation.objective import best_in, objective_of
from backprop_tui.tui.charts.chart import Chart, draw_chart, padded
from backprop_tui.tui.charts.metric_charts import Plotter, large_chart, last_value_text, run_facts, small_chart
from backprop_tui.tui.charts.tiles import Tile, draw_tiles, side_by_side, tiling
from backprop_tui.tui.glyphs import Glyphs, trend
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, left, width_of

_TREND_POINTS = 192
_MAX_CURSOR_ROWS = 64  # rows around the selected one whose value at the cursor is looked up

_TABLE_COLUMNS = 46  # of the table at the right
_TABLE_AT_RIGHT_FROM = 100  # columns
_THREE_CHARTS_FROM, _TWO_CHARTS_FROM = 110, 70
_SMALL_CHARTS_FROM = 24  # rows
_GRID_COLUMNS, _GRID_ROWS = 38, 10  # the least size of a chart in the grid
_NAME_WIDTH, _VALUE_WIDTH, _TREND_WIDTH = 10, 8, 8


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """A row of the table; `token` is the color of the metric's curve in the large chart, None if it has none there.

    `value` is the last one, or the one at the cursor if there is a cursor.
    """

    name: str
    value: str
    best: str
    is_smoothed: bool  # the best value, which may be worse than the last one
    bad: bool  # the value is NaN or infinite
    trend: tuple[float, ...]
    chosen: bool
    token: Token | None
    at_cursor: bool


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MetricsView:
    """What the tab shows: the selected metric `large`, the following ones `small`, table `rows` and `facts`.

    A grid consists of small charts only: the page that contains the selected one, starting with metric number `first`.
    `whole` is the complete x range, of which the charts may show a part.
    """

    large: Chart
    small: tuple[Chart, ...]
    rows: tuple[MetricRow, ...]
    facts: tuple[Line, ...]
    whole: Scale = Scale(0.0, 1.0)
    grid: bool = False
    first: int = 0
    note: str = ""

    @property
    def is_navigated(self) -> bool:
        """Whether it is zoomed, has a cursor, or is filtered."""
        return self.large.cursor is not None or self.large.x != self.whole or bool(self.note)

    @property
    def chosen_index(self) -> int:
        return next((index for index, row in enumerate(self.rows) if row.chosen), 0)


def metrics_view(plotter: Plotter, moment: Moment, glyphs: Glyphs, *, most: int = 3) -> MetricsView:
    """The tab of one run, with room for `most` small charts."""
    choices, metrics = plotter.choices, plotter.data.metrics
    names = _loss_first(choices.matching(metrics), metrics)
    chosen = names.index(plotter.name) if plotter.name in names else 0
    if choices.grid:
        first = chosen // most * most
        small = names[first : first + most]
    else:
        first = 0
        following = [*names[chosen + 1 :], *names[:chosen]]
        small = [name for name in following if name not in (plotter.name, plotter.validation)][:most]
    return MetricsView(
        large=large_chart(plotter),
        small=tuple(small_chart(plotter, metrics[name], in_grid=choices.grid) for name in small),
        rows=tuple(
            _metric_row(plotter, metrics[name], look_up=abs(index - chosen) <= _MAX_CURSOR_ROWS // 2)
            for index, name in enumerate(names)
        ),
        facts=tuple(line for line in run_facts(plotter, moment, glyphs) if line),
        whole=plotter.whole,
        grid=choices.grid and bool(names),
        first=first,
        note=f"{choices.filter_text} {len(names)} of {len(metrics)}" if choices.filter_text else "",
    )


def _loss_first(names: Sequence[str], metrics: Mapping[str, MetricSeries]) -> list[str]:
    """The loss, the validation loss, then the others in their order."""
    loss = main_loss(metrics)
    first = (loss, None if loss is None else validation_counterpart(loss, metrics))
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def _metric_row(plotter: Plotter, series: MetricSeries, *, look_up: bool) -> MetricRow:
    name, cursor = series.name, plotter.choices.cursor
    token = Token.ACCENT if name == plotter.name else Token.WARN if name == plotter.validation else None
    best = best_in(plotter.known.record, series, direction_for(name, objective_of(plotter.known.record)))
    bucket = plotter.track(series).nearest(cursor) if look_up and cursor is not None else None
    value = last_value_text(series) if bucket is None else numbers.metric(bucket.last)
    return MetricRow(
        name=name,
        value=value,
        best="" if best is None else numbers.metric(best.value),
        is_smoothed=best is not None and is_smoothed(name),
        bad=value.lstrip("-") in ("NaN", "inf"),
        trend=tuple(bucket.mean for bucket in series.buckets[:: max(1, len(series.buckets) // _TREND_POINTS)]),
        chosen=name == plotter.name,
        token=token,
        at_cursor=bucket is not None,
    )


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MetricsLayout:
    """Where the parts of the tab are at a size.

    The large chart starts at column 1 of row 0, and the small charts are below everything else. A grid has no large
    chart.
    """

    small: tuple[Tile, ...]
    large_columns: int = 0
    large_rows: int = 0
    table_at_right: bool = False
    table_rows: int = 0  # of a table below the large chart
    summary_rows: int = 0  # of the lines that replace the table when there is no room for it

    @property
    def small_top(self) -> int:
        return self.large_rows + self.table_rows + self.summary_rows

    def small_at(self, x: int, y: int) -> int | None:
        """The index of the small chart at a cell."""
        covering = (index for index, tile in enumerate(self.small) if tile.covers(x, y - self.small_top))
        return next(covering, None)


def metrics_layout(width: int, height: int, *, grid: bool, small: int, rows: int = 0, facts: int = 0) -> MetricsLayout:
    """The layout for a size, with so many small charts if they fit; `rows` and `facts` are those of the table."""
    if grid:
        tiles = tiling(small, width, max(1, height - 1), columns=_GRID_COLUMNS, rows=_GRID_ROWS)
        return MetricsLayout(small=tiles, summary_rows=1)
    small_rows = min(12, height * 3 // 10) if height >= _SMALL_CHARTS_FROM and small else 0
    across = min(small, 3 if width >= _THREE_CHARTS_FROM else 2 if width >= _TWO_CHARTS_FROM else 1)
    tiles = tiling(across, width, small_rows, columns=1, rows=small_rows) if small_rows else ()
    top = height - small_rows
    if width >= _TABLE_AT_RIGHT_FROM:
        return MetricsLayout(large_columns=width - _TABLE_COLUMNS - 2, large_rows=top, small=tiles, table_at_right=True)
    table_rows = min(rows + facts + 2, top // 2) if top >= 24 else 0
    summary_rows = 0 if table_rows else 2 if top >= 8 else 1 if top >= 6 else 0
    return MetricsLayout(
        large_columns=width - 2,
        large_rows=top - table_rows - summary_rows,
        small=tiles,
        table_rows=table_rows,
        summary_rows=summary_rows,
    )


def layout_of_view(view: MetricsView, width: int, height: int) -> MetricsLayout:
    """The layout for what there is to show; without other metrics the large chart gets all the room."""
    sizes = {"rows": len(view.rows), "facts": len(view.facts)}
    return metrics_layout(width, height, grid=view.grid, small=len(view.small), **sizes)


def draw_metrics(view: MetricsView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    layout = layout_of_view(view, width, height)
    small = draw_tiles(view.small, layout.small, width, glyphs)
    if view.grid:
        lines = [_grid_status(view, width), *small]
        return [*lines, *([()] * (height - len(lines)))][:height]
    return [*_draw_large_chart(view, width, layout, glyphs), *small]


def _grid_status(view: MetricsView, width: int) -> Line:
    last = view.first + len(view.small)
    shown = f" {view.first + 1}-{last} of {len(view.rows)} metrics"
    text = f"{shown if len(view.small) < len(view.rows) else f' {last} metrics'}  {view.note}".rstrip()
    if len(view.small) < len(view.rows):
        text += "   pgup pgdn pages"
    fact = next(iter(view.facts), ())
    room = width - len(text) - 4 > width_of(fact)
    return padded((Piece(text, Token.MUTED), Piece("   "), *(fact if room else ())), width)


def _draw_large_chart(view: MetricsView, width: int, layout: MetricsLayout, glyphs: Glyphs) -> list[Line]:
    """The large chart with the table at its right or below it, or with a summary when there is no room for both."""
    chart = draw_chart(view.large, layout.large_columns, layout.large_rows, glyphs)
    if layout.table_at_right:
        table = _draw_table(view, _TABLE_COLUMNS - 2, layout.large_rows, glyphs)
        return side_by_side([chart, table], [0, width - _TABLE_COLUMNS], width, glyphs)
    lines = [(Piece(" "), *line) for line in chart]
    if layout.table_rows:
        lines += [(Piece(" "), *line) for line in _draw_table(view, width - 2, layout.table_rows, glyphs)]
    summary = _summary_lines(view, width)[: layout.summary_rows]
    return [*lines, *summary, *([()] * (layout.summary_rows - len(summary)))]


def metric_at(view: MetricsView, width: int, height: int, x: int, y: int) -> str | None:
    """The metric whose table row or small chart is at a cell."""
    layout = layout_of_view(view, width, height)
    small = layout.small_at(x, y)
    if small is not None:
        return view.small[small].name if small < len(view.small) else None
    if not layout.table_at_right or x < width - _TABLE_COLUMNS:
        return None
    room = _table_room(view, layout.large_rows)
    index = _first_table_row(view, room) + y - 1
    return view.rows[index].name if 1 <= y <= room and index < len(view.rows) else None


def _table_room(view: MetricsView, height: int) -> int:
    return max(1, height - 2 - len(view.facts)) if height > len(view.facts) + 3 else max(0, height - 1)


def _first_table_row(view: MetricsView, room: int) -> int:
    return max(0, min(view.chosen_index - room + 1, len(view.rows) - room))


def _draw_table(view: MetricsView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    room = _table_room(view, height)
    start = _first_table_row(view, room)
    last = "at cursor" if any(row.at_cursor for row in view.rows) else "last"
    name_width = min(24, max(_NAME_WIDTH, width - 2 * _VALUE_WIDTH - _TREND_WIDTH - 6))
    title_width = name_width + _VALUE_WIDTH - len(last)
    title = (view.note or "metric")[: title_width - 1]
    last_title = " *smoothed" if any(row.is_smoothed for row in view.rows) else "  trend"
    head = f"   {title:<{title_width}}{last} {'best':>{_VALUE_WIDTH}}{last_title}"
    lines: list[Line] = [(Piece(head, Token.MUTED),)]
    lines += [_table_row(row, name_width, glyphs) for row in view.rows[start : start + room]]
    if height - len(lines) > len(view.facts):
        lines.append(())
    facts = [_clipped(line, width, glyphs) for line in view.facts]
    return [padded(line, width) for line in [*lines, *facts][:height]]


def _clipped(line: Line, width: int, glyphs: Glyphs) -> Line:
    """The line, with an ellipsis in its last piece if it is too wide."""
    *pieces, last = line
    return (*pieces, last._replace(text=clip(last.text, width - width_of(pieces), glyphs)))


def _table_row(row: MetricRow, name_width: int, glyphs: Glyphs) -> Line:
    builder = LineBuilder()
    builder.put(glyphs.cursor if row.chosen else " ", Token.ACCENT)
    builder.put(glyphs.bar_full if row.token else " ", row.token or Token.FG).put(" ")
    builder.put(left(sanitize(row.name), name_width, glyphs), bold=row.chosen)
    builder.put(f"{row.value:>{_VALUE_WIDTH}}", Token.BAD if row.bad else Token.FG, bold=True)
    builder.put(f" {row.best:>{_VALUE_WIDTH}}{'*' if row.is_smoothed else ' '} ", Token.MUTED)
    builder.put(trend(row.trend, _TREND_WIDTH, glyphs.curves), row.token or Token.MUTED)
    return builder.line()


def _summary_lines(view: MetricsView, width: int) -> list[Line]:
    """The facts in one line and the other metrics in another, as many of each as fit."""
    others = [row for row in view.rows if row.token is None]
    values = [(Piece(f"{sanitize(row.name)} ", Token.MUTED), Piece(row.value, bold=True)) for row in others]
    lines = [_join_fitting(view.facts, width), _join_fitting(values, width)]
    return [line for line in lines if line]


def _join_fitting(parts: Sequence[Line], width: int) -> Line:
    builder = LineBuilder()
    for part in parts:
        gap = " " if builder.column == 0 else "   "
        if builder.column + len(gap) + width_of(part) > width:
            continue
        builder.put(gap).extend(part)
    return builder.line()
