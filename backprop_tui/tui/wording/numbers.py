"""Figures as the dashboard shows them: a fixed precision each, and `-` where there is no reading."""

from __future__ import annotations

import math
from collections.abc import Callable

NOTHING = "-"
_UNITS = ("", "k", "M", "G", "T")
METRIC_CELLS = 7
_SMALL, _LARGE = 1e-3, 1e5


def count(value: float | None) -> str:
    """Steps: as they are below 1000, then three significant digits: 950, 1.80k, 38.4k, 60k, 1.25M."""
    if value is None:
        return NOTHING
    amount, unit = abs(float(value)), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    sign = "-" if value < 0 else ""
    if unit == 0:
        return f"{sign}{amount:.0f}"
    decimals = 2 if amount < 9.995 else 1 if amount < 99.95 else 0
    return f"{sign}{amount:.{decimals}f}{_UNITS[unit]}"


def goal(value: float) -> str:
    """A total: as `count`, without decimals that say nothing: 60k, 1.5M."""
    text = count(value)
    if "." not in text:
        return text
    number, unit = text[:-1], text[-1]
    return number.rstrip("0").rstrip(".") + unit


def steps(step: float | None, total: float | None) -> str:
    """How far of how far: 38.4k/60k."""
    if step is None:
        return NOTHING
    return count(step) if total is None else f"{count(step)}/{goal(total)}"


def epochs(epoch: float, total: int | None) -> str:
    """Which epoch of how many: ep 28/90."""
    return f"ep {math.floor(epoch)}" + ("" if total is None else f"/{total}")


def metric(value: float | None) -> str:
    """Four significant digits: 2.214, 0.3921, 3.41e-4; at most seven cells wide."""
    if value is None:
        return NOTHING
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    size = abs(value)
    if size < _SMALL or size >= _LARGE:
        return _narrowest(value, 2, _scientific)
    decimals = max(0, 3 - math.floor(math.log10(size))) if size >= 1 else 4 if size >= 0.1 else 5
    return _narrowest(value, decimals, _plain)


def _narrowest(value: float, decimals: int, shown: Callable[[float, int], str]) -> str:
    """With as many decimals, up to those given, as fit the column."""
    fitting = (shown(value, count) for count in range(decimals, 0, -1))
    return next((text for text in fitting if len(text) <= METRIC_CELLS), shown(value, 0))


def _plain(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}"


def _scientific(value: float, decimals: int) -> str:
    mantissa, exponent = f"{value:.{decimals}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent_done(fraction: float | None) -> str:
    """Rounded down, so that only what is done says 100 %."""
    if fraction is None:
        return NOTHING
    return f"{max(0, min(100, math.floor(fraction * 100 + 1e-9)))}%"


def percent(value: float | None) -> str:
    """A reading in percent, as a whole number."""
    return NOTHING if value is None else f"{value:.0f}%"


def watts(value: float | None) -> str:
    """Power without its unit."""
    return NOTHING if value is None else f"{value:.0f}"


def celsius(value: float | None) -> str:
    """A temperature without its unit."""
    return NOTHING if value is None else f"{value:.0f}"


def used_gigabytes(used: int | None) -> str:
    """Used memory, five cells at most: 61.2, from 100 GB on 118."""
    if used is None:
        return NOTHING
    amount = used / 1e9
    return f"{amount:.1f}" if amount < 99.95 else f"{amount:.0f}"


def total_gigabytes(total: int | None) -> str:
    """A memory's size, without decimals."""
    return NOTHING if total is None else f"{total / 1e9:.0f}"


def size(value: float | None) -> str:
    """Bytes in a sentence or a table: 512 B, 1.4 GB, 61.2 GB, 412 GB, 1.2 TB."""
    if value is None:
        return NOTHING
    amount, unit = float(value), 0
    while abs(amount) >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    if unit == 0:
        return f"{amount:.0f} B"
    decimals = 1 if amount < 99.95 else 0
    return f"{amount:.{decimals}f} {_UNITS[unit]}B"


def short_size(value: float | None) -> str:
    """Bytes where there is no room: 61G, 1.2T."""
    if value is None:
        return NOTHING
    text = size(value)
    number, unit = text.split(" ")
    return f"{float(number):.0f}G" if unit == "GB" else f"{number}{unit[0]}"


def thousands(value: int) -> str:
    """A line number: 41,877."""
    return f"{value:,}"
