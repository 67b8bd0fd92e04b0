"""How figures read in sentences: bytes, degrees and durations as short text.

The smaller of two figures is rounded down and the larger up, so that a sentence never says "4 GB free, keeps 4" of a
machine that has a little less than 4.
"""

from __future__ import annotations

TENTH_OF_A_GIGABYTE = 100_000_000


def gigabytes_down(count_bytes: int) -> str:
    """Bytes in GB without the unit, rounded down: 3.1, 134."""
    return _gigabytes(count_bytes // TENTH_OF_A_GIGABYTE)


def gigabytes_up(count_bytes: int) -> str:
    """Bytes in GB without the unit, rounded up: 2.5, 70."""
    return _gigabytes(-(-count_bytes // TENTH_OF_A_GIGABYTE))


def _gigabytes(tenths: int) -> str:
    """One decimal where it says something and the figure is below 100."""
    whole, decimal = divmod(tenths, 10)
    return str(whole) if decimal == 0 or whole >= 100 else f"{whole}.{decimal}"


def plain(figure: float) -> str:
    """A figure with at most two decimals and none that are 0: 84, 2.25."""
    return f"{figure:.2f}".rstrip("0").rstrip(".")


def duration(seconds: float) -> str:
    """Seconds as 0:41, from an hour as 1:16 h; what is left of a second counts as one."""
    whole = max(0, int(-(-seconds // 1)))
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02} h"
    return f"{whole // 60}:{whole % 60:02}"


def minutes(seconds: float) -> str:
    """Seconds as minutes without the unit, with no more decimals than they need to be told apart: 90, 12.5, 0.051."""
    figure = seconds / 60
    return f"{round(figure, 3 if figure < 1 else 2):.15g}"


def counted(count: int, noun: str) -> str:
    """A number with its noun: 1 run, 2 runs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
