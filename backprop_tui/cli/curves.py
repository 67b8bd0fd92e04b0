"""Curves of metrics in the terminal: the options that say how, and a plot with its axes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from backprop_tui.cli import figures, output, terminal
from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.course import Course
from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.axis import Axis
from backprop_tui.plotting.by import By
from backprop_tui.plotting.canvas import Run as Cells
from backprop_tui.plotting.overlay import overlay
from backprop_tui.plotting.scale import Scale
from backprop_tui.plotting.track import Track, x_scale, y_scale

LETTERS = "ABCDEF"
ROWS = 8
_COLOURS = (36, 33, 35, 32, 31, 34)  # SGR: cyan, yellow, magenta, green, red, blue
_USUAL_WIDTH = 80
_LEAST_WIDTH = 10
_LABEL = 9
_SMOOTH_STRETCHES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What the axes are, and with which characters it is drawn."""

    by: By
    log: bool
    stretches: int
    unicode: bool


def add_curve_options(parser: argparse.ArgumentParser) -> None:
    """How curves are drawn."""
    group = parser.add_argument_group("curves")
    group.add_argument(
        "--by", choices=("step", "time"), default="step", help="x is the step, or the time the run was at work (step)"
    )
    group.add_argument("--log", action="store_true", help="y by its logarithm")
    group.add_argument("--smooth", action="store_true", help="a moving mean instead of every value")
    group.add_argument("--ascii", action="store_true", help="draw with ASCII alone")


def how(arguments: argparse.Namespace) -> How:
    """As `add_curve_options` asked."""
    return How(
        by=By(arguments.by),
        log=arguments.log,
        stretches=_SMOOTH_STRETCHES if arguments.smooth else 0,
        unicode=terminal.shows_unicode() and not arguments.ascii,
    )


def track_of(course: Course, run: Run | None, by: By) -> Track:
    """A metric of a run on an axis."""
    return Track(course, Axis(attempts=Attempts.of(run), by=by))


def plot(tracks: Sequence[Track], asked: How, *, rows: int = ROWS) -> None:
    """Up to six curves, each with its letter where there are several; nothing is printed of what has no point."""
    shown = [one for one in tracks if one.course.buckets]
    if not shown:
        return
    width = max(_LEAST_WIDTH, (terminal.width() or _USUAL_WIDTH) - _LABEL - 2)
    x, y = x_scale(shown), y_scale(shown, log=asked.log)
    curves = [
        (LETTERS[place] if len(tracks) > 1 else "*", one.drawn(asked.stretches).pieces)
        for place, one in enumerate(tracks)
    ]
    drawn = overlay(curves, x, y, width=width, height=rows, unicode=asked.unicode)
    labels = {row: figures.measure(y.value(1 - (row + 0.5) / rows)) for row in (0, rows // 2, rows - 1)}
    edge = "┤" if asked.unicode else "|"
    for number, cells in enumerate(drawn):
        output.line(f"{labels.get(number, ''):>{_LABEL}} {edge}{_coloured(cells, several=len(tracks) > 1)}".rstrip())
    output.line(" " * (_LABEL + 2) + _x_labels(x, asked.by, width))


def _coloured(cells: Sequence[Cells], *, several: bool) -> str:
    if not several or not terminal.shows_colour():
        return "".join(text for text, _ in cells).rstrip()
    return "".join(text if owner is None else painted(text, owner) for text, owner in cells)


def painted(text: str, place: int) -> str:
    """In the colour of a curve, where stdout shows colours."""
    return f"\x1b[{_COLOURS[place]}m{text}\x1b[0m" if terminal.shows_colour() else text


def _x_labels(x: Scale, by: By, width: int) -> str:
    left, middle, right = (_x_label(x.value(share), by) for share in (0.0, 0.5, 1.0))
    room = width - len(left) - len(right)
    return left + middle.center(room) + right if room > len(middle) + 2 else left + right.rjust(width - len(left))


def _x_label(value: float, by: By) -> str:
    return figures.count(round(value)) if by is By.STEP else figures.seconds(value)
