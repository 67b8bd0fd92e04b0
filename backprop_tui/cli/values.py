"""Parsers of option values, made from the parsers of settings: both accept the same text."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from backprop_tui.config.kinds import Kind, WrongValue, integer, number
from backprop_tui.domain.formatting import shortened
from backprop_tui.domain.quantities import MINUTES, Unit

ValueT = TypeVar("ValueT")
_VARIABLE = r"[^=\0]+"


def refuse(message: str) -> NoReturn:
    raise argparse.ArgumentTypeError(message)


def parser_of(kind: Kind, convert: Callable[[Any], ValueT]) -> Callable[[str], ValueT]:
    return parser_by(lambda text: convert(kind.read(text)))


def parser_by(parse: Callable[[str], ValueT]) -> Callable[[str], ValueT]:
    def read(text: str) -> ValueT:
        try:
            return parse(text)
        except WrongValue as error:
            refuse(f"{shortened(text)}: {error}")
        except ValueError as error:
            refuse(str(error))

    return read


minutes: Callable[[str], float] = parser_of(number(above=0, unit=MINUTES), lambda value: value * 60)
"""Minutes above 0, in seconds."""


def at_least_zero(unit: Unit | None = None) -> Callable[[str], float]:
    """A number of at least 0; with a unit, in seconds or bytes."""
    scale = 1.0 if unit is None else unit.size
    return parser_of(number(least=0, unit=unit), lambda value: float(value * scale))


def size(unit: Unit) -> Callable[[str], int]:
    """A number of at least 0 in this unit, in bytes."""
    return parser_of(number(least=0, unit=unit), lambda value: round(value * unit.size))


def whole(*, least: int | None = None) -> Callable[[str], int]:
    return parser_of(integer(least=least), int)


def variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(_VARIABLE, name) or "\0" in value:
        refuse(f"{text!r} is not NAME=VALUE")
    return name, value


def label(text: str) -> str:
    """A name, group, tag or note: one line that is not empty."""
    if not text.strip():
        refuse("must not be empty")
    if not text.isprintable():
        refuse(f"{text!r}: must be one line of printable characters")
    return text


def handle_label(text: str) -> str:
    """A name or group, by which other commands find the run."""
    if text.startswith(("@", "-")):
        refuse(f"{text!r}: must not begin with {text[0]}, which has another meaning on a command line")
    return label(text)


def words_template(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        refuse(f"{text!r}: {str(error).lower()}")
    if not words:
        refuse("must not be empty; such as '--resume={path}'")
    return text


def gpu_ids(text: str) -> tuple[str, ...]:
    ids = tuple(gpu_id.strip() for gpu_id in text.split(","))
    if not all(ids) or len(set(ids)) < len(ids):
        refuse(f"{text!r}: must be GPU indices or UUIDs separated by commas, each once, such as 0,2")
    return ids
