"""Parses numbers as training scripts print them: JSON numbers, or strings such as "4e-05" and "nan"."""

from __future__ import annotations

from backprop_tui.readers.lazy_regex import lazy_compile

# The largest integer up to which every integer is exact as a float.
MAX_STEP = 2**53
MAX_NUMBER_CHARS = 64


def parse_number(value: object) -> float | None:
    """Converts a printed value to a float; None for a bool, a nested value, or a string that is not a number."""
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _parse_text(text: str) -> float | None:
    # float() also accepts "1_000" and non-ASCII digits, which in a log are names and prose.
    if len(text) > MAX_NUMBER_CHARS or "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def as_count(value: float | None) -> int | None:
    """Converts to an integer count, such as a step; None unless whole, not negative and exact as a float."""
    if value is None or not 0 <= value <= MAX_STEP or not value.is_integer():
        return None
    return int(value)


def parse_count(text: str) -> int | None:
    """Parses a string of digits; None if it is anything else or too large to be exact as a float."""
    if not text.isascii() or not text.isdecimal() or len(text) > MAX_NUMBER_CHARS:
        return None
    return as_count(float(text))


def parse_duration(text: str) -> float | None:
    """Parses `00:08` or `26:02:03` to seconds; None for `?` and anything else that is not a duration."""
    parts = text.split(":")
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdecimal() and len(part) <= 9 for part in parts):
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return float(seconds)


CLOCK = r"(?:\d{1,4} days?,? )?\d{1,4}(?::\d\d){1,2}(?:\.\d{1,9})?|\d{1,9} ?[dh](?: ?\d{1,9} ?[hms]){1,3}"
DURATION = rf"{CLOCK}|\d{{1,9}}(?:\.\d{{1,9}})? ?[dhms](?: \d{{1,2}} ?s)?(?![a-zA-Z])"
"""Regular expressions of the times that `parse_time_left` parses: with several parts, and any."""
_DAYS = lazy_compile(r"(\d{1,4}) days?,? ")
_PART = lazy_compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([dhms])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def parse_time_left(text: str) -> float | None:
    """Parses `1 day, 2:03:04`, `00:08`, `1h 39m 38s`, `1.1m` or `12s` to seconds; None for anything else."""
    days = _DAYS.match(text)
    if ":" in text:
        clock = parse_duration(text[0 if days is None else days.end() :].strip().partition(".")[0])
        return None if clock is None else clock + (0 if days is None else int(days[1]) * 86400)
    parts = _PART.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None
