"""Typed access to the fields of a JSON object that another version, or a person, may have written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from backprop_tui.domain.course import Extreme
from backprop_tui.domain.times import from_iso

JsonObject = dict[str, Any]


class WrongField(ValueError):
    """A field is missing or of another type than it must be."""


def text(source: Mapping[str, Any], key: str) -> str:
    """Raises: WrongField."""
    value = source.get(key)
    if not isinstance(value, str):
        raise WrongField(f"{key} must be a text, not {value!r}")
    return value


def optional_text(source: Mapping[str, Any], key: str) -> str | None:
    """Raises: WrongField."""
    return None if source.get(key) is None else text(source, key)


def number(source: Mapping[str, Any], key: str) -> float:
    """Raises: WrongField."""
    value = source.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongField(f"{key} must be a number, not {value!r}")
    return float(value)


def optional_number(source: Mapping[str, Any], key: str) -> float | None:
    """Raises: WrongField."""
    return None if source.get(key) is None else number(source, key)


def integer(source: Mapping[str, Any], key: str) -> int:
    """Raises: WrongField."""
    return int(number(source, key))


def optional_integer(source: Mapping[str, Any], key: str) -> int | None:
    """Raises: WrongField."""
    return None if source.get(key) is None else integer(source, key)


def texts(source: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A missing list is an empty one. Raises: WrongField."""
    value = source.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise WrongField(f"{key} must be a list of texts, not {value!r}")
    return tuple(value)


def numbers(source: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Finite numbers; an absent list is empty."""
    value = source.get(key) or []
    if not isinstance(value, list):
        raise WrongField(f"{key}: a list of numbers is wanted, not {value!r}")
    return tuple(number({key: one}, key) for one in value)


def objects(source: Mapping[str, Any], key: str) -> Iterable[JsonObject]:
    """A missing list is an empty one. Raises: WrongField."""
    value = source.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise WrongField(f"{key} must be a list of objects, not {value!r}")
    return value


def nested(source: Mapping[str, Any], key: str) -> JsonObject:
    """A missing object is an empty one. Raises: WrongField."""
    value = source.get(key) or {}
    if not isinstance(value, dict):
        raise WrongField(f"{key} must be an object, not {value!r}")
    return value


def time(source: Mapping[str, Any], key: str) -> float:
    """Raises: WrongField."""
    value = optional_time(source, key)
    if value is None:
        raise WrongField(f"{key} must be a time")
    return value


def optional_time(source: Mapping[str, Any], key: str) -> float | None:
    """Raises: WrongField."""
    try:
        return from_iso(optional_text(source, key))
    except ValueError as error:
        raise WrongField(f"{key}: {error}") from error


def encode_metrics(metrics: Mapping[str, float]) -> JsonObject:
    """Numbers as they are; what JSON cannot say as "NaN", "Infinity", "-Infinity"."""
    return {name: value if math.isfinite(value) else _name_of(value) for name, value in metrics.items()}


def _name_of(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def decode_metrics(source: Mapping[str, Any], key: str) -> dict[str, float]:
    """The inverse of `encode_metrics`. Raises: WrongField."""
    try:
        return {name: float(value) for name, value in nested(source, key).items()}
    except (TypeError, ValueError) as error:
        raise WrongField(f"{key}: {error}") from error


def encode_best(best: Mapping[str, Extreme]) -> JsonObject:
    """Value and step of each."""
    return {name: {"value": one.value, "step": one.step} for name, one in best.items()}


def decode_best(source: Mapping[str, Any], key: str) -> dict[str, Extreme]:
    """The inverse of `encode_best`. Raises: WrongField."""
    try:
        return {
            name: Extreme(float(one["value"]), optional_integer(one, "step"))
            for name, one in nested(source, key).items()
        }
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise WrongField(f"{key}: {error}") from error
