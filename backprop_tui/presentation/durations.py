"""Durations and times as text.

Every duration has the notation of `formatting.duration` (41s, 22m04s, 1h16m, 2d4h) and is rounded to the nearest; the
functions here only choose how precise it is. A time of another day has its date, of another year that too.
"""

from __future__ import annotations

import math
import time

from backprop_tui.domain.formatting import duration

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_EACH_SECOND_BELOW = 10 * _MINUTE


def elapsed(seconds: float | None) -> str:
    """How long something took or is allowed to take, to the second; `-` for None."""
    return "-" if seconds is None else duration(seconds)


def remaining(seconds: float | None) -> str:
    """Time left: every second below ten minutes, from there in steps of 15 s; empty for None."""
    if seconds is None:
        return ""
    if seconds >= 100 * _DAY:
        return _in_steps(seconds, _DAY)
    return _in_steps(seconds, 15) if seconds >= _EACH_SECOND_BELOW else duration(seconds)


def eta(seconds: float | None) -> str:
    """A rough estimate of the time to the end: 40s, 13m, 2h10m, 11h, 1d6h, 3d12h, 12d; empty if it is unknown."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return ""
    if seconds < _MINUTE:
        return _in_steps(max(10, seconds), 10)
    return _in_steps(seconds, _MINUTE if seconds < 10 * _HOUR else _HOUR if seconds < 10 * _DAY else _DAY)


def age(seconds: float | None) -> str:
    """Elapsed time in one unit: 12s, 4m, 2h, 3d; empty for None. A negative one counts as 0."""
    if seconds is None:
        return ""
    steps = ((_DAY, _HOUR), (_HOUR, _MINUTE), (_MINUTE, 1))
    return _in_steps(seconds, next((size for size, lesser in steps if seconds >= size - lesser / 2), 1))


def _in_steps(seconds: float, step: int) -> str:
    return duration(round(seconds / step) * step)


def ago(seconds: float) -> str:
    """As `age`, in a sentence: 4m ago."""
    return f"{age(seconds)} ago"


def clock(moment: float, *, seconds: bool = False) -> str:
    """The local time of day: 14:31, or 14:31:07."""
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(moment))


def date(moment: float, now: float) -> str:
    """Empty for today, else `Nov 16`, or `Nov 16 2025` in another year."""
    local, today = time.localtime(moment), time.localtime(now)
    if local[:3] == today[:3]:
        return ""
    year = "" if local.tm_year == today.tm_year else f" {local.tm_year}"
    return f"{time.strftime('%b', local)} {local.tm_mday}{year}"


def clock_of_day(moment: float, now: float, *, seconds: bool = False) -> str:
    """As `clock`, with the `date`: 14:31, Nov 16 14:31, Nov 16 2025 14:31."""
    return f"{date(moment, now)} {clock(moment, seconds=seconds)}".lstrip()
