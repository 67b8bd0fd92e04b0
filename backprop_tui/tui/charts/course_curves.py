"""The curves of a metric in a chart: the one that counts, and faint behind it the raw one and what was done again."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.course import Course
from backprop_tui.plotting.track import Track
from backprop_tui.presentation import numbers
from backprop_tui.tui.charts.chart import Curve
from backprop_tui.tui.tokens import Token


def curves_of(track: Track, *, shape: Curve, stretches: int, redone: bool = True) -> list[Curve]:
    """As `shape` says, last; without `redone` nothing of what a later attempt did again."""
    found = track.drawn(stretches)
    behind = replace(shape, label="", value="", token=Token.FAINT, letter=".", faint=True, ends_in_letter=False)
    faint = [*(found.redone if redone else ()), *found.raw]
    return [*([replace(behind, pieces=tuple(faint))] if faint else []), replace(shape, pieces=found.pieces)]


def shown(course: Course) -> str:
    """Its last value."""
    return numbers.metric(None if course.last is None else course.last.value)


def value_at(track: Track, place: float) -> str:
    """Its value nearest to a place on x."""
    found = track.nearest(place)
    return numbers.NOTHING if found is None else numbers.metric(found.last)
