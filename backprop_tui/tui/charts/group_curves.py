"""The curves of all runs of a group in one chart, colored by the values of one argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.compare import ComparedRun, default_metric, metric_names
from backprop_tui.presentation.group_table import GroupTable, Parameter
from backprop_tui.store.option_table import NOT_SET, arguments_of
from backprop_tui.tui.charts.chart import draw_chart
from backprop_tui.tui.charts.choices import ChartChoices
from backprop_tui.tui.charts.overlay import (
    OverlaidRun,
    Overlay,
    OverlayCache,
    category_token,
    letter_of,
    overlay_of,
    ramp_token,
)
from backprop_tui.tui.glyphs import Curves, Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip, hint, width_of

_MAX_LEGEND_ROWS = 3


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    letter: str
    token: Token
    value: str
    count: int


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GroupCurves:
    """`parameter` is what the colors mean, None if the runs differ in nothing."""

    parameter: str | None
    legend: tuple[LegendEntry, ...]
    overlay: Overlay


def color_parameters(table: GroupTable) -> tuple[Parameter, ...]:
    """What the curves can be colored by: the hyperparameters, then what is folded."""
    return (*table.parameters, *table.folded)


def group_curves(
    runs: Sequence[ComparedRun],
    table: GroupTable,
    parameter: Parameter | None,
    choices: ChartChoices,
    cache: OverlayCache,
) -> GroupCurves:
    """The curves of the runs, which may not all be read yet."""
    names = metric_names(runs)
    metric = next((name for name in (choices.metric, table.metric) if name in names), None) or default_metric(names)
    values = ("",) if parameter is None else parameter.values
    of_value: dict[str, list[ComparedRun]] = {value: [] for value in values}
    for run in runs:
        value = "" if parameter is None else arguments_of(run.record).get(parameter.argument, NOT_SET)
        of_value.setdefault(value, []).append(run)
    overlaid: list[OverlaidRun] = []
    legend: list[LegendEntry] = []
    for index, (value, members) in enumerate(of_value.items()):
        is_ramp = parameter is not None and parameter.is_numeric
        token = ramp_token(index, len(of_value)) if is_ramp else category_token(index)
        legend.append(LegendEntry(letter=letter_of(index), token=token, value=sanitize(value), count=len(members)))
        overlaid += [
            OverlaidRun(
                compared=run,
                token=token,
                letter=letter_of(index),
                ends_in_letter=not place,
            )
            for place, run in enumerate(_with_curve_first(members, metric))
        ]
    return GroupCurves(
        parameter=None if parameter is None else parameter.name,
        legend=tuple(legend) if parameter is not None else (),
        overlay=overlay_of(overlaid, metric, choices, cache),
    )


def _with_curve_first(runs: Iterable[ComparedRun], metric: str | None) -> list[ComparedRun]:
    return sorted(runs, key=lambda run: metric not in run.metrics)


def draw_group_curves(
    curves: GroupCurves, width: int, height: int, glyphs: Glyphs, *, note: str, keys: Mapping[str, str]
) -> tuple[list[Line], int]:
    """The legend and the chart below it, and the row where the chart begins.

    `note` stands after the legend, then `keys` with what they do.
    """
    lines = _legend(curves, width, glyphs, note, keys, most=min(_MAX_LEGEND_ROWS, max(1, height // 3)))
    chart = draw_chart(curves.overlay.chart, width - 1, height - len(lines), glyphs)
    return [*lines, *((Piece(" "), *line) for line in chart)], len(lines)


def _legend(
    curves: GroupCurves, width: int, glyphs: Glyphs, note: str, keys: Mapping[str, str], *, most: int
) -> list[Line]:
    """At most so many rows: with less room, the last one counts the entries that are left out."""
    rows: list[list[Piece]] = [
        [Piece(f" by {sanitize(curves.parameter)}" if curves.parameter else " all runs", bold=True)]
    ]
    left_out = 0
    for entry in curves.legend:
        swatch = entry.letter * 2 if glyphs.curves is Curves.ASCII else glyphs.bar_full * 2
        count = f" {glyphs.times}{entry.count}" if entry.count > 1 else ""
        pieces = [
            Piece(f"  {swatch} ", entry.token),
            Piece(entry.letter, entry.token, bold=True),
            Piece(f" {clip(entry.value, 24, glyphs)}"),
            Piece(count, Token.MUTED),
        ]
        if width_of([*rows[-1], *pieces]) + 9 > width:
            if len(rows) == most:
                left_out += 1
                continue
            rows.append([])
        rows[-1] += pieces
    rest = f"  +{left_out} more" if left_out else ""
    rows[-1].append(Piece(f"{rest}  {note}" if note else rest, Token.MUTED))
    for key, text in keys.items():
        pieces = hint(key, text, before="  ")
        if width_of([*rows[-1], *pieces]) <= width:
            rows[-1] += pieces
    return [tuple(row) for row in rows]
