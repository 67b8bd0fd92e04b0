"""Reads what fairseq prints in its `simple` format.

`| INFO | train_inner | epoch 001:    100 / 487 loss=4.655, num_updates=100`, at the end of an epoch
`| INFO | train | epoch 001 | loss 4.5 | num_updates 487` and
`| INFO | valid | epoch 001 | valid on 'valid' subset | loss 4.1 | num_updates 487`, and
`Saved checkpoint P (epoch 1 @ 1000 updates, score 4.1)`.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.lazily import compiled
from backprop_tui.readers.prefixes import after_prefix
from backprop_tui.readers.printed_numbers import number, step_count
from backprop_tui.readers.training_keys import figures_of_training
from backprop_tui.readers.values import CheckpointSaved, Printed, Progress

_INNER = compiled(r"epoch (\d{1,9}): +(\d{1,12}) / (\d{1,12}) ")
_SUMMARY = compiled(r"\| (train|valid)(?: \| )?.{0,40}?\bepoch (\d{1,9}) \| ")
_SAVED = compiled(r"Saved checkpoint (\S.{0,4095}?) \(epoch \d{1,9} @ (\d{1,15}) updates")
_UPDATES = "num_updates"


class Fairseq:
    """The reader of fairseq; keeps nothing between lines."""

    marks = (b"m_updates", b"heckpoint ")

    def read(self, line: str, offset: int) -> Iterator[Printed]:
        """The figures of some updates or of an epoch, or a checkpoint."""
        message = after_prefix(line)
        if (saved := _SAVED.match(line, message)) is not None:
            yield CheckpointSaved(offset=offset, path=saved[1], step=int(saved[2]))
        elif (inner := _INNER.match(line, message)) is not None:
            pairs = (part.strip().partition("=") for part in line[inner.end() :].split(","))
            yield from _told({name: value for name, _, value in pairs}, int(inner[1]), offset)
        elif (summary := _SUMMARY.search(line)) is not None:
            parts = (part.strip().rpartition(" ") for part in line[summary.end() :].split("|"))
            figures = {name: value for name, _, value in parts if " " not in name}
            yield from _told(figures, int(summary[2]), offset, "valid " if summary[1] == "valid" else "")


def _told(figures: dict[str, str], epoch: int, offset: int, kind: str = "") -> Iterator[Progress]:
    step = step_count(number(figures.pop(_UPDATES, None)))
    metrics = {f"{kind}{name}": value for name, value in figures_of_training(figures).items()}
    if step is not None and metrics:
        yield Progress(offset=offset, step=step, epoch=float(epoch), metrics=metrics)
