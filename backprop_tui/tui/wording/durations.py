"""Times as the dashboard shows them: what is left, how long, how long ago; each in few cells and without jitter."""

from __future__ import annotations

import math
import time

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_EACH_SECOND_BELOW = 10 * _MINUTE
_STEP = 15


def left(seconds: float | None) -> str:
    """Time left: 4:09 each second below ten minutes, then 16:45 in steps of 15 s, 1:16 h by the minute, 2d 4h."""
    if seconds is None:
        return ""
    whole = max(0, math.ceil(seconds - 1e-9))
    if whole >= 100 * _DAY:
        return f"{whole // _DAY}d"
    if whole >= _DAY:
        return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"
    if whole >= _HOUR:
        return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02} h"
    if whole >= _EACH_SECOND_BELOW:
        whole = whole // _STEP * _STEP
    return f"{whole // _MINUTE}:{whole % _MINUTE:02}"


def length(seconds: float | None) -> str:
    """How long something took: 0:02, 48:12, 1:16 h, 2d 4h."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    if whole >= _DAY:
        return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"
    if whole >= _HOUR:
        return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02} h"
    return f"{whole // _MINUTE}:{whole % _MINUTE:02}"


def in_words(seconds: float) -> str:
    """How long something took, within a sentence: 40 s, 14 min, 6 h 12 min, 2 d 4 h."""
    whole = max(0, int(seconds))
    for size, unit, lesser, lesser_unit in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min")):
        if whole >= size:
            rest = whole % size // lesser
            return f"{whole // size} {unit}" + (f" {rest} {lesser_unit}" if rest else "")
    return f"{whole // _MINUTE} min" if whole >= _MINUTE else f"{whole} s"


def eta(seconds: float | None) -> str:
    """When it will be done: 40s, 13m, 2h10, 3d; empty where nobody can tell."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return ""
    if seconds < _MINUTE:
        return f"{max(1, math.ceil(seconds / 10)) * 10}s"
    minutes = math.ceil(seconds / _MINUTE)
    if minutes < 60:
        return f"{minutes}m"
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02}"
    return f"{minutes / 60 / 24:.0f}d"


def ago(seconds: float | None) -> str:
    """How long ago, roughly: 12s, 4m, 2h, 3d; what lies ahead, by another clock, was just now."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def clock(moment: float) -> str:
    """The local time of day without seconds: 14:31."""
    return time.strftime("%H:%M", time.localtime(moment))


def clock_with_seconds(moment: float) -> str:
    """The local time of day: 14:31:07."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def day(moment: float) -> str:
    """The local date: 2026-01-31."""
    return time.strftime("%Y-%m-%d", time.localtime(moment))
