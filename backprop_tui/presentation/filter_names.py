"""What a filter can compare in a store: the arguments and metrics of its runs, with their values as examples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import NamedTuple

from backprop_tui.domain.arguments import is_seed_name, plain_name
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import Direction, direction_of, is_bookkeeping, is_validation
from backprop_tui.presentation import numbers
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import best_value, metric_value, settings_of

_MAX_LISTED = 6  # values in a sentence
_MAX_EXAMPLES_FROM = 300  # runs, so that the first hint is there at once


class Figures(NamedTuple):
    """The least, the middle and the largest of the values that so many runs have."""

    least: float
    middle: float
    largest: float
    runs: int


@lazy_dataclass(frozen=True, slots=True)
class Names:
    """The names of arguments and metrics, in their first order, and the runs that have them, the newest first."""

    arguments: Sequence[str] = ()
    metrics: Sequence[str] = ()
    runs: Sequence[KnownRun] = ()
    _values: dict[str, list[str]] = field(default_factory=dict, compare=False)

    @property
    def all(self) -> Sequence[str]:
        return list(dict.fromkeys([*self.metrics, *self.arguments]))

    def argument(self, word: str) -> str | None:
        """The argument that a word means; `--batch-size` and `batch_size` are the same."""
        return next((name for name in self.arguments if plain_name(name) == plain_name(word)), None)

    def metric(self, word: str) -> str | None:
        """The metric that `val_loss` or `best(val_loss)` means."""
        inner = word.rstrip(")").rpartition("(")[2]
        return inner if inner in self.metrics else None

    def values(self, argument: str) -> list[str]:
        """The values of an argument, the most frequent first."""
        if argument not in self._values:
            given = (settings_of(run.record).get(argument) for run in self.runs)
            self._values[argument] = [value for value, _ in Counter(filter(None, given)).most_common()]
        return self._values[argument]

    def expected(self, word: str) -> str:
        """What the argument or metric of a comparison may be compared with; empty if no run has it."""
        argument = self.argument(word)
        values = [] if argument is None or "(" in word else self.values(argument)
        if values and not all(map(_is_number, values)):
            more = f" and {len(values) - _MAX_LISTED} more" if len(values) > _MAX_LISTED else ""
            return f"it is {', '.join(values[:_MAX_LISTED])}{more}"
        metric = self.metric(word)
        figures = _figures(map(float, values)) if values else None if metric is None else self._figures_of(word, metric)
        if figures is None:
            return ""
        least, largest = numbers.metric(figures.least), numbers.metric(figures.largest)
        return f"it is {least}" if least == largest else f"it is between {least} and {largest}"

    def example(self, word: str) -> str:
        """A comparison that some of the runs match: `optimizer=adamw`, `val_loss<3.1`; empty if no run has a value."""
        metric = self.metric(word)
        if metric is not None:
            figures = self._figures_of(word, metric)
            return "" if figures is None else word + _bound(figures.middle, direction_of(metric))
        argument = self.argument(word)
        values = [] if argument is None else self.values(argument)
        return f"{word}={quoted(values[0])}" if values else ""

    def examples(self) -> list[str]:
        """A comparison of an argument, and of the last and the best value of a metric."""
        newest = Names(self.arguments, self.metrics, self.runs[:_MAX_EXAMPLES_FROM])
        results = [name for name in self.metrics if not is_bookkeeping(name)]
        metrics = sorted(results, key=lambda name: not is_validation(name))[:1]
        given = Counter(name for run in newest.runs for name in settings_of(run.record) if not is_seed_name(name))
        arguments = [name for name, _ in given.most_common(1)]
        words = [*arguments, *metrics, *(f"best({name})" for name in metrics)]
        return list(filter(None, map(newest.example, words)))

    def _figures_of(self, word: str, metric: str) -> Figures | None:
        value_of = best_value if word.startswith("best(") else metric_value
        values = (value_of(run.record, metric) for run in self.runs)
        return _figures(value for value in values if value is not None)


def names_of_runs(runs: Iterable[KnownRun]) -> Names:
    runs = runs if isinstance(runs, Sequence) else list(runs)
    records = [run.record for run in runs]
    return Names(
        list(dict.fromkeys(name for record in records for name in settings_of(record))),
        list(dict.fromkeys(str(name) for record in records for name in record.get("metrics") or ())),
        runs,
    )


def quoted(value: str) -> str:
    """A value as a filter takes it."""
    return f'"{value}"' if " " in value else value


def _figures(values: Iterable[float]) -> Figures | None:
    known = sorted(filter(math.isfinite, values))
    return Figures(known[0], known[len(known) // 2], known[-1], len(known)) if known else None


def _bound(value: float, direction: Direction | None) -> str:
    """A round number that the value is better than: `<3.1` of 3.04, `>0.75` of 0.757 if more is better."""
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 0.1
    if direction is Direction.MAX:
        return f">{(math.ceil(value / unit) - 1) * unit:.6g}"
    return f"<{(math.floor(value / unit) + 1) * unit:.6g}"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
