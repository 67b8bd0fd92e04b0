"""The words at the ticks of an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from backprop_tui.plotting.scale import SEXAGESIMAL, Scale, ticks
from backprop_tui.presentation import numbers
from backprop_tui.tui.charts.chart import Unit

_MORE = 4
_TIMES = (Unit.SECONDS, Unit.AGO, Unit.BEFORE_END)
_ENDS = {Unit.AGO: "now", Unit.BEFORE_END: "end"}


def labels(scale: Scale, unit: Unit, most: int) -> list[tuple[float, str]]:
    """At most `most` places of the axis with their words."""
    places: list[float] = []
    for count in range(most, most + _MORE):  # one label alone tells no scale
        places = ticks(scale, count, steps=SEXAGESIMAL if unit in _TIMES else (), to_end=unit is Unit.STEPS)
        if unit is Unit.STEPS:
            places = [place for place in places if place == int(place)]
        if len(places) > 1:
            break
    words = _words(places, scale, unit)
    found: list[tuple[float, str]] = []
    for place, text in zip(places, words, strict=True):
        if not found or found[-1][1] != text:
            found.append((place, text))
    return found


def _words(places: Sequence[float], scale: Scale, unit: Unit) -> list[str]:
    if unit is Unit.STEPS:
        return [numbers.compact_count(place) for place in places]
    if unit in _TIMES:
        return [_ENDS[unit] if place == 0 and unit in _ENDS else span(place) for place in places]
    if unit is Unit.PERCENT:
        return [f"{place:.0f}%" for place in places]
    if unit is Unit.GIGABYTES:
        return _plain([place / (1e9 if scale.high >= 1e9 else 1e6) for place in places])
    if scale.is_log and places and max(places) / max(min(places), 1e-300) >= 10:
        return [_power(place) for place in places]
    return _plain(places)


def _power(place: float) -> str:
    return f"{place:g}" if 1e-3 <= place < 1e5 else f"{place:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _plain(places: Sequence[float]) -> list[str]:
    """As many decimals as tell them apart, or powers of ten where they are very small or large."""
    if not places:
        return []
    largest = max(abs(place) for place in places)
    if largest and (largest < 1e-3 or largest >= 1e5):
        return [_short(place) for place in places]
    step = min((b - a for a, b in pairwise(places)), default=largest or 1.0)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if round(step, decimals) and abs(step - round(step, decimals)) > step * 1e-6:
        decimals += 1
    return [f"{place + 0.0:.{min(decimals, 6)}f}" for place in places]


def _short(place: float) -> str:
    if place == 0:
        return "0"
    if abs(place) >= 1e5 and abs(place) < 1e12:
        return numbers.compact_count(place)
    mantissa, exponent = f"{place:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def span(seconds: float) -> str:
    """A time on an axis: 30s, -15m, 1:30h, 2d."""
    sign, whole = "-" if seconds < 0 else "", round(abs(seconds))
    if whole == 0:
        return "0"
    if whole < 60:
        return f"{sign}{whole}s"
    if whole % 60 and whole < 3600:
        return f"{sign}{whole // 60}:{whole % 60:02}"
    if whole < 3600:
        return f"{sign}{whole // 60}m"
    if whole % 86400 == 0:
        return f"{sign}{whole // 86400}d"
    return f"{sign}{whole // 3600}h" if whole % 3600 == 0 else f"{sign}{whole // 3600}:{whole % 3600 // 60:02}h"
