"""Reads the `simple` log format of fairseq.

During an epoch `| INFO | train_inner | epoch 001:    100 / 487 loss=4.655, num_updates=100`, at its end
`| INFO | train | epoch 001 | loss 4.5 | num_updates 487` and
`| INFO | valid | epoch 001 | valid on 'valid' subset | loss 4.1 | num_updates 487`, and
`Saved checkpoint P (epoch 1 @ 1000 updates, score 4.1)`.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.events import CheckpointSaved, Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import as_count, parse_number
from backprop_tui.readers.training_keys import numeric_metrics

_INNER = lazy_compile(r"epoch (\d{1,9}): +(\d{1,12}) / (\d{1,12}) ")
_SUMMARY = lazy_compile(r"\| (train|valid)(?: \| )?.{0,40}?\bepoch (\d{1,9}) \| ")
_SAVED = lazy_compile(r"Saved checkpoint (\S.{0,4095}?) \(epoch \d{1,9} @ (\d{1,15}) updates")
_UPDATES = "num_updates"


class Fairseq:
    marks = (b"m_updates", b"heckpoint ")

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        message = prefix_end(line)
        if (saved := _SAVED.match(line, message)) is not None:
            yield CheckpointSaved(offset=offset, path=saved[1], step=int(saved[2]))
        elif (inner := _INNER.match(line, message)) is not None:
            pairs = (part.strip().partition("=") for part in line[inner.end() :].split(","))
            yield from _fairseq_progress({name: value for name, _, value in pairs}, int(inner[1]), offset)
        elif (summary := _SUMMARY.search(line)) is not None:
            parts = (part.strip().rpartition(" ") for part in line[summary.end() :].split("|"))
            values = {name: value for name, _, value in parts if " " not in name}
            prefix = "valid " if summary[1] == "valid" else ""
            yield from _fairseq_progress(values, int(summary[2]), offset, prefix)


def _fairseq_progress(values: dict[str, str], epoch: int, offset: int, prefix: str = "") -> Iterator[Progress]:
    step = as_count(parse_number(values.pop(_UPDATES, None)))
    metrics = {f"{prefix}{name}": value for name, value in numeric_metrics(values).items()}
    if step is not None and metrics:
        yield Progress(offset=offset, step=step, epoch=float(epoch), metrics=metrics)
