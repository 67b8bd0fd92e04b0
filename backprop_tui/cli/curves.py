"""Curves of metrics in the terminal: the options of `show` and `compare`, and a plot with its axes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from backprop_tui.cli import output
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.run import AttemptTimeline, Run
from backprop_tui.plotting.axes import Axis, Scale, XUnit
from backprop_tui.plotting.canvas import OwnedText as Cells
from backprop_tui.plotting.plots import overlay
from backprop_tui.plotting.track import PlottedSeries, x_scale, y_scale
from backprop_tui.presentation import durations, numbers

LETTERS = "ABCDEF"
ROWS = 8
_COLOURS = (36, 33, 35, 32, 31, 34)  # SGR: cyan, yellow, magenta, green, red, blue
_MIN_WIDTH = 10
_LABEL = 9
_SMOOTH_STRETCHES = 60


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
        stretches=_SMOOTH_STRETCHES if arguments.smooth else 0,
        unicode=output.shows_unicode() and not arguments.ascii,
    )


def track_of(series: MetricSeries, run: Run | None, by: XUnit) -> PlottedSeries:
    return PlottedSeries(series, Axis(attempts=AttemptTimeline.of(run), by=by))


def plot(tracks: Sequence[PlottedSeries], options: CurveOptions, *, rows: int = ROWS) -> None:
    """Prints up to six curves, each with its letter if there are several; curves without points are skipped."""
    shown = [track for track in tracks if track.series.buckets]
    if not shown:
        return
    width = max(_MIN_WIDTH, (output.width() or output.USUAL_WIDTH) - _LABEL - 2)
    x, y = x_scale(shown), y_scale(shown, log=options.log)
    curves = [
        (LETTERS[index] if len(tracks) > 1 else "*", track.drawn(options.stretches).pieces)
        for index, track in enumerate(tracks)
    ]
    drawn = overlay(curves, x, y, width=width, height=rows, unicode=options.unicode)
    labels = {row: numbers.metric(y.value(1 - (row + 0.5) / rows)) for row in (0, rows // 2, rows - 1)}
    edge = "┤" if options.unicode else "|"
    for number, cells in enumerate(drawn):
        output.line(f"{labels.get(number, ''):>{_LABEL}} {edge}{_coloured(cells, several=len(tracks) > 1)}".rstrip())
    output.line(" " * (_LABEL + 2) + _x_labels(x, options.by, width))


def _coloured(cells: Sequence[Cells], *, several: bool) -> str:
    if not several or not output.shows_colour():
        return "".join(text for text, _ in cells).rstrip()
    return "".join(text if owner is None else painted(text, owner) for text, owner in cells)


def painted(text: str, index: int) -> str:
    return f"\x1b[{_COLOURS[index]}m{text}\x1b[0m" if output.shows_colour() else text


def _x_labels(x: Scale, by: XUnit, width: int) -> str:
    values = [x.value(share) for share in (0.0, 0.5, 1.0)]
    left, middle, right = (
        numbers.compact_count(round(value)) if by is XUnit.STEP else durations.elapsed(value) for value in values
    )
    room = width - len(left) - len(right)
    return left + middle.center(room) + right if room > len(middle) + 2 else left + right.rjust(width - len(left))
