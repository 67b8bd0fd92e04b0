"""A chart as a value: curves with their colours and letters, axes, marks."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.columns import Bar
from backprop_tui.plotting.scale import Scale
from backprop_tui.tui.tokens import Token

_UNIT = Scale(0.0, 1.0)


class Unit(StrEnum):
    """What an axis counts."""

    STEPS = "steps"
    SECONDS = "seconds"  # since the start
    AGO = "ago"  # seconds before now, below 0
    BEFORE_END = "before end"  # the same of a run that has ended
    METRIC = "metric"
    PERCENT = "percent"
    GIGABYTES = "gigabytes"  # in bytes
    CELSIUS = "celsius"
    CORES = "cores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points in one colour: the `pieces` are drawn unconnected, and in each of them x never goes back.

    A `faint` one lies behind the others. `value` stands in the legend behind `label`; an empty label has no place
    there. `letter` marks its end, and draws it in ASCII.
    """

    label: str
    token: Token
    letter: str
    pieces: tuple[tuple[Bar, ...], ...]
    value: str = ""
    faint: bool = False
    ends_in_letter: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`title` is bold, `value` stands beside it.

    `checkpoints`, `holes` (where it was not finite), `cursor` and `dragged` are places on x, `restarts` attempts and
    where each began.
    """

    title: str
    name: str = ""  # of the metric, as the script prints it
    value: str = ""
    curves: tuple[Curve, ...] = ()
    x: Scale = _UNIT
    y: Scale = _UNIT
    x_unit: Unit = Unit.STEPS
    y_unit: Unit = Unit.METRIC
    checkpoints: tuple[float, ...] = ()
    restarts: tuple[tuple[int, float], ...] = ()
    holes: tuple[float, ...] = ()
    cursor: float | None = None
    dragged: tuple[float, float] | None = None
    nothing: str = ""  # said in the place of curves where there are none
    note: str = ""  # behind the title, muted
    chosen: bool = False  # among others
