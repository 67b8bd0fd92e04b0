"""Reads the output of Keras with verbose 1 (a bar that is redrawn) and verbose 2 (one line per epoch).

`Epoch 1/3`, then `16/16 - 0s - 9ms/step - loss: 1.0921 - val_loss: 0.7718`, then perhaps
`Epoch 1: val_loss improved from None to 0.77180, saving model to ck.keras`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from backprop_tui.readers.events import CheckpointSaved, EpochProgress, EpochStarted, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.printed_numbers import parse_count, parse_duration, parse_number
from backprop_tui.readers.training_keys import numeric_metrics

_EPOCH = lazy_compile(r"\s*Epoch (\d{1,7})/(\d{1,7})\s*$")
_BATCHES = lazy_compile(
    r"\s*(\d{1,12})/(\d{1,12}|Unknown)\s*"
    r"(?:\[[=>.]{0,60}\] - |━[━\s]{0,60}|- (?=\d{1,9}s))(?:ETA: )?([\d:]{1,12})s?[ -]"
)
_NAME_AND_VALUE = lazy_compile(r"([^\s:][^:]{0,119}): (\S{1,64})\s*")
_SAVED = lazy_compile(r"Epoch (\d{1,7}): (?:.{1,300}, )?(?:finished )?saving model to (\S.{0,4095})$")


class Keras:
    """Remembers how many batches the epoch has, since the bar of a following evaluation looks the same.

    With verbose 2 an epoch's line comes after its checkpoint message, so the step of the checkpoint is computed from
    the batches of the previous epoch.
    """

    tag = "Keras"
    marks = (b"/step", b"- loss: ", b"ETA: ", b"ving model to ", b"poch ")

    def __init__(self) -> None:
        self._total: int | None = None  # batches of the current epoch; None before its first bar
        self._is_full = False
        self._batches: int | None = None  # batches of the last epoch with a known total

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        if (epoch := _EPOCH.match(line)) is not None:
            self._total, self._is_full = None, False
            yield EpochStarted(offset=offset, epoch=int(epoch[1]), total_epochs=int(epoch[2]))
        elif (saved := _SAVED.match(line)) is not None:
            step = None if self._total is not None or self._batches is None else int(saved[1]) * self._batches
            yield CheckpointSaved(offset=offset, path=saved[2].rstrip(), step=step)
        elif (bar := _BATCHES.match(line)) is not None:
            progress = _keras_progress(line, bar, offset)
            if not self._is_evaluation(progress):
                yield progress

    def memory(self) -> list[Any]:
        return [self._total, self._is_full, self._batches]

    def remember(self, memory: list[Any]) -> None:
        self._total, self._is_full = memory[:2]
        self._batches = memory[2] if len(memory) > 2 else None  # not saved by an earlier version

    def _is_evaluation(self, progress: EpochProgress) -> bool:
        if self._is_full and (progress.total != self._total or progress.done != self._total):
            return True
        self._total = self._batches = progress.total
        self._is_full = progress.total is not None and (progress.done or 0) >= progress.total
        return False


def _keras_progress(line: str, bar: re.Match[str], offset: int) -> EpochProgress:
    done, total = int(bar[1]), parse_count(bar[2])
    seconds = parse_duration(bar[3]) if ":" in bar[3] else parse_number(bar[3])
    values = {}
    for part in line[bar.end() :].split(" - "):
        match = _NAME_AND_VALUE.fullmatch(part.strip().removeprefix("- "))
        if match is not None:
            values[match[1]] = match[2]
    is_full = total is None or done >= total
    return EpochProgress(
        offset=offset,
        done=done,
        total=total,
        elapsed_seconds=seconds if is_full else None,
        seconds_left=0.0 if is_full else seconds,
        metrics=numeric_metrics(values),
    )


def is_keras_line(line: str) -> bool:
    """Returns whether Keras printed the line, of a training or an evaluation."""
    return _BATCHES.match(line) is not None
