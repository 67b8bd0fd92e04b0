"""Numbers as training scripts print them: JSON numbers, or texts such as "4e-05" and "nan"."""

from __future__ import annotations

# The largest whole number up to which a float tells every two steps apart.
LARGEST_STEP = 2**53
LONGEST_NUMBER = 64


def number(printed: object) -> float | None:
    """The number that a printed value is; None for a bool, a nested value, or a text that is no number."""
    if isinstance(printed, str):
        return _number_in(printed)
    if isinstance(printed, bool) or not isinstance(printed, int | float):
        return None
    try:
        return float(printed)
    except OverflowError:
        return None


def _number_in(text: str) -> float | None:
    # float() also takes "1_000" and the digits of every script, which are names and prose in a log.
    if len(text) > LONGEST_NUMBER or "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def step_count(figure: float | None) -> int | None:
    """A figure as a count of steps: whole, not negative and no larger than a float can tell; else None."""
    if figure is None or not 0 <= figure <= LARGEST_STEP or not figure.is_integer():
        return None
    return int(figure)


def counted(printed: str) -> int | None:
    """A count as its digits say it; None for what is no count, or too large to be told apart from the next."""
    if not printed.isascii() or not printed.isdecimal() or len(printed) > LONGEST_NUMBER:
        return None
    return step_count(float(printed))


def duration_seconds(printed: str) -> float | None:
    """Seconds of `00:08` or `26:02:03`; None for `?` and for what is no time."""
    parts = printed.split(":")
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdecimal() and len(part) <= 9 for part in parts):
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return float(seconds)
