"""A chart as a value: its curves, axes and marks, independent of any size."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.plotting.axes import Scale
from backprop_tui.plotting.canvas import Bar
from backprop_tui.tui.tokens import Token

_UNIT_SCALE = Scale(0.0, 1.0)


class AxisUnit(StrEnum):
    """The quantity on an axis, which decides how its ticks are labelled."""

    STEPS = "steps"
    SECONDS = "seconds"  # since the start
    AGO = "ago"  # seconds before now, negative
    BEFORE_END = "before end"  # seconds before the end of a run, negative
    METRIC = "metric"
    PERCENT = "percent"
    GIGABYTES = "gigabytes"  # values are in bytes
    CELSIUS = "celsius"
    CORES = "cores"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ChartCurve:
    """A curve in one colour. Its `pieces` are not connected with each other; within a piece, x never decreases.

    A `faint` curve is drawn behind the others. The legend shows `label` and `value`; a curve without a label is left
    out. `letter` marks the end of the curve, and in ASCII mode draws it.
    """

    label: str
    token: Token
    letter: str
    pieces: tuple[tuple[Bar, ...], ...]
    value: str = ""
    faint: bool = False
    ends_in_letter: bool = False


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its title (bold) and the current `value` next to it.

    `checkpoints`, `gaps` (where values were not finite), `cursor` and `dragged` (a range being selected) are positions
    on x; `restarts` are pairs of an attempt's number and the position where it starts.
    """

    title: str
    name: str = ""  # of the metric, as the script prints it
    value: str = ""
    curves: tuple[ChartCurve, ...] = ()
    x: Scale = _UNIT_SCALE
    y: Scale = _UNIT_SCALE
    x_unit: AxisUnit = AxisUnit.STEPS
    y_unit: AxisUnit = AxisUnit.METRIC
    checkpoints: tuple[float, ...] = ()
    restarts: tuple[tuple[int, float], ...] = ()
    gaps: tuple[float, ...] = ()
    cursor: float | None = None
    dragged: tuple[float, float] | None = None
    empty_text: str = ""  # shown where there are no points to draw
    note: str = ""  # muted, after the title
    chosen: bool = False  # the selected one of several charts

    @property
    def has_points(self) -> bool:
        return any(piece for curve in self.curves for piece in curve.pieces)
