"""What a look at one thing found: whether it is well, and how to mend it."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.values import dataclass


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # works, but not as well as it could, or not for ever
    BAD = "bad"  # runs do not start, or do not survive


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `advice` says how to mend it, None where it is well."""

    check: str
    level: Level
    message: str
    advice: str | None = None


def ok(check: str, message: str) -> Finding:
    """It is well."""
    return Finding(check=check, level=Level.OK, message=message)


def warn(check: str, message: str, advice: str) -> Finding:
    """It works, but should be mended."""
    return Finding(check=check, level=Level.WARN, message=message, advice=advice)


def bad(check: str, message: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check=check, level=Level.BAD, message=message, advice=advice)
