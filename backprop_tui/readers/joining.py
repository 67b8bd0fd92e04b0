"""Joins what the formats in one log say of one training: whose step, which epoch, and nothing twice.

* Formats that count anew in each epoch get the step since the beginning, where the epoch is known; where it is not,
  each new beginning of the count is an epoch.
* Metrics printed without a step wait for the bar that is drawn again after them, and get its step; without a bar they
  get the step that was known last.
* What was said before of the same step, name for name, is left out: a line that is printed by two loggers, a bar that
  is drawn again; with fewer digits too, as frameworks print what a callback has reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from backprop_tui.readers.bar_meaning import BarInterpreter
from backprop_tui.readers.values import Bar, CheckpointSaved, EpochStarted, EpochProgress, LogValue, ParsedEvent, Progress

MAX_TRACKED_METRICS = 128  # whose last values are kept
MIN_DIGITS, MAX_DIGITS = 3, 12  # of a value that is another one in short


class Joiner:
    """Takes in what lines said, in their order; what it keeps is bounded."""

    __slots__ = ("_bars", "_epoch", "_last", "_latest", "_rounds", "_saved", "_total_epochs", "_waiting", "_zero_based")

    def __init__(self) -> None:
        self._bars = BarInterpreter()
        self._last: int | None = None  # the step that was known last
        self._epoch: int | None = None  # the epoch that a line of its own named
        self._zero_based = False  # whether an epoch was called 0
        self._total_epochs: int | None = None
        self._rounds = _RestartCounter()
        self._latest: dict[str, tuple[int | float | None, float]] = {}
        self._saved: str | None = None  # the last checkpoint, if nothing was trained since
        self._waiting: Progress | None = None

    def take(self, printed: ParsedEvent) -> Iterator[LogValue]:
        """What can be told by now."""
        match printed:
            case Bar():
                meant = self._bars.take(printed)
                yield from self._release(self._step_of_bar(printed))
                if meant is not None:
                    yield from self._progress(meant if isinstance(meant, Progress) else self._placed(meant))
            case EpochProgress():
                yield from self._release(None)
                yield from self._progress(self._placed(printed))
            case EpochStarted():
                yield from self._release(None)
                yield from self._begin(printed)
            case Progress(step=None, metrics=metrics) if metrics and self._bars.may_be_training:
                yield from self._release(None)
                self._bars.claim()
                self._waiting = printed
            case Progress():
                yield from self._release(None)
                if printed.step is None and printed.total_steps is not None:
                    self._bars.claim(printed.total_steps)
                yield from self._progress(printed)
            case CheckpointSaved():
                yield from self._release(None)
                yield from self._checkpoint(printed)

    def finish(self) -> Iterator[LogValue]:
        """What still waits, once the log cannot grow."""
        yield from self._release(None)

    def memory(self) -> dict[str, Any]:
        """Everything it keeps, as JSON can hold it."""
        return {
            "bars": self._bars.memory(),
            "last": self._last,
            "epoch": self._epoch,
            "zero_based": self._zero_based,
            "total_epochs": self._total_epochs,
            "rounds": self._rounds.memory(),
            "latest": [[name, at, repr(value)] for name, (at, value) in self._latest.items()],
            "saved": self._saved,
            "waiting": None if self._waiting is None else _written(self._waiting),
        }

    def remember(self, memory: Mapping[str, Any]) -> None:
        """Becomes what another one was.

        Raises:
            KeyError, TypeError, ValueError: that is no memory of a joiner.
        """
        self._bars.remember(memory["bars"])
        self._last, self._epoch, self._total_epochs = memory["last"], memory["epoch"], memory["total_epochs"]
        self._zero_based = bool(memory["zero_based"])
        self._rounds.remember(memory["rounds"])
        self._latest = {str(name): (at, float(value)) for name, at, value in memory["latest"]}
        self._saved = memory["saved"]
        self._waiting = None if memory["waiting"] is None else _read(memory["waiting"])

    def remember_habits(self, memory: Mapping[str, Any]) -> None:
        """What holds for another start of the same script too; a damaged memory says nothing."""
        joiner = memory.get("joiner")
        self._zero_based = isinstance(joiner, dict) and joiner.get("zero_based") is True

    def _step_of_bar(self, bar: Bar) -> int | None:
        """The step, where the bar is the one that a waiting value waits for."""
        return bar.done if (bar.done, bar.total) == (self._bars.step, self._bars.total) else None

    def _release(self, step: int | None) -> Iterator[LogValue]:
        """The value that waited for a bar; without one it gets where the bar stood before."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            step = self._bars.step if step is None else step
            yield from self._progress(replace(waiting, step=step, total_steps=self._bars.claimed))

    def _begin(self, begins: EpochStarted) -> Iterator[LogValue]:
        self._epoch = begins.epoch
        self._zero_based |= begins.epoch == 0
        self._total_epochs = begins.total_epochs
        self._rounds.begin()
        yield from self._progress(
            Progress(offset=begins.offset, epoch=float(begins.epoch), total_epochs=begins.total_epochs)
        )

    def _placed(self, place: EpochProgress) -> Progress:
        """The place within an epoch as one in the whole training."""
        epoch, first, total_epochs = place.epoch, place.first_epoch, place.total_epochs
        if epoch is None:
            epoch = self._epoch
            total_epochs = self._total_epochs if total_epochs is None else total_epochs
        earlier = self._rounds.count(place.done) if epoch is None else max(0, epoch - self._first(epoch, first))
        whole = epoch is None and earlier == 0
        rounds = 1 if whole else total_epochs
        return Progress(
            offset=place.offset,
            step=place.done if place.total is None else earlier * place.total + place.done,
            epoch=None if epoch is None else float(epoch),
            total_steps=None if place.total is None or rounds is None else rounds * place.total,
            total_epochs=total_epochs,
            eta_seconds=_eta(place, None if rounds is None else rounds - earlier - 1),
            metrics=place.metrics,
        )

    def _first(self, epoch: int, printed: int | None) -> int:
        """What the first epoch is called: once one was called 0, it is 0."""
        if printed is not None:
            return printed
        self._zero_based |= epoch == 0
        return 0 if self._zero_based else 1

    def _progress(self, progress: Progress) -> Iterator[LogValue]:
        metrics = self._news(progress)
        moved = progress.step is not None and progress.step != self._last
        if not metrics and progress.metrics and not moved:
            return
        self._saved = None
        if progress.step is not None:
            self._last = progress.step
        elif metrics:
            progress = replace(progress, step=self._last)
        yield progress if metrics is progress.metrics else replace(progress, metrics=metrics)

    def _news(self, progress: Progress) -> Mapping[str, float]:
        """The metrics that were not said yet of this step, or of this epoch where there is no step."""
        step = progress.step if progress.step is not None else self._last
        at = step if step is not None else progress.epoch
        if at is None:
            return progress.metrics
        news: dict[str, float] = {}
        for name, value in progress.metrics.items():
            known = self._latest.pop(name, None)
            if known is None or known[0] != at or not _same(known[1], value):
                news[name] = value
            self._latest[name] = (at, value)
        while len(self._latest) > MAX_TRACKED_METRICS:
            del self._latest[next(iter(self._latest))]
        return progress.metrics if len(news) == len(progress.metrics) else news

    def _checkpoint(self, saved: CheckpointSaved) -> Iterator[LogValue]:
        """Frameworks say it twice: before they save, and after."""
        if saved.path != self._saved:
            self._saved = saved.path
            yield saved


class _RestartCounter:
    """Counts how often a count began anew, where no epoch is named."""

    __slots__ = ("_done", "_earlier")

    def __init__(self) -> None:
        self._done = 0
        self._earlier = 0

    def begin(self) -> None:
        self._done = self._earlier = 0

    def memory(self) -> list[int]:
        return [self._done, self._earlier]

    def remember(self, memory: list[int]) -> None:
        self._done, self._earlier = map(int, memory)

    def count(self, done: int) -> int:
        """How many rounds were before the one in which `done` are done."""
        self._earlier += done < self._done
        self._done = done
        return self._earlier


def _eta(place: EpochProgress, epochs_left: int | None) -> float | None:
    """The rest of this epoch, and the epochs after it at its pace; None where nobody says how many there are."""
    if place.seconds_left is None or epochs_left is None:
        return None
    if epochs_left <= 0:
        return place.seconds_left
    if place.elapsed_seconds is None:
        return None
    return place.seconds_left + epochs_left * (place.elapsed_seconds + place.seconds_left)


def _same(known: float, said: float) -> bool:
    """Whether the same was said, perhaps with fewer digits; too few of them may stand for anything."""
    if known == said or (math.isnan(known) and math.isnan(said)):
        return True
    digits = len(repr(said).partition("e")[0].replace(".", "").strip("-0"))
    return MIN_DIGITS <= digits < MAX_DIGITS and float(f"{known:.{digits}g}") == said


def _written(progress: Progress) -> dict[str, Any]:
    # JSON knows no NaN, and a figure must come back as the very same.
    return {**asdict(progress), "metrics": {name: repr(value) for name, value in progress.metrics.items()}}


def _read(written: Mapping[str, Any]) -> Progress:
    metrics = {str(name): float(value) for name, value in written["metrics"].items()}
    return Progress(**{**written, "metrics": metrics})
