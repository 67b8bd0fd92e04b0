"""Reads what Keras prints, verbose 1 (a bar that is drawn over itself) and verbose 2 (a line an epoch).

`Epoch 1/3`, then `16/16 - 0s - 9ms/step - loss: 1.0921 - val_loss: 0.7718`, then perhaps
`Epoch 1: val_loss improved from None to 0.77180, saving model to ck.keras`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from backprop_tui.readers.lazily import compiled
from backprop_tui.readers.printed_numbers import counted, duration_seconds, number
from backprop_tui.readers.training_keys import figures_of_training
from backprop_tui.readers.values import CheckpointSaved, EpochBegins, InEpoch, Printed

_EPOCH = compiled(r"\s*Epoch (\d{1,7})/(\d{1,7})\s*$")
_BATCHES = compiled(
    r"\s*(\d{1,12})/(\d{1,12}|Unknown)\s*(?:\[[=>.]{0,60}\] - |[━\s]{1,60}|- )(?:ETA: )?([\d:]{1,12})s?[ -]"
)
_FIGURE = compiled(r"([^\s:][^:]{0,119}): (\S{1,64})\s*")
_SAVED = compiled(r"Epoch (\d{1,7}): (?:.{1,300}, )?(?:finished )?saving model to (\S.{0,4095})$")


class Keras:
    """The reader of Keras; knows the epoch's batches, since an evaluation afterwards looks the same.

    With verbose 2 the line of an epoch comes after what is saved at its end: the batches of the epoch before tell the
    step of that.
    """

    marks = (b"/step", b"ETA: ", b"ving model to ", b"poch ")

    def __init__(self) -> None:
        self._of: int | None = None  # batches of the epoch that a line named; None before the first bar of it
        self._is_full = False
        self._batches: int | None = None  # of the newest epoch that told them

    def read(self, line: str, offset: int) -> Iterator[Printed]:
        """The begin of an epoch, its bar, or a checkpoint."""
        if (epoch := _EPOCH.match(line)) is not None:
            self._of, self._is_full = None, False
            yield EpochBegins(offset=offset, epoch=int(epoch[1]), total_epochs=int(epoch[2]), first_epoch=1)
        elif (saved := _SAVED.match(line)) is not None:
            step = None if self._of is not None or self._batches is None else int(saved[1]) * self._batches
            yield CheckpointSaved(offset=offset, path=saved[2].rstrip(), step=step)
        elif (bar := _BATCHES.match(line)) is not None:
            place = _place(line, bar, offset)
            if not self._is_of_evaluation(place):
                yield place

    def memory(self) -> list[Any]:
        """Everything it keeps."""
        return [self._of, self._is_full, self._batches]

    def remember(self, memory: list[Any]) -> None:
        """Becomes what another one was."""
        self._of, self._is_full = memory[:2]
        self._batches = memory[2] if len(memory) > 2 else None  # an earlier version kept none

    def _is_of_evaluation(self, place: InEpoch) -> bool:
        if self._is_full and (place.of != self._of or place.done != self._of):
            return True
        self._of = self._batches = place.of
        self._is_full = place.of is not None and place.done >= place.of
        return False


def _place(line: str, bar: re.Match[str], offset: int) -> InEpoch:
    done, of = int(bar[1]), counted(bar[2])
    seconds = duration_seconds(bar[3]) if ":" in bar[3] else number(bar[3])
    figures = {}
    for part in line[bar.end() :].split(" - "):
        figure = _FIGURE.fullmatch(part.strip().removeprefix("- "))
        if figure is not None:
            figures[figure[1]] = figure[2]
    is_full = of is None or done >= of
    return InEpoch(
        offset=offset,
        done=done,
        of=of,
        elapsed_seconds=seconds if is_full else None,
        seconds_left=0.0 if is_full else seconds,
        metrics=figures_of_training(figures),
    )
