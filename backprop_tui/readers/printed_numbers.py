"""Parses numbers as training scripts print them: JSON numbers, or strings such as "4e-05" and "nan"."""

from __future__ import annotations

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
