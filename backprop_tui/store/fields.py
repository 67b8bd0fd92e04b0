"""JSON values written by another version, or edited by a person: each is checked before it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from backprop_tui.domain.formatting import from_iso

JsonObject = dict[str, Any]


class WrongField(ValueError):
    """A field is missing or has the wrong type."""


def _refuse(key: str, kind: str, value: object) -> NoReturn:
    raise WrongField(f"{key} must be {kind}, not {value!r}")


def text(value: Any, key: str) -> str:  # noqa: ANN401 - JSON
    """Raises: WrongField."""
    return value if isinstance(value, str) else _refuse(key, "a string", value)


def number(value: Any, key: str) -> float:  # noqa: ANN401
    """Raises: WrongField."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(key, "a number", value)
    return float(value)


def integer(value: Any, key: str) -> int:  # noqa: ANN401
    """Raises: WrongField."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value  # not by way of a float, which is exact only up to 2**53
    try:
        return int(number(value, key))
    except (ValueError, OverflowError) as error:
        raise error if isinstance(error, WrongField) else WrongField(f"{key}: {error}") from error


def time(value: Any, key: str) -> float:  # noqa: ANN401
    """An ISO 8601 time as seconds since the epoch. Raises: WrongField."""
    try:
        seconds = from_iso(text(value, key))
    except ValueError as error:
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
    except (TypeError, ValueError) as error:
        raise WrongField(f"{key}: {error}") from error
