"""Kinds of setting values, each with a parser for TOML, JSON, the environment and options."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Callable, Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import GIGABYTE, MemoryLimit
from backprop_tui.domain.objective import parse_objective
from backprop_tui.domain.quantities import GIGABYTES, SECONDS, Unit

NONE = "none"
AUTO = "auto"
MAX_PATTERN_LENGTH = 1000
MAX_NUMBER = 1e9  # larger values are mistakes, and would overflow as bytes or as a date
MAX_CELSIUS = 110.0
# Signals that only suspend a script, or that it ignores.
_NO_STOP_SIGNALS = frozenset({"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGCHLD", "SIGURG", "SIGWINCH"})
Table = Mapping[str, str]
Value = bool | int | float | str | tuple[str, ...] | Table | tuple[Table, ...] | None


def as_text(value: Value) -> str:
    """Returns the value as `config set` takes it; tables, which it does not take, as names with their texts."""
    match value:
        case None:
            return NONE
        case bool():
            return "true" if value else "false"
        case Mapping():
            return "; ".join(f"{name} = {text}" for name, text in value.items())
        case tuple():
            return ",".join(map(as_text, value))
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)


class WrongValue(ValueError):
    """The value is not allowed for the key; the message says which values are."""


@lazy_dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value; `read` converts and checks a value from TOML or JSON, or a text from the environment.

    `choices` are the values as `config set` takes them, if there are only some.
    """

    read: Callable[[object], Value]
    choices: tuple[str, ...] = ()


def number(
    *,
    above: float | None = None,
    least: float | None = None,
    most: float = math.inf,
    otherwise: str = "",
    optional: bool = False,
    unit: Unit | None = None,
) -> Kind:
    """A number; `above` is an exclusive lower bound, `least` and `most` are inclusive; `optional` accepts "none".

    `unit` is the unit of a plain number; a text may have others, as 1h30m. `otherwise` is what to do instead of giving
    more than `most`.
    """

    def read(raw: object) -> Value:
        if optional and _is_none(raw):
            return None
        value = _float(raw, ', or "none"' if optional else "", unit)
        if value > most:
            raise WrongValue(f"must be at most {most:g}" + ("" if unit is None else f" {unit.name}") + otherwise)
        if (above is not None and value <= above) or (least is not None and value < least):
            bound = f"more than {above:g}" if above is not None else f"at least {least:g}"
            raise WrongValue(f"must be {bound}" + (', or "none"' if optional else ""))
        return value

    return Kind(read)


def temperature() -> Kind:
    """Degrees Celsius at which a GPU is too hot: none works at more, so a larger number is a mistake."""
    return number(least=0, most=MAX_CELSIUS, otherwise="; 0 switches the check off")


def integer(*, least: int | None = None, auto: bool = False, optional: bool = False) -> Kind:
    """A whole number; `auto` accepts that word too, `optional` accepts "none"."""
    otherwise = f', or "{AUTO}"' if auto else ', or "none"' if optional else ""

    def read(raw: object) -> Value:
        if optional and _is_none(raw):
            return None
        if auto and isinstance(raw, str) and raw.strip().lower() == AUTO:
            return AUTO
        value = _float(raw, otherwise)
        if value != int(value) or (least is not None and value < least):
            raise WrongValue("must be a whole number" + ("" if least is None else f", at least {least}") + otherwise)
        return int(value)

    return Kind(read)


def choice(*allowed: str) -> Kind:
    def read(raw: object) -> Value:
        if raw not in allowed:
            from backprop_tui.domain.similar import nearest  # only needed to correct a mistake

            near = nearest(str(raw), allowed)
            raise WrongValue(f"{f'did you mean {near!r}? It ' if near else ''}must be one of {', '.join(allowed)}")
        return str(raw)

    return Kind(read, allowed)


def boolean() -> Kind:
    """True or false; in the environment also 1, 0, yes, no, on, off."""

    def read(raw: object) -> Value:
        if isinstance(raw, bool):
            return raw
        word = str(raw).strip().lower()
        if word in ("true", "1", "yes", "on"):
            return True
        if word in ("false", "0", "no", "off"):
            return False
        raise WrongValue("must be true or false")

    return Kind(read, ("true", "false"))


def text(*, optional: bool = False) -> Kind:
    """A text, not empty; `optional` accepts "none"."""

    def read(raw: object) -> Value:
        if optional and _is_none(raw):
            return None
        if not isinstance(raw, str) or not raw:
            raise WrongValue("must be a text, not empty")
        return _check_encodable(raw)

    return Kind(read)


def texts() -> Kind:
    """A list of texts; separated by commas in the environment and in options."""

    def read(raw: object) -> Value:
        if isinstance(raw, str):
            raw = [word.strip() for word in raw.split(",") if word.strip()]
        if not isinstance(raw, Sequence) or not all(isinstance(item, str) for item in raw):
            raise WrongValue("must be a list of texts")
        return tuple(_check_encodable(item) for item in raw)

    return Kind(read)


def table() -> Kind:
    """A TOML table of texts."""
    return Kind(_read_table)


def tables(*required: str, optional: Mapping[str, Kind]) -> Kind:
    """A TOML array of tables: the names of texts that each must have, and what it may have besides."""

    def read(raw: object) -> Value:
        if not isinstance(raw, Sequence) or isinstance(raw, str):
            raise WrongValue(_ONLY_BY_EDITOR)
        entries: list[Table] = []
        for entry in raw:
            try:
                entries.append(_read_entry(entry, required, optional))
            except WrongValue as error:
                raise WrongValue(f"number {len(entries) + 1}: {error}") from None
        return tuple(entries)

    return Kind(read)


_ONLY_BY_EDITOR = "must be a table, which only an editor can write"


def _read_table(raw: object) -> Table:
    if not isinstance(raw, Mapping):
        raise WrongValue(_ONLY_BY_EDITOR)
    for name, value in raw.items():
        if not isinstance(value, str) or not value.strip():
            raise WrongValue(f"{name} must be a text, not empty")
    return {str(name): _check_encodable(value) for name, value in raw.items()}


def _read_entry(raw: object, required: Sequence[str], optional: Mapping[str, Kind]) -> Table:
    entry = _read_table(raw)
    for name in required:
        if name not in entry:
            raise WrongValue(f"{name} is missing; each needs {' and '.join(required)}")
    for name in entry:
        if name not in (*required, *optional):
            raise WrongValue(f"{name} is not one of {', '.join((*required, *optional))}")
    return {**entry, **{name: str(kind.read(entry[name])) for name, kind in optional.items() if name in entry}}


def log_patterns() -> Kind:
    """A list of regular expressions with named groups; one per line in the environment and in options."""

    def read(raw: object) -> Value:
        if isinstance(raw, str):
            raw = [line for line in raw.splitlines() if line.strip()]
        patterns = texts().read(raw)
        if isinstance(patterns, tuple):
            for pattern in patterns:
                _check_pattern(str(pattern))
        return patterns

    return Kind(read)


def objective() -> Kind:
    """METRIC or METRIC:min|max, or "none"."""

    def read(raw: object) -> Value:
        word = text(optional=True).read(raw)
        try:
            return None if word is None else str(parse_objective(str(word)))
        except ValueError as error:
            raise WrongValue(str(error)) from None

    return Kind(read)


def _check_pattern(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise WrongValue(f"must be regular expressions of at most {MAX_PATTERN_LENGTH} characters")
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, RecursionError, OverflowError) as error:
        raise WrongValue(f"{pattern!r} is not a regular expression: {error}") from None
    if not groups:
        raise WrongValue(f"{pattern!r} has no named group, such as (?P<loss>[0-9.]+)")


def signal_name() -> Kind:
    """A signal that stops a script: INT, SIGINT or its number; stored as INT."""
    return Kind(lambda raw: _short_signal_name(parse_signal(str(raw))))


def warning() -> Kind:
    """SIGNAL@SECONDS before the limit, or "none"."""

    def read(raw: object) -> Value:
        if _is_none(raw):
            return None
        name, seconds = parse_warning(str(raw))
        return f"{_short_signal_name(name)}@{seconds:.15g}"

    return Kind(read)


def memory_limit() -> Kind:
    """A share of a GPU's memory ("80%"), an amount in GB ("8"), or "none"."""

    def read(raw: object) -> Value:
        if _is_none(raw):
            return None
        parse_memory_limit(str(raw))
        return str(raw)

    return Kind(read)


def parse_signal(word: str) -> str:
    """Returns "SIGINT" for "INT", "sigint" or "2"; raises WrongValue if there is no such signal."""
    name = word.strip().upper()
    try:
        number_ = int(name) if name.isdecimal() else getattr(signal.Signals, "SIG" + name.removeprefix("SIG"))
        return signal.Signals(number_).name
    except (AttributeError, ValueError):
        raise WrongValue(f"{word!r} is not a signal; use INT, TERM, USR1 or another of `kill -l`") from None


def parse_warning(word: str) -> tuple[str, float]:
    """Parses a signal name and seconds, as "USR1@60"; raises WrongValue for any other text."""
    name, at, seconds = word.partition("@")
    if not at:
        raise WrongValue('must be SIGNAL@SECONDS, as "USR1@60", or "none"')
    return parse_signal(name), _positive(seconds, SECONDS)


def parse_memory_limit(word: str) -> MemoryLimit:
    """Parses a limit, as "80%" (of the GPU), "8" (GB) or "500MB"; raises WrongValue for any other text."""
    number_, percent, rest = word.partition("%")
    if not percent:
        amount = _positive(word, GIGABYTES, ", or a share of the GPU such as 80%")
        return MemoryLimit(bytes=int(amount * GIGABYTE))
    share = _positive(number_)
    if share > 100 or rest.strip():
        raise WrongValue("must be a share of the GPU of at most 100%")
    return MemoryLimit(fraction=share / 100)


def _short_signal_name(name: str) -> str:
    if name in _NO_STOP_SIGNALS:
        raise WrongValue(f"{name} does not stop a script; use INT, TERM or USR1")
    return name.removeprefix("SIG")


def _positive(word: str, unit: Unit | None = None, otherwise: str = "") -> float:
    value = _float(word, otherwise, unit)
    if value <= 0:
        raise WrongValue("must be more than 0")
    return value


def _float(raw: object, otherwise: str = "", unit: Unit | None = None) -> float:
    """Converts a number; `otherwise` is appended to the message, to name other allowed values."""
    expected = "a number" if unit is None else f"a number of {unit.name} or {unit.examples}"
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise WrongValue(f"must be {expected}{otherwise}")
    if unit is not None and isinstance(raw, str) and raw.lstrip().startswith("+"):
        raise WrongValue(f"must be the whole amount, without a +{otherwise}")
    amount = unit.parse(raw) if unit is not None and isinstance(raw, str) else None
    try:
        value = float(raw) if amount is None else amount
    except OverflowError:
        value = math.inf if int(raw) > 0 else -math.inf
    except ValueError:
        raise WrongValue(f"must be {expected}{otherwise}") from None
    if math.isnan(value) or (isinstance(raw, str) and "inf" in raw.lower()):
        raise WrongValue(f"must be a finite number{otherwise}")
    if abs(value) > MAX_NUMBER:
        bound = f"at most {MAX_NUMBER:.0f}" if value > 0 else f"at least -{MAX_NUMBER:.0f}"
        raise WrongValue(f"must be {bound}{'' if unit is None else f' {unit.name}'}{otherwise}")
    return value


def _check_encodable(word: str) -> str:
    """Rejects undecodable bytes of a variable or an option, which cannot be written to a file."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise WrongValue("must be UTF-8 text") from None
    return word


def _is_none(raw: object) -> bool:
    return raw is None or (isinstance(raw, str) and raw.strip().lower() == NONE)
