"""The checks of `doctor`: each file checks one part of the machine and yields findings with advice."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # works, but not well, or not for ever
    BAD = "bad"  # runs do not start, or do not survive


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check; `advice` says how to fix it, None if nothing is wrong."""

    check: str
    level: Level
    message: str
    advice: str | None = None


def ok(check: str, message: str) -> Finding:
    return Finding(check=check, level=Level.OK, message=message)


def warn(check: str, message: str, advice: str) -> Finding:
    return Finding(check=check, level=Level.WARN, message=message, advice=advice)


def bad(check: str, message: str, advice: str) -> Finding:
    return Finding(check=check, level=Level.BAD, message=message, advice=advice)
