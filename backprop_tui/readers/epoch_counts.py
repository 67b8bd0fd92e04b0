"""Turns counts that restart in each epoch into steps of the whole training, and recognizes those that do not restart.

A count under an announced epoch, or beside one (`epoch 1/10 step 11/200`), may be within that epoch or of the whole
training. What decides:

* A count that continues where it was when the epoch changed is of the whole training, one that fell back is not.
* The announced number of steps, and the share of them that can belong to the epochs so far.
* A bar that restarts at 0 after an epoch was announced counts within it.

Until that is decided the count is the step, which is right in the first epoch, and there is no total.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.training_totals import Totals

COUNTS_IN_MEMORY = 9  # at least
_SIMILAR = 0.5  # a count of less than this share of the epoch's steps is of something else, such as an evaluation


class EpochCounts:
    """The counts of one log in order. `announced` are the totals that lines or the command line name."""

    def __init__(self, announced: Totals) -> None:
        self.announced = announced
        self._index: int | None = None  # how many epochs were completed before the current one
        self._before: int | None = 0  # steps in those epochs; None if unknown
        self._done = 0
        self._total: int | None = None
        self._zero_total: int | None = None  # total of a bar drawn at 0 since the epoch was announced
        self._whole_total: int | None = None  # what a count of the whole training counts to
        self._restarts = False  # whether counts are known to restart
        self.is_of_something_else = False  # whether the last count was, such as that of an evaluation
        self._begins_at_zero = False  # whether such a bar was drawn at 0 since its last count

    def memory(self) -> list[Any]:
        counts = [self._index, self._before, self._done, self._total]
        return [
            *counts,
            self._zero_total,
            self._whole_total,
            self._restarts,
            self.announced.steps,
            self.announced.epochs,
            self._begins_at_zero,
        ]

    def remember(self, memory: list[Any]) -> None:
        self._index, self._before, self._done, self._total, *rest = memory
        self._zero_total, self._whole_total, self._restarts, steps, epochs, *later = rest
        self._begins_at_zero = bool(later and later[0])  # not saved by an earlier version
        self.announced = replace(self.announced, steps=steps, epochs=epochs)

    def remember_previous_start(self, memory: list[Any]) -> None:
        """Restores what also applies to another start of the same script."""
        self._whole_total, self._restarts = memory[5], memory[6] is True

    def start_epoch(self) -> None:
        self._zero_total = None

    def note_zero(self, total: int | None) -> None:
        """Records that a bar was drawn with a count of 0."""
        self._zero_total = total
        self._begins_at_zero = total is not None and total == self._total

    def place(
        self, index: int | None, done: int, total: int | None, *, epochs: int | None, within_epoch: bool
    ) -> tuple[int | None, int | None]:
        """Returns the step of the whole training and the total number of steps, each None if it is unknown.

        `index` is how many epochs were completed, None if no epoch is named: each fall of the count begins one then.
        `within_epoch`: the format says that it counts within the epoch, and is believed until that proves to be wrong.
        """
        is_named = index is not None
        # A bar that restarts counts within its epoch, unless it later continues across epochs.
        within_epoch = within_epoch or (is_named and total is not None and total == self._zero_total)
        if index is None:
            index = self._unnamed_index(done, total)
        self.is_of_something_else = index is not None and self._is_smaller(index, total)
        if index is None or self.is_of_something_else:
            return None, None
        self._move_to(index, done, total)
        if self._counts_whole_training(index, done, total, epochs, is_named=is_named, within_epoch=within_epoch):
            return done, total
        if not is_named and not self._restarts and epochs is None:
            return done, None if self.announced.has_epochs else total  # as far as is known there is one epoch
        if not (within_epoch or self._restarts or total is None or epochs == 1):
            return done, None
        if self._before is None:
            return None, None
        if total is None or epochs is None or epochs <= index:
            return self._before + done, None
        return self._before + done, self._before + (epochs - index) * total

    def _unnamed_index(self, done: int, total: int | None) -> int | None:
        """Returns the index of the epoch that a count without one belongs to."""
        if self._index is None:
            return 0
        if not self._falls(done):
            return self._index
        if total is not None and self._total is not None and total < self._total * _SIMILAR:
            return self._index
        return self._index + 1

    def _is_smaller(self, index: int, total: int | None) -> bool:
        known = self._total
        return index == self._index and total is not None and known is not None and total < known

    def _move_to(self, index: int, done: int, total: int | None) -> None:
        if index == self._index:
            self._restarts |= self._falls(done)  # the same epoch begins again
            done = done if self._falls(done) else max(done, self._done)
        elif self._index is not None and index == self._index + 1:
            continues = total is not None and total == self._total and self._done < done and self._done < total
            if continues and not self._restarts:
                self._whole_total = total
            elif self._falls(done) or self._done == self._total:
                self._restarts, self._whole_total = True, None
            length = self._done if self._total is None else self._total
            self._before = None if self._before is None else self._before + length
        else:
            self._before = index * total if total is not None else None if index else 0
        self._index, self._done, self._total, self._begins_at_zero = index, done, total, False

    def _falls(self, done: int) -> bool:
        """Whether the count began again; several processes that print side by side differ a little."""
        if self._begins_at_zero and done < self._done == self._total:
            return True
        return done * 2 <= self._done and (self._done - done > 2 or self._done == self._total)

    def _counts_whole_training(
        self, index: int, done: int, total: int | None, epochs: int | None, *, is_named: bool, within_epoch: bool
    ) -> bool:
        """Whether the count is of the whole training; notes if that is ruled out."""
        if total is None:
            return False
        if total == self._whole_total:
            return True
        if total == self.announced.steps and epochs != 1 and not self._restarts:
            return True
        if self._restarts or within_epoch or not is_named:
            return False
        if epochs is not None and total * epochs == self.announced.steps:
            self._restarts = True
        elif epochs is not None and epochs > 1:
            # In this epoch a count of the whole training is between these two.
            least, most = index * total // epochs, -(-(index + 1) * total // epochs)
            if not least <= done <= most:
                self._restarts = True
            elif index > 0 and done > 0:
                return True
        return False
