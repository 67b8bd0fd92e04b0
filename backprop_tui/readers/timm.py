"""Reads the output of timm's train.py.

`Train: 0 [  50/1251 (  4%)]  Loss: 6.95 (6.95)  Time: 0.561s,  456.00/s  LR: 1.000e-05`, of which the means in
parentheses are ignored, and `Test: [  97/97]  Loss: 6.9 (6.8)  Acc@1: 0.1 (0.2)`, of which the means on the last line
are the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backprop_tui.readers.events import CheckpointSaved, EpochProgress, Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.training_keys import numeric_metrics

MAX_KEPT_PATHS = 20

_TRAIN = lazy_compile(r"Train: (\d{1,9})(?:/(\d{1,9}))? \[ *(\d{1,12})/(\d{1,12}) \( *\d{1,3}%\)\]\s+")
_METRIC_AND_MEAN = lazy_compile(r"([A-Za-z][\w@]{0,60}): +([-+\w.]{1,40}?)s?(?: +\( *([-+\w.]{1,40})\))?(?=[\s,]|$)")
_TEST = lazy_compile(r"(Test(?: \(\w{1,20}\))?): \[ *(\d{1,12})/(\d{1,12})\]\s+")
_LISTED_CHECKPOINT = lazy_compile(
    r"\s*\('([^']{1,4096}\.pth(?:\.tar)?)', (?:[-+\w.]{1,40}|\w{1,20}\([-+\w.]{1,40}\))\)\s*$"
)
_NOT_EVALUATION_METRICS = frozenset(("Time", "Data", "LR"))


class Timm:
    """Remembers the checkpoints already reported, since timm lists all kept checkpoints after each epoch."""

    tag = "Timm"
    marks = (b"Loss", b".pth")

    def __init__(self) -> None:
        self._listed: list[str] = []

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        message = prefix_end(line)
        if (train := _TRAIN.match(line, message)) is not None:
            yield EpochProgress(
                offset=offset,
                done=int(train[3]),
                total=int(train[4]),
                epoch=int(train[1]),
                first_epoch=0,
                total_epochs=None if train[2] is None else int(train[2]),
                metrics=numeric_metrics(
                    {name: value for name, value, _ in _METRIC_AND_MEAN.findall(line, train.end())}
                ),
            )
        elif (test := _TEST.match(line, message)) is not None and test[2] == test[3]:
            means = {name: mean for name, _, mean in _METRIC_AND_MEAN.findall(line, test.end())}
            metrics = {
                f"{test[1]} {name}": mean
                for name, mean in numeric_metrics(means, exclude=_NOT_EVALUATION_METRICS).items()
            }
            if metrics:
                yield Progress(offset=offset, metrics=metrics)
        elif (checkpoint := _LISTED_CHECKPOINT.match(line)) is not None and checkpoint[1] not in self._listed:
            self._listed = [*self._listed, checkpoint[1]][-MAX_KEPT_PATHS:]
            yield CheckpointSaved(offset=offset, path=checkpoint[1])

    def memory(self) -> list[Any]:
        return list(self._listed)

    def remember(self, memory: list[Any]) -> None:
        self._listed = [str(path) for path in memory][-MAX_KEPT_PATHS:]
