"""Reads what timm's train.py prints.

`Train: 0 [  50/1251 (  4%)]  Loss: 6.95 (6.95)  Time: 0.561s,  456.00/s  LR: 1.000e-05`, where means are left out, and
`Test: [  97/97]  Loss: 6.9 (6.8)  Acc@1: 0.1 (0.2)`, where the mean of the last line is the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backprop_tui.readers.lazily import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_number
from backprop_tui.readers.training_keys import numeric_metrics
from backprop_tui.readers.values import CheckpointSaved, EpochProgress, ParsedEvent, Progress

MAX_KEPT_PATHS = 20

_TRAIN = lazy_compile(r"Train: (\d{1,9})(?:/(\d{1,9}))? \[ *(\d{1,12})/(\d{1,12}) \( *\d{1,3}%\)\]\s+")
_FIGURE = lazy_compile(r"([A-Za-z][\w@]{0,60}): +([-+\w.]{1,40}?)s?(?: +\( *([-+\w.]{1,40})\))?(?=[\s,]|$)")
_TEST = lazy_compile(r"(Test(?: \(\w{1,20}\))?): \[ *(\d{1,12})/(\d{1,12})\]\s+")
_KEPT = lazy_compile(r"\s*\('([^']{1,4096}\.pth(?:\.tar)?)', (?:[-+\w.]{1,40}|\w{1,20}\([-+\w.]{1,40}\))\)\s*$")
_OF_THE_CLOCK = frozenset(("Time", "Data", "LR"))


class Timm:
    """The reader of timm; knows the checkpoints that it listed, since each list has the old ones too."""

    marks = (b"Loss", b".pth")

    def __init__(self) -> None:
        self._listed: list[str] = []

    def read(self, line: str, offset: int) -> Iterator[ParsedEvent]:
        """A place in an epoch, the result of an evaluation, or a checkpoint in the list of the kept ones."""
        message = prefix_end(line)
        if (train := _TRAIN.match(line, message)) is not None:
            yield EpochProgress(
                offset=offset,
                done=int(train[3]),
                total=int(train[4]),
                epoch=int(train[1]),
                first_epoch=0,
                total_epochs=None if train[2] is None else int(train[2]),
                metrics=numeric_metrics({name: value for name, value, _ in _FIGURE.findall(line, train.end())}),
            )
        elif (test := _TEST.match(line, message)) is not None and test[2] == test[3]:
            means = {name: parse_number(mean) for name, _, mean in _FIGURE.findall(line, test.end())}
            metrics = {
                f"{test[1]} {name}": mean
                for name, mean in means.items()
                if mean is not None and name not in _OF_THE_CLOCK
            }
            if metrics:
                yield Progress(offset=offset, metrics=metrics)
        elif (kept := _KEPT.match(line)) is not None and kept[1] not in self._listed:
            self._listed = [*self._listed, kept[1]][-MAX_KEPT_PATHS:]
            yield CheckpointSaved(offset=offset, path=kept[1])

    def memory(self) -> list[Any]:
        """Everything it keeps."""
        return list(self._listed)

    def remember(self, memory: list[Any]) -> None:
        """Becomes what another one was."""
        self._listed = [str(path) for path in memory][-MAX_KEPT_PATHS:]
