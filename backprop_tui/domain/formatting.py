"""Numbers, sizes, durations and times as text, in the one notation that the whole program uses.

A GB of memory is 2^30 bytes, so that a card of 24 GB has 24; a GB of disk is 10^9 bytes.

Of two sizes in a sentence the available one is rounded down and the required one up, so that a sentence never says
"4 GB free, keeps 4" when slightly less than 4 GB is free.
"""

from __future__ import annotations

from backprop_tui.domain.limits import DISK_GIGABYTE, GIGABYTE

FIRST_TIME, LAST_TIME = -62_135_596_800.0, 253_402_300_799.0  # the years 1 to 9999
_MAX_SHOWN = 60


def gigabytes_down(count_bytes: int) -> str:
    """Bytes of memory in GB without the unit, rounded down: 3.1, 134."""
    return _gigabytes(count_bytes * 10 // GIGABYTE)


def gigabytes_up(count_bytes: int) -> str:
    """Bytes of memory in GB without the unit, rounded up: 2.5, 70."""
    return _gigabytes(-(-count_bytes * 10 // GIGABYTE))


def disk_gigabytes_down(count_bytes: int) -> str:
    return _gigabytes(count_bytes * 10 // DISK_GIGABYTE)


def disk_gigabytes_up(count_bytes: int) -> str:
    return _gigabytes(-(-count_bytes * 10 // DISK_GIGABYTE))


def _gigabytes(tenths: int) -> str:
    """One decimal, unless it is 0 or the size is 100 GB or more."""
    whole, decimal = divmod(tenths, 10)
    return str(whole) if decimal == 0 or whole >= 100 else f"{whole}.{decimal}"


def plain(number: float) -> str:
    """A number with at most two decimals and without trailing zeros: 84, 2.25."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def duration(seconds: float) -> str:
    """A duration in its two largest units, rounded to the nearest: 41s, 22m04s, 1h16m, 2d4h. A negative one is 0s."""
    whole_seconds, whole_minutes = max(0, round(seconds)), round(seconds / 60)
    if whole_seconds < 60:
        return f"{whole_seconds}s"
    if whole_seconds < 60 * 60:
        return _two_units(whole_seconds, 60, "m", "s")
    if whole_minutes < 24 * 60:
        return _two_units(whole_minutes, 60, "h", "m")
    return _two_units(round(seconds / 3600), 24, "d", "h")


def _two_units(count: int, per_unit: int, unit: str, lesser_unit: str) -> str:
    whole, rest = divmod(count, per_unit)
    padded = f"{rest:02}" if per_unit == 60 else str(rest)
    return f"{whole}{unit}" + (f"{padded}{lesser_unit}" if rest else "")


def minutes(seconds: float) -> str:
    """Seconds as minutes without the unit, with as many decimals as short ones need: 90, 12.5, 0.051."""
    number = seconds / 60
    return f"{round(number, 3 if number < 1 else 2):.15g}"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shortened(value: object) -> str:
    """A value as it is written in code, without its middle if it is long: errors name what was typed or stored."""
    try:
        written = repr(value)
    except ValueError:  # Python refuses to write whole numbers of thousands of digits
        return "a number of thousands of digits"
    end = _MAX_SHOWN // 2
    return written if len(written) <= _MAX_SHOWN else f"{written[:end]}...{written[-end:]} ({len(written)} characters)"


def iso(time: float | None) -> str | None:
    """Formats seconds since the epoch as `2026-01-31T09:05:07.250Z`; None for None, and for what no calendar has."""
    if time is None or not FIRST_TIME <= time <= LAST_TIME:
        return None
    from datetime import UTC, datetime  # a short command shows no time of day

    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str | None) -> float | None:
    """The inverse of `iso`; raises ValueError if the text is not an ISO 8601 time."""
    if text is None:
        return None
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def time_or_none(value: object) -> float | None:
    """As `from_iso`, but None for anything else than such a time: records may be damaged or of another version."""
    try:
        return from_iso(value) if isinstance(value, str) else None
    except ValueError:
        return None
