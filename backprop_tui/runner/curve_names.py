"""Gives a metric one name where a script prints it and also writes it to a file: `loss` and `train/loss`.

Two names are one curve if they share a word and have the same values, of at least three digits, at two steps, and no
different value at a common step. Until that is known the values of the file are held back.

If a file's step for a printed metric is far ahead of the log, it has another axis, such as thousandths of epochs, and
is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backprop_tui.domain.metric_names import TRAINING_WORDS, VALIDATION_WORDS
from backprop_tui.readers.events import Progress
from backprop_tui.readers.merge import is_rounded_copy

MAX_STEPS = 256  # values that are kept of a printed metric
MAX_HELD = 64  # values of a file's metric that are held back
MAX_NAMES = 128

_WORD = re.compile(r"[a-z0-9]+")
_COMMON_WORDS = TRAINING_WORDS | VALIDATION_WORDS | {"epoch", "step", "avg"}


class CurveNames:
    """Remembers the recent metrics of the log, and which of them each metric of the files is."""

    def __init__(self) -> None:
        self._printed: dict[str, dict[float, float]] = {}  # by metric: the values by step, else by epoch
        self._by_epoch: set[str] = set()  # metrics that are printed without a step
        self._names: dict[str, str] = {}  # of the files' metrics; itself if it is not printed
        self._similar: dict[str, str] = {}  # the printed metric that had the same value once
        self._held: dict[str, list[Progress]] = {}
        self._last_step = self._interval = 0  # the last printed step, and the largest step between two

    def note(self, value: Progress) -> None:
        """Remembers the metrics of a line of the log."""
        at = value.epoch if value.step is None else value.step
        if at is None:
            return
        if value.step is not None:
            self._interval = max(self._interval, value.step - self._last_step)
            self._last_step = value.step
        for name, metric in value.metrics.items():
            if name not in self._printed and len(self._printed) >= MAX_NAMES:
                continue
            values = self._printed.setdefault(name, {})
            values[at] = metric
            if value.step is None:
                self._by_epoch.add(name)
            if len(values) > MAX_STEPS:
                del values[next(iter(values))]

    def rename(self, values: Iterable[Progress], *, is_last: bool = False) -> Iterator[Progress]:
        """Yields the values of files under the names of the log; the last call also yields what was held back."""
        for value in values:
            ready: dict[str, float] = {}
            for name, metric in value.metrics.items():
                known = self._name_of(name, value.step, metric)
                one_metric = replace(value, metrics={name: metric})
                if known is None:
                    self._held.setdefault(name, []).append(one_metric)
                    continue
                for held in self._held.pop(name, ()):
                    yield self._renamed(held, known)
                if known not in self._printed:
                    ready[name] = metric
                elif not self._is_far_ahead(value.step):
                    yield self._renamed(one_metric, known)
            if ready or not value.metrics:
                yield replace(value, metrics=ready)
        if is_last:
            yield from self._take_held()

    def _take_held(self) -> Iterator[Progress]:
        for name, values in self._held.items():
            for value in values:
                yield self._renamed(value, self._similar.get(name, name))
        self._held.clear()

    def _is_far_ahead(self, step: int | None) -> bool:
        return step is not None and self._interval > 0 and step > self._last_step + 2 * self._interval

    def _renamed(self, value: Progress, name: str) -> Progress:
        (metric,) = value.metrics.values()
        if name in self._by_epoch and value.step is not None and name not in value.metrics:
            return replace(value, step=None, epoch=float(value.step), metrics={name: metric})
        return replace(value, metrics={name: metric})

    def _name_of(self, name: str, step: int | None, metric: float) -> str | None:
        """The name under which the log prints the metric, its own if it does not; None if that is not known yet."""
        if name in self._printed or step is None:
            return name
        if name in self._names:
            return self._names[name]
        candidates = {
            printed: values.get(step) for printed, values in self._printed.items() if _are_related(name, printed)
        }
        same = next((printed for printed, value in candidates.items() if _is_same(metric, value)), None)
        similar = self._similar.get(name)
        if same is not None and same == similar:
            self._names[name] = same
        elif similar is not None and candidates.get(similar) is not None:
            self._names[name] = name  # it was equal by accident
        elif same is not None:
            self._similar[name] = same
        elif None not in candidates.values() or len(self._held.get(name, ())) >= MAX_HELD:
            self._names[name] = name
        return self._names.get(name)


def _is_same(metric: float, printed: float | None) -> bool:
    """Whether a printed value is that of a file, which may have more digits, or fewer as a 32-bit number."""
    if printed is None:
        return False
    return is_rounded_copy(metric, printed) or is_rounded_copy(metric, float(f"{printed:.6g}"))


def _are_related(name: str, other: str) -> bool:
    words, others = (set(_WORD.findall(text.lower())) - _COMMON_WORDS for text in (name, other))
    return not words.isdisjoint(others)
