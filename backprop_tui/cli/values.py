"""What may stand as the value of an option: text in, value out, and words that say what is wanted instead."""

from __future__ import annotations

import argparse
import math
import re
import shlex
from collections.abc import Callable
from typing import NoReturn

from backprop_tui.config.kinds import WrongValue, parse_memory_limit, parse_signal, parse_warning
from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.until import Until, parse_until
from backprop_tui.domain.values import dataclass

_NOT_FOR_STOPPING = frozenset({"SIGSTOP", "SIGTSTP", "SIGCONT", "SIGCHLD"})
_VARIABLE = re.compile(r"[^=\0]+")


@dataclass(frozen=True, slots=True)
class NoLimit:
    """`none` was given, which is something else than nothing given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningSignal:
    """Which signal a script gets so many seconds before its limit."""

    name: str
    seconds: float


def _refuse(message: str) -> NoReturn:
    raise argparse.ArgumentTypeError(message)


def _number(text: str, wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        _refuse(f"{text!r} is not {wanted}")
    return value


def minutes(text: str) -> float:
    """Minutes above 0, in seconds."""
    value = _number(text, "a number of minutes")
    if value <= 0:
        _refuse(f"{text} minutes: must be above 0")
    return value * 60


def minutes_or_none(text: str) -> float | NoLimit:
    """Minutes above 0, in seconds; `none` is no limit."""
    if text.lower() == "none":
        return NoLimit()
    value = _number(text, "a number of minutes, or none")
    if value <= 0:
        _refuse(f"{text} minutes: must be above 0; for no limit: none")
    return value * 60


def at_least_zero(wanted: str, *, scale: float = 1.0) -> Callable[[str], float]:
    """A number of `wanted`, 0 or more, times `scale`."""

    def convert(text: str) -> float:
        value = _number(text, wanted)
        if value < 0:
            _refuse(f"{text}: must be 0 or more")
        return value * scale

    return convert


def whole(*, least: int | None = None) -> Callable[[str], int]:
    """A whole number, `least` or more."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            _refuse(f"{text!r} is not a whole number")
        if least is not None and value < least:
            _refuse(f"{text}: must be {least} or more")
        return value

    return convert


def memory_limit(text: str) -> MemoryLimit:
    """`80%` of a GPU's memory, or so many GB."""
    try:
        return parse_memory_limit(text)
    except WrongValue as error:
        _refuse(f"{text!r}: {error}")


def signal_name(text: str) -> str:
    """The full name of a signal given as INT, SIGINT or 2."""
    try:
        name = parse_signal(text)
    except WrongValue as error:
        _refuse(str(error))
    if name in _NOT_FOR_STOPPING:
        _refuse(f"{name} ends no script; such as INT, TERM or USR1")
    return name


def warning(text: str) -> WarningSignal | NoLimit:
    """SIGNAL@SECONDS: that signal so many seconds before the limit; `none` is no warning."""
    if text.lower() == "none":
        return NoLimit()
    try:
        name, seconds = parse_warning(text)
    except WrongValue as error:
        _refuse(f"{text!r}: {error}")
    return WarningSignal(name=name, seconds=seconds)


def until(text: str) -> Until:
    """What a run has to reach: NAME, one of < <= > >= = and a number."""
    try:
        return parse_until(text)
    except ValueError as error:
        _refuse(f"{text!r}: {error}")


def variable(text: str) -> tuple[str, str]:
    """NAME=VALUE of an environment variable."""
    name, equals, value = text.partition("=")
    if not equals or not _VARIABLE.fullmatch(name) or "\0" in value:
        _refuse(f"{text!r} is not NAME=VALUE")
    return name, value


def label(text: str) -> str:
    """A name, group, tag or note: one line that is not empty."""
    if not text.strip():
        _refuse("must not be empty")
    if not text.isprintable():
        _refuse(f"{text!r}: one line of printable characters is wanted")
    return text


def handle_label(text: str) -> str:
    """A name or group, which other commands find the run by."""
    if text.startswith(("@", "-")):
        _refuse(f"{text!r}: must not begin with {text[0]}, which commands would take for something else")
    return label(text)


def words_template(text: str) -> str:
    """Words as a shell would split them."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        _refuse(f"{text!r}: {str(error).lower()}")
    if not words:
        _refuse("must not be empty; such as '--resume={path}'")
    return text


def gpu_ids(text: str) -> tuple[str, ...]:
    """Indices or UUIDs of GPUs, separated by commas."""
    ids = tuple(one.strip() for one in text.split(","))
    if not all(ids) or len(set(ids)) < len(ids):
        _refuse(f"{text!r}: GPU indices or UUIDs separated by commas are wanted, each once, such as 0,2")
    return ids
