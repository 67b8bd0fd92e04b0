"""JSON values written by another version, or edited by a person: each is checked before it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from backprop_tui.domain.formatting import FIRST_TIME, LAST_TIME, from_iso, shortened

JsonObject = dict[str, Any]


MAX_NUMBER = 2**63  # no number in a record is larger, except for metrics: then conversions and sums cannot fail


class WrongField(ValueError):
    """A field is missing or has the wrong type."""


def _refuse(key: str, kind: str, value: object) -> NoReturn:
    raise WrongField(f"{key} must be {kind}, not {shortened(value)}")


def text(value: Any, key: str) -> str:  # noqa: ANN401 - JSON
    """Raises: WrongField."""
    return value if isinstance(value, str) else _refuse(key, "a string", value)


def number(value: Any, key: str) -> float:  # noqa: ANN401
    """Raises: WrongField."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(key, "a number", value)
    if not -MAX_NUMBER < value < MAX_NUMBER:
        _refuse(key, "a finite number of at most 19 digits", value)
    return float(value)


def integer(value: Any, key: str) -> int:  # noqa: ANN401
    """Raises: WrongField."""
    truncated = int(number(value, key))
    return value if isinstance(value, int) else truncated  # a float is exact only up to 2**53


def moment(value: Any, key: str) -> float:  # noqa: ANN401
    """A time in seconds since the epoch that a calendar has. Raises: WrongField."""
    seconds = number(value, key)
    return seconds if FIRST_TIME <= seconds <= LAST_TIME else _refuse(key, "a time of the years 1 to 9999", value)


def time(value: Any, key: str) -> float:  # noqa: ANN401
    """An ISO 8601 time as seconds since the epoch. Raises: WrongField."""
    try:
        seconds = from_iso(text(value, key))
    except (ValueError, OverflowError) as error:
        raise error if isinstance(error, WrongField) else WrongField(f"{key}: {error}") from error
    return 0.0 if seconds is None else seconds


def items(value: Any, key: str) -> list[Any]:  # noqa: ANN401
    """A list; None is an empty one. Raises: WrongField."""
    return value if isinstance(value, list) else [] if value is None else _refuse(key, "a list", value)


def nested(value: Any, key: str) -> JsonObject:  # noqa: ANN401
    """An object; None is an empty one. Raises: WrongField."""
    return value if isinstance(value, dict) else {} if value is None else _refuse(key, "an object", value)


def encode_metrics(metrics: Mapping[str, float]) -> JsonObject:
    """Encodes values that JSON lacks as "NaN", "Infinity" and "-Infinity"."""
    return {name: value if math.isfinite(value) else _name_of(value) for name, value in metrics.items()}


def _name_of(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def decode_metrics(value: object, key: str) -> dict[str, float]:
    """The inverse of `encode_metrics`. Raises: WrongField."""
    try:
        return {name: float(number) for name, number in nested(value, key).items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise WrongField(f"{key}: {error}") from error
