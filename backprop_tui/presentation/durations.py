"""Durations and times as text: two units at most, without blanks (41s, 22m04s, 1h16m, 2d4h), and the local time."""

from __future__ import annotations

import math
import time

from backprop_tui.domain.formatting import duration

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_EACH_SECOND_BELOW = 10 * _MINUTE
_STEP = 15


def elapsed(seconds: float | None) -> str:
    """How long something took, rounded down to whole seconds; `-` for None."""
    return "-" if seconds is None else duration(math.floor(seconds))


def remaining(seconds: float | None) -> str:
    """Time left: every second below ten minutes, from there in steps of 15 s; empty for None."""
    if seconds is None:
        return ""
    whole = max(0, math.ceil(seconds - 1e-9))
    if whole >= 100 * _DAY:
        return f"{whole // _DAY}d"
    return duration(whole // _STEP * _STEP if _EACH_SECOND_BELOW <= whole < _HOUR else whole)


def eta(seconds: float | None) -> str:
    """A rough estimate of the time to the end: 40s, 13m, 2h10m, 11h, 30h, 3.5d, 12d; empty if it is unknown."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return ""
    if seconds < _MINUTE:
        return f"{max(1, math.ceil(seconds / 10)) * 10}s"
    minutes = math.ceil(seconds / _MINUTE)
    if minutes < 10 * 60:
        return duration(minutes * _MINUTE)
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f}h"
    days = minutes / 60 / 24
    return f"{days:.1f}".removesuffix(".0") + "d" if days < 9.95 else f"{days:.0f}d"


def age(seconds: float | None) -> str:
    """Elapsed time in its largest unit alone: 12s, 4m, 2h, 3d; empty for None. A negative one counts as 0."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def ago(seconds: float) -> str:
    """As `age`, in a sentence: 4m ago."""
    return f"{age(seconds)} ago"


def clock(moment: float) -> str:
    """The local time of day without seconds: 14:31."""
    return time.strftime("%H:%M", time.localtime(moment))


def clock_of_day(moment: float, now: float) -> str:
    """As `clock`, with the date if it is another day: 14:31, Thu 4 Dec 14:31."""
    other = time.localtime(moment)
    if other[:3] == time.localtime(now)[:3]:
        return clock(moment)
    return f"{time.strftime('%a', other)} {other.tm_mday} {time.strftime('%b %H:%M', other)}"


def clock_with_seconds(moment: float) -> str:
    """The local time of day: 14:31:07."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))
