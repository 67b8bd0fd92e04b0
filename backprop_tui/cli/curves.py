"""Curves of metrics in the terminal: the options of `show` and `compare`, and a plot with its axes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from backprop_tui.cli import output
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.run import AttemptTimeline, Run
from backprop_tui.plotting.axes import Axis, Scale, XUnit
from backprop_tui.plotting.canvas import Canvas
from backprop_tui.plotting.canvas import OwnedText as Cells
from backprop_tui.plotting.plots import Curve, draw_curve, mark_ends
from backprop_tui.plotting.track import PlottedSeries, Style, x_scale, y_scale
from backprop_tui.presentation import numbers
from backprop_tui.presentation.curves import (
    SMOOTH_STRETCHES,
    X_UNITS,
    AxisUnit,
    column_labels,
    planned_text,
    row_labels,
    train_and_gap,
)

LETTERS = "ABCDEF"
ROWS = 8
_COLOURS = ("36", "33", "35", "32", "31", "34")  # SGR: cyan, yellow, magenta, green, red, blue
_FAINT = "2"
_MIN_WIDTH = 10
_LABEL = 9
_STYLES = (Style.LINE, Style.POINTS)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CurveOptions:
    by: XUnit
    log: bool
    stretches: int
    unicode: bool


def add_curve_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("curves")
    group.add_argument(
        "--by",
        choices=("step", "time"),
        default="step",
        help="x axis: step, or time the run was active (default: step)",
    )
    group.add_argument("--log", action="store_true", help="logarithmic y axis")
    group.add_argument("--smooth", action="store_true", help="a moving average instead of every value")
    group.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")


def curve_options(arguments: argparse.Namespace) -> CurveOptions:
    return CurveOptions(
        by=XUnit(arguments.by),
        log=arguments.log,
        stretches=SMOOTH_STRETCHES if arguments.smooth else 0,
        unicode=output.shows_unicode() and not arguments.ascii,
    )


def track_of(series: MetricSeries, run: Run | None, by: XUnit) -> PlottedSeries:
    return PlottedSeries(series, Axis(attempts=AttemptTimeline.of(run), by=by))


def plot(tracks: Sequence[PlottedSeries], options: CurveOptions, *, rows: int = ROWS) -> None:
    """Prints up to six curves, each with its letter if there are several; curves without points are skipped."""
    several = len(tracks) > 1
    curves = [
        Curve(pieces=track.drawn(options.stretches).pieces, letter=LETTERS[index] if several else "*")
        for index, track in enumerate(tracks)
    ]
    _print(tracks, curves, options, rows=rows, are_lettered=several)


def plot_with_validation(
    tracks: Sequence[PlottedSeries], options: CurveOptions, *, planned: float | None = None
) -> None:
    """Prints the curve of a metric and, as points, that of its validation, if there is one."""
    curves: list[Curve] = []
    behind: list[Curve] = []
    for track, letter, style in zip(tracks, "tv" if len(tracks) > 1 else "*", _STYLES, strict=False):
        drawn = track.drawn(0 if style is Style.POINTS else options.stretches)
        curves.append(Curve(pieces=drawn.pieces, letter=letter, style=style))
        behind += [Curve(pieces=pieces, letter="", style=style) for style, pieces in drawn.behind]
    _print(tracks, [*curves, *behind], options, planned=planned)


def legend(tracks: Sequence[PlottedSeries], options: CurveOptions) -> str:
    """`━━ train 0.128  • val 0.147  gap 0.019`; empty without a validation."""
    if len(tracks) < 2:
        return ""
    swatches = ("━━", "•") if options.unicode else ("t", "v")
    smoothed, gap = train_and_gap(*tracks)
    values = [None if track.series.last is None else track.series.last.value for track in tracks]
    train, validation = map(numbers.metric, values)
    texts = f"train {smoothed or train}", f"val {validation}"
    parts = [
        f"{painted(swatch, index)} {text}" for index, (swatch, text) in enumerate(zip(swatches, texts, strict=True))
    ]
    return "  ".join([*parts, *([f"gap {gap}"] if gap else [])])


def _print(
    tracks: Sequence[PlottedSeries],
    curves: Sequence[Curve],
    options: CurveOptions,
    *,
    rows: int = ROWS,
    are_lettered: bool = False,
    planned: float | None = None,
) -> None:
    shown = [track for track in tracks if track.series.buckets]
    if not shown:
        return
    width = max(_MIN_WIDTH, (output.width() or output.USUAL_WIDTH) - _LABEL - 2)
    x = x_scale(shown)
    y, labels = row_labels(y_scale(shown, log=options.log), AxisUnit.METRIC, rows)
    canvas = Canvas(width, rows, unicode=options.unicode)
    for owner, curve in sorted(enumerate(curves), key=lambda item: item[1].style):
        draw_curve(canvas, owner, curve, x, y)
    if are_lettered:
        mark_ends(canvas, list(enumerate(curves)), x, y)
    for number, at in () if are_lettered else shown[0].axis.restarts(shown[0].series):
        canvas.draw_vertical(x.share(at), "│" if options.unicode else "|", len(curves), label=str(number))
    edge, tick = ("│", "┤") if options.unicode else ("|", "+")
    for row, cells in zip(range(rows - 1, -1, -1), canvas.runs(), strict=True):
        line = _coloured(cells, colours=len(tracks) if len(curves) > 1 else 0)
        output.line(f"{labels.get(row, ''):>{_LABEL}} {tick if row in labels else edge}{line}".rstrip())
    output.line(" " * (_LABEL + 2) + _x_labels(x, options, width, planned))


def _coloured(cells: Sequence[Cells], *, colours: int) -> str:
    """The text with the color of each owner; owners beyond so many are faint."""
    if not colours or not output.shows_colour():
        return "".join(text for text, _ in cells).rstrip()
    return "".join(
        text if owner is None else painted(text, owner) if owner < colours else output.painted(text, _FAINT)
        for text, owner in cells
    )


def painted(text: str, index: int) -> str:
    return output.painted(text, _COLOURS[index])


def _x_labels(x: Scale, options: CurveOptions, width: int, planned: float | None) -> str:
    end = planned_text(planned if planned is not None and planned > x.high else None, unicode=options.unicode)
    line = ""
    for start, text in column_labels(x, X_UNITS[options.by], width, width - len(end) - 2 * bool(end)):
        line = line.ljust(start) + text
    return line + end.rjust(width - len(line)) if end else line
