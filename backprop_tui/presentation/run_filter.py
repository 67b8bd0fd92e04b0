"""The filter of runs, for the dashboard and for `list --filter`: words that all have to match.

`nano lr=1e-3 val_loss<0.1 since:7d failed`: text, an argument, a metric, a time, and a status.
"""

from __future__ import annotations

import math
import operator
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from itertools import compress, repeat
from typing import Any

from backprop_tui.domain.arguments import plain_name
from backprop_tui.domain.formatting import time_or_none
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.similar import nearest
from backprop_tui.domain.status import ACTIVE, ENDED, UNFINISHED, Status
from backprop_tui.presentation.filter_names import Names, quoted
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import best_value, metric_value, objective_best, settings_of, started_at
from backprop_tui.presentation.run_search import field_search, line_search, matcher_of, name_fields, search_text
from backprop_tui.presentation.states import PROBLEM_STATUSES

QUALIFIERS = ("state:", "since:", "until:", "ended:", "tag:", "gpu:", "group:", "host:", "id:", "name:", "note:")
STATES: Mapping[str, frozenset[Status]] = {
    **{status.value: frozenset({status}) for status in Status},
    "running": ACTIVE - {Status.PAUSED},
    "waiting": frozenset({Status.QUEUED}),
    "failed": PROBLEM_STATUSES,
    "done": ENDED - PROBLEM_STATUSES,
    "ended": ENDED,
    "active": ACTIVE,
    "unfinished": UNFINISHED,
}
STATE_CYCLE = (None, "active", "waiting", "failed", "done")
_ACCEPTED = ("words", "failed", "since:7d", "tag:x", "gpu:0"), ("lr=1e-3", "val_loss<0.1", "best(val_loss)<0.1")
_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_QUALIFIED = re.compile(r"([a-z]+):(.*)", re.DOTALL)
_COMPARISON = re.compile(r"(-{0,2}[A-Za-z_][\w./@-]*|(?:best|last)\([^()]+\))(<=|>=|!=|==|=|<|>)(.*)", re.DOTALL)
_TIMES = {"since": "started", "until": "started", "ended": "ended"}  # the columns that they are about
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": lambda value, other: math.isclose(value, other, rel_tol=1e-9),
    "==": lambda value, other: math.isclose(value, other, rel_tol=1e-9),
    "!=": lambda value, other: not math.isclose(value, other, rel_tol=1e-9),
}
_MAX_NAMED = 12


@lazy_dataclass(frozen=True, slots=True)
class Condition:
    """What a word asks of each run: `accepts` takes a `value` of the run, and `operand` or else the wall time.

    `key` names the value.
    """

    key: str
    value: Callable[[KnownRun], Any]
    accepts: Callable[[Any, Any], bool]
    operand: Any = None

    def select(self, values: Iterable[Any], now: float) -> Iterator[bool]:
        """Whether each value is accepted; of 10,000 in a millisecond if `accepts` is no Python function."""
        return map(self.accepts, values, repeat(now if self.operand is None else self.operand))


Column = Callable[[str, Callable[[KnownRun], Any]], Sequence[Any]]


class FilterMistake(ValueError):
    """A word of a filter that means nothing; the text says what is accepted."""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """All conditions have to hold. `mistakes` are about words that mean nothing; they are left out.

    `names` are the arguments and metrics it compares, those in `equal` with `=`; `words` are searched in texts.
    `open` are the names of those comparisons that have no value yet.
    `times` are the columns whose times it compares: it can change although no run does.
    """

    text: str = ""
    mistakes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    equal: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    _conditions: tuple[Condition, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, text: str) -> RunFilter:
        conditions: list[Condition] = []
        mistakes: list[str] = []
        words = [match[0] for match in _WORD.finditer(text)]
        comparisons = list(filter(None, map(_COMPARISON.fullmatch, words)))
        compared = [match for match in comparisons if match[3]]
        for word in words:
            try:
                conditions.append(_condition(word))
            except FilterMistake as mistake:
                mistakes.append(str(mistake))
        return cls(
            text=text.strip(),
            mistakes=tuple(mistakes),
            names=tuple(match[1] for match in compared),
            equal=tuple(match[1] for match in compared if match[2] in ("=", "==")),
            words=tuple(word for word in words if not _COMPARISON.fullmatch(word) and word.lower() not in STATES),
            times=tuple(dict.fromkeys(_TIMES[key] for word in words if (key := word.partition(":")[0]) in _TIMES)),
            open=tuple(match[1] for match in comparisons if not match[3]),
            _conditions=tuple(conditions),
        )

    @property
    def follows_time(self) -> bool:
        return bool(self.times)

    def __bool__(self) -> bool:
        return bool(self.text)

    def matches(self, run: KnownRun, now: float) -> bool:
        return all(all(condition.select([condition.value(run)], now)) for condition in self._conditions)

    def select(self, column: Column, count: int, now: float) -> Sequence[int]:
        """The indices of the runs that match, of `count` runs whose values `column` returns and keeps by a key.

        The keys begin with `filter`, so that they are none of the caller's own.
        """
        indices: Sequence[int] = range(count)
        for condition in self._conditions:
            values = column(f"filter {condition.key}", condition.value)
            indices = list(compress(indices, condition.select(map(values.__getitem__, indices), now)))
        return indices

    @property
    def compared(self) -> Mapping[str, Callable[[KnownRun], float | str | None]]:
        """The values that it compares, by the names it has for them."""
        return {name: _values(name) for name in self.names}

    def unknown(self, names: Names) -> str | None:
        """Which name that is compared no run has; None if all are known."""
        known = {plain_name(name) for name in names.all} | _BUILT_IN.keys()
        for name in (*self.names, *self.open):
            if plain_name(_inner(name)) not in known:
                near = nearest(_inner(name), names.all) or _beginning_with(_inner(name), names.all)
                there_are = f"there are {', '.join(names.all[:_MAX_NAMED]) or 'none'}"
                hint = there_are if near is None else f"did you mean {near}?"
                return f"no run has an argument or a metric {name}; {hint}"
        return None

    def doubt(self, names: Names, *, matched: bool = True) -> str | None:
        """What a word may mean instead, by the names of the runs and by whether any matched; None without a doubt."""
        unknown = self.unknown(names)
        if unknown is not None:
            return unknown
        arguments, metrics = ({plain_name(name) for name in known} for known in (names.arguments, names.metrics))
        for name in self.names:
            plain = plain_name(name)
            if plain in arguments & metrics and not name.startswith("-"):
                return f"{name} is an argument, else a metric: --{plain} is only the argument, last({plain}) the metric"
        for word in self.words:
            plain = plain_name(word)
            if plain in metrics:
                examples = " or ".join(filter(None, map(names.example, (word, f"best({word})"))))
                return f"{word} is a metric: compare it" + (f", such as {examples}" if examples else "")
            if plain in arguments:
                example = names.example(word)
                return f"{word} is an argument: compare it" + (f", such as {example}" if example else "")
            qualified = _QUALIFIED.fullmatch(word)
            if not matched and qualified is not None and f"{qualified[1]}:" not in QUALIFIERS:
                return f"{qualified[1]}: is no qualifier and was searched as text; there are {' '.join(QUALIFIERS)}"
        return None


def _condition(word: str) -> Condition:
    if word.startswith('"'):
        return _contains(word.strip('"'))
    if word.lower() in STATES:
        return _has_status(STATES[word.lower()])
    comparison = _COMPARISON.fullmatch(word)
    if comparison is not None:
        return _compares(comparison[1], comparison[2], comparison[3].strip('"'))
    qualified = _QUALIFIED.fullmatch(word)
    if qualified is not None:
        if f"{qualified[1]}:" in QUALIFIERS:
            return _qualified(qualified[1], qualified[2].strip('"'))
        near = _near(qualified[1])
        if near is not None:
            raise FilterMistake(
                f"{qualified[1]}: is no qualifier; did you mean {near}? There are {' '.join(QUALIFIERS)}"
            )
    return _contains(word.replace('"', ""))


def _near(word: str) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(f"{word}:", QUALIFIERS, n=1, cutoff=0.75)
    return near[0] if near else None


def _contains(text: str) -> Condition:
    """Text anywhere in what rows show of a run and in its command; or a regular expression, if it is a valid one."""
    finds = line_search(text)
    if finds is None:
        return Condition("text", search_text, operator.contains, text.lower())
    return Condition("text", search_text, finds)


def _has_status(statuses: Collection[Status]) -> Condition:
    return Condition("status", lambda run: run.record["status"], lambda status, _: status in statuses)


def _qualified(key: str, value: str) -> Condition:
    if not value:
        raise FilterMistake(f"{key}: {_expected(key)}")
    parts = [part.lower() for part in value.split(",") if part]
    match key:
        case "state":
            return _has_status(frozenset().union(*map(_statuses, parts)))
        case "since":
            bound = _time_bound(key, value)
            return Condition("started", _started, lambda at, now: at >= bound(now))
        case "until":
            bound = _time_bound(key, value)
            return Condition("started", _started, lambda at, now: at <= bound(now))
        case "ended":
            bound = _time_bound(key, value)
            return Condition(key, _ended, lambda at, now: at >= bound(now))
        case "gpu":
            return Condition("gpu", _gpus, lambda gpus, _: not gpus.isdisjoint(parts))
        case "tag":
            matches = matcher_of(value)
            is_plain = all(field_search(part) is None for part in parts)
            return Condition(
                "tag", _tags, lambda tags, _: not tags.isdisjoint(parts) or (not is_plain and matches(tuple(tags)))
            )
        case _:
            matches = matcher_of(value)
            return Condition(key, partial(_fields_of, key), lambda fields, _: matches(fields))


def _fields_of(key: str, run: KnownRun) -> tuple[str, ...]:
    return name_fields(run) if key == "name" else (str(run.record.get(key) or "").lower(),)


def _started(run: KnownRun) -> float:
    return started_at(run.record) or 0.0


def _ended(run: KnownRun) -> float:
    return time_or_none(run.record.get("ended_at")) or -math.inf


def _gpus(run: KnownRun) -> set[str]:
    return {str(gpu["index"]) for gpu in run.record.get("gpus") or ()}


def _tags(run: KnownRun) -> set[str]:
    return {str(tag).lower() for tag in run.record["tags"]}


def _expected(key: str) -> str:
    match key:
        case "state":
            return f"use {', '.join(STATES)}"
        case "since" | "until" | "ended":
            return "use 7d, 12h, 2w, today, yesterday or a date such as 2026-11-24"
        case _:
            return f"needs a value, such as {key}:{'0' if key == 'gpu' else 'x'}"


def _statuses(word: str) -> frozenset[Status]:
    if word not in STATES:
        raise FilterMistake(f"{word} is no state; {_expected('state')}")
    return STATES[word]


def _time_bound(key: str, value: str) -> Callable[[float], float]:
    """The wall time that `7d`, `today` or `2026-11-24` means; `until:` a day includes that day."""
    span = _SPAN.fullmatch(value)
    if span is not None:
        seconds = float(span[1]) * _SECONDS[span[2]]
        return lambda now: now - seconds
    if value in ("today", "yesterday"):
        back = int(value == "yesterday") - int(key == "until")
        return lambda now: _midnight(now, back)
    try:
        day = time.strptime(value, "%Y-%m-%d")
    except ValueError:
        raise FilterMistake(f"{key}:{value} is no time; {_expected(key)}") from None
    bound = time.mktime((day.tm_year, day.tm_mon, day.tm_mday + int(key == "until"), 0, 0, 0, 0, 0, -1))
    return lambda _: bound


def _midnight(now: float, days_back: int) -> float:
    day = time.localtime(now)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday - days_back, 0, 0, 0, 0, 0, -1))


def _compares(name: str, sign: str, value: str) -> Condition:
    """An argument or a metric of the run against a value; a run without it does not match."""
    if not value:
        raise FilterMistake(f"{name}{sign} needs a value")
    number = _as_number(value)
    if number is None and sign not in ("=", "==", "!="):
        raise FilterMistake(f"{name}{sign}{value}: {value} is not a number")
    compare, is_equal, word = _OPERATORS[sign], sign != "!=", value.lower()

    def accepts(value: float | str | None, _: float) -> bool:
        if value is None:
            return False
        figure = value if isinstance(value, float) else _as_number(str(value))
        if number is not None and figure is not None:
            return compare(figure, number)
        return sign in ("=", "==", "!=") and (str(value).lower() == word) is is_equal

    return Condition(f"value {name}", _values(name), accepts)


def _as_number(text: str) -> float | None:
    """1e-3, 0.001 and 90; 1h is 3600."""
    span = _SPAN.fullmatch(text)
    if span is not None:
        return float(span[1]) * _SECONDS[span[2]]
    try:
        return float(text)
    except ValueError:
        return None


def _optional(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


_BUILT_IN: Mapping[str, Callable[[KnownRun], float | None]] = {
    "step": lambda run: _optional(run.record.get("step")),
    "took": lambda run: _optional(run.record.get("duration_seconds")),
    "priority": lambda run: _optional(run.record.get("priority")),
    "best": lambda run: objective_best(run.record),
}


def _values(name: str) -> Callable[[KnownRun], float | str | None]:
    """The value of `step`, `best(val_loss)`, the argument `--lr`, or an argument, else a metric, of that name."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    kind, _, inner = name.rstrip(")").partition("(")
    if inner:
        value_of = best_value if kind == "best" else metric_value
        return lambda run: value_of(run.record, inner)
    plain = plain_name(name)
    spellings = tuple(dict.fromkeys((name.lstrip("-"), plain, plain.replace("_", "-"))))

    def value(run: KnownRun) -> float | str | None:
        arguments = settings_of(run.record)
        for spelling in spellings:
            if spelling in arguments:
                return arguments[spelling]
        return None if name.startswith("-") else metric_value(run.record, name)

    return value


def _inner(name: str) -> str:
    """`val_loss` of `best(val_loss)`."""
    return name.rstrip(")").rpartition("(")[2]


def with_state(text: str, word: str | None) -> str:
    """The filter with this state in place of another one; None: without a state."""
    words = [match[0] for match in _WORD.finditer(text) if match[0].lower() not in STATES]
    return " ".join([*words, *([] if word is None else [word])])


def toggled(text: str, word: str) -> str:
    """The filter without this word if it has it; otherwise with it, in place of one for the same quantity."""
    words = [match[0] for match in _WORD.finditer(text)]
    others = [other for other in words if _quantity(other) != _quantity(word)]
    return " ".join(others if word in words else [*others, word])


def _quantity(word: str) -> str:
    """`gpu` of `gpu:0`, `state` of a state; another word is itself."""
    return "state" if word.lower() in STATES else word.partition(":")[0]


def state_of(text: str) -> str | None:
    """The state that a filter names; None for every state."""
    return next((match[0].lower() for match in _WORD.finditer(text) if match[0].lower() in STATES), None)


def completions(text: str, names: Names) -> list[str]:
    """What the last word of a filter may become, with its prefix; nothing after a blank.

    Behind `optimizer=` these are the values of that argument, the most frequent first.
    """
    word = text.rpartition(" ")[2]
    if not word:
        return []
    comparison = _COMPARISON.fullmatch(word)
    if comparison is not None:
        argument = names.argument(comparison[1]) if comparison[2] in ("=", "==", "!=") else None
        values = [] if argument is None or "(" in comparison[1] else names.values(argument)
        candidates = [f"{comparison[1]}{comparison[2]}{quoted(value)}" for value in values]
    else:
        candidates = [*QUALIFIERS, *(f"state:{state}" for state in STATES), *STATES, *names.all]
    return [candidate for candidate in dict.fromkeys(candidates) if candidate.startswith(word) and candidate != word]


def accepted(names: Names) -> str:
    """What a filter accepts, with examples that fit these runs."""
    words, comparisons = _ACCEPTED
    return ", ".join([*words, *(names.examples() if names.runs else comparisons), "took>1h"])


def _beginning_with(word: str, names: Iterable[str]) -> str | None:
    """The only name that begins with a word."""
    longer = [name for name in names if plain_name(name).startswith(plain_name(word))]
    return longer[0] if len(longer) == 1 else None
