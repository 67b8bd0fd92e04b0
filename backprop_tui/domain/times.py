"""Times in the format of the public files and JSON: ISO 8601, UTC, milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(time: float | None) -> str | None:
    """Formats seconds since the epoch as `2026-01-31T09:05:07.250Z`; None stays None."""
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str | None) -> float | None:
    """The inverse of `iso`.

    Raises:
        ValueError: the text is not an ISO 8601 time.
    """
    return None if text is None else datetime.fromisoformat(text).timestamp()


def time_or_none(value: object) -> float | None:
    """As `from_iso`, but None for anything else than such a time: records may be damaged or of another version."""
    try:
        return from_iso(value) if isinstance(value, str) else None
    except ValueError:
        return None
