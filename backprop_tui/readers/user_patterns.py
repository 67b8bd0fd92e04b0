r"""Reads lines by regular expressions of the user's own: `step (?P<step>\d+) .* loss (?P<loss>[0-9.e+-]+)`.

Groups named step, epoch, total_steps, total_epochs, eta_seconds and checkpoint mean what they say; any other is a
metric.
An expression may take very long (`(a+)+b`), so each is searched for within an allowance of time; one that takes more is
switched off for the rest of the log. The lines it is shown are bounded, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from backprop_tui.readers.printed_numbers import parse_number, as_count
from backprop_tui.readers.training_keys import MAX_PATH_CHARS, as_epoch, numeric_metrics
from backprop_tui.readers.values import CheckpointSaved, LogValue, Progress

MAX_LINE_CHARS = 4096

_NOT_METRICS = frozenset(("step", "epoch", "total_steps", "total_epochs", "eta_seconds", "checkpoint"))


class TookTooLong(Exception):
    """An expression has used up its allowance."""


class Allowance(Protocol):
    """Bounds the time that an expression may take."""

    def search(self, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        """As the pattern's own.

        Raises:
            TookTooLong: it takes more time than it may.
        """


class UnlimitedSearch:
    """No bound at all: for expressions that are known to be quick."""

    def search(self, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        """As the pattern's own."""
        return pattern.search(line)


class UserPatterns:
    """The reader of such lines; the first expression that is found in a line is the one that counts."""

    marks = (b"",)  # nothing is known of what they look for

    def __init__(self, patterns: Iterable[str], allowance: Allowance | None = None) -> None:
        self._patterns: list[re.Pattern[str]] = []
        self._allowance = UnlimitedSearch() if allowance is None else allowance
        self._switched_off: list[str] = []
        for pattern in patterns:
            try:
                self._patterns.append(re.compile(pattern))
            except (re.error, RecursionError, OverflowError):  # another version of Python took it
                self._switched_off.append(pattern)

    def read(self, line: str, offset: int) -> Iterator[LogValue]:
        """What the groups say."""
        if len(line) > MAX_LINE_CHARS:
            return
        found = self._find(line)
        if found is not None:
            yield from _told({name: text for name, text in found.groupdict().items() if text}, offset)

    def take_switched_off(self) -> list[str]:
        """The expressions that were switched off since the last call."""
        taken, self._switched_off = self._switched_off, []
        return taken

    def _find(self, line: str) -> re.Match[str] | None:
        for pattern in tuple(self._patterns):
            try:
                found = self._allowance.search(pattern, line)
            except TookTooLong:
                self._patterns.remove(pattern)
                self._switched_off.append(pattern.pattern)
                continue
            if found is not None:
                return found
        return None


def _told(texts: dict[str, str], offset: int) -> Iterator[LogValue]:
    figures = {name: parse_number(text.replace(",", "")) for name, text in texts.items()}
    step = as_count(figures.get("step"))
    path = texts.get("checkpoint", "").strip()
    if path and len(path) <= MAX_PATH_CHARS and path.isprintable():
        yield CheckpointSaved(offset=offset, path=path, step=step)
    epoch = as_epoch(figures.get("epoch"))
    metrics = numeric_metrics(figures, exclude=_NOT_METRICS)
    eta = figures.get("eta_seconds")
    if step is None and epoch is None and not metrics:
        return
    yield Progress(
        offset=offset,
        step=step,
        epoch=epoch,
        total_steps=as_count(figures.get("total_steps")),
        total_epochs=as_count(figures.get("total_epochs")),
        eta_seconds=eta if eta is not None and 0 <= eta < float("inf") else None,
        metrics=metrics,
    )
