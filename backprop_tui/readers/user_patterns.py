r"""Reads lines with the user's regular expressions: `step (?P<step>\d+) .* loss (?P<loss>[0-9.e+-]+)`.

The groups step, epoch, total_steps, total_epochs, eta_seconds and checkpoint have the obvious meaning; any other group
is a metric. An expression such as `(a+)+b` may take very long, so searches have a time limit and lines a maximum
length; an expression that exceeds the limit is disabled for the rest of the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from backprop_tui.readers.events import CheckpointSaved, MergedEvent, Progress
from backprop_tui.readers.printed_numbers import as_count, parse_number
from backprop_tui.readers.training_keys import MAX_PATH_CHARS, as_epoch, numeric_metrics

MAX_LINE_CHARS = 4096

_NOT_METRICS = frozenset(("step", "epoch", "total_steps", "total_epochs", "eta_seconds", "checkpoint"))


class RegexTimeout(Exception):
    """A regular expression exceeded its time limit."""


class TimeLimitedSearch(Protocol):
    def search(self, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        """Like `pattern.search(line)`. Raises: RegexTimeout."""


class UserPatterns:
    """Reads a line with the first of the user's expressions that matches."""

    marks = (b"",)  # the expressions may match any line

    def __init__(self, patterns: Iterable[str], searcher: TimeLimitedSearch) -> None:
        self._patterns: list[re.Pattern[str]] = []
        self._searcher = searcher
        self._disabled: list[str] = []
        for pattern in patterns:
            try:
                self._patterns.append(re.compile(pattern))
            except (re.error, RecursionError, OverflowError):  # valid only in another version of Python
                self._disabled.append(pattern)

    def read(self, line: str, offset: int) -> Iterator[MergedEvent]:
        if len(line) > MAX_LINE_CHARS:
            return
        match = self._first_match(line)
        if match is not None:
            yield from _events_of_groups({name: text for name, text in match.groupdict().items() if text}, offset)

    def take_switched_off(self) -> list[str]:
        """Returns the expressions that were disabled since the last call."""
        disabled, self._disabled = self._disabled, []
        return disabled

    def _first_match(self, line: str) -> re.Match[str] | None:
        for pattern in tuple(self._patterns):
            try:
                match = self._searcher.search(pattern, line)
            except RegexTimeout:
                self._patterns.remove(pattern)
                self._disabled.append(pattern.pattern)
                continue
            if match is not None:
                return match
        return None


def _events_of_groups(texts: dict[str, str], offset: int) -> Iterator[MergedEvent]:
    numbers = {name: parse_number(text.replace(",", "")) for name, text in texts.items()}
    step = as_count(numbers.get("step"))
    path = texts.get("checkpoint", "").strip()
    if path and len(path) <= MAX_PATH_CHARS and path.isprintable():
        yield CheckpointSaved(offset=offset, path=path, step=step)
    epoch = as_epoch(numbers.get("epoch"))
    metrics = numeric_metrics(numbers, exclude=_NOT_METRICS)
    eta = numbers.get("eta_seconds")
    if step is None and epoch is None and not metrics:
        return
    yield Progress(
        offset=offset,
        step=step,
        epoch=epoch,
        total_steps=as_count(numbers.get("total_steps")),
        total_epochs=as_count(numbers.get("total_epochs")),
        eta_seconds=eta if eta is not None and 0 <= eta < float("inf") else None,
        metrics=metrics,
    )
