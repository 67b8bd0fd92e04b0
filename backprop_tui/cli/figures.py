"""How figures read in tables and lines: short, in fixed units, `-` where nothing is known."""

from __future__ import annotations

import math
import time

from backprop_tui.cli.tables import NOTHING
from backprop_tui.domain.governor.figures import duration
from backprop_tui.domain.times import from_iso

_UNITS = ("", "k", "M", "G", "T")
_DAY, _HOUR, _MINUTE = 86400, 3600, 60


def seconds(value: float | None) -> str:
    """0:41, from an hour on 1:16h."""
    return NOTHING if value is None else duration(value).replace(" ", "")


def count(value: int | None) -> str:
    """A step or the like: 950, 38.4k, 1.25M."""
    if value is None:
        return NOTHING
    amount, unit = float(value), 0
    if abs(value) < 10_000:
        return str(value)
    while abs(amount) >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.3g}{_UNITS[unit]}"


def measure(value: object) -> str:
    """A metric as the public JSON has it: a number, or the name of what is none."""
    if isinstance(value, str):
        return {"Infinity": "inf", "-Infinity": "-inf"}.get(value, value.lower())
    return f"{value:.4g}" if isinstance(value, int | float) and math.isfinite(value) else NOTHING


def size(value: float | None) -> str:
    """Bytes: 512 B, 3.1 GB."""
    if value is None:
        return NOTHING
    amount, unit = float(value), 0
    while abs(amount) >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.3g} {_UNITS[unit]}B"


def percent(value: float | None) -> str:
    """38%."""
    return NOTHING if value is None else f"{value:.0f}%"


def moment(text: str | None) -> str:
    """A time of the public JSON, as the clock here shows it."""
    found = from_iso(text)
    return NOTHING if found is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found))


def ago(text: str | None, now: float) -> str:
    """How long a time of the public JSON is gone, roughly: 40s ago, 5m ago, 3h ago, 12d ago."""
    found = from_iso(text)
    if found is None:
        return NOTHING
    passed = max(0, int(now - found))
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if passed >= length:
            return f"{passed // length}{unit} ago"
    return f"{passed}s ago"
