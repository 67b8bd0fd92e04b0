"""Reads what Lightning prints besides the bars of tqdm: those of Rich, and its checkpoints.

`Epoch 4/4 ━━━━━ 16/16 0:00:00 • 0:00:00 47.34it/s v_num: 0.000`, and
`Epoch 0, global step 8: 'val_loss' reached 0.14729 (best 0.14729), saving model to 'a.ckpt' as top 1`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backprop_tui.readers.lazily import compiled
from backprop_tui.readers.prefixes import after_prefix
from backprop_tui.readers.printed_numbers import counted, duration_seconds
from backprop_tui.readers.training_keys import figures_of_training
from backprop_tui.readers.values import CheckpointSaved, InEpoch, Printed

_RICH = compiled(
    r"\s*Epoch (\d{1,9})/(\d{1,9})\s+[━╸╺╴ ]+ (\d{1,12})/(\d{1,12})\s+([\d:]+) • ([\d:-]+)\s+[\d.]+it/s(.*)"
)
_RICH_FIGURE = compiled(r"\s+([\w./-]{1,120}): (\S{1,64})")
_SAVED = compiled(r"Epoch \d{1,9}, global step (\d{1,15}): .{1,300}, saving model to '([^']{1,4096})' as top \d+")
NO_METRICS = frozenset(("v_num",))


class Lightning:
    """The reader of Lightning; keeps nothing between lines."""

    marks = (b"v_num", b"global step ")

    def read(self, line: str, offset: int) -> Iterator[Printed]:
        """A bar of the training, or a checkpoint."""
        saved = _SAVED.match(line, after_prefix(line))
        if saved is not None:
            yield CheckpointSaved(offset=offset, path=saved[2], step=counted(saved[1]))
        elif "━" in line and (place := _rich(line, offset)) is not None:
            yield place


def is_of_lightning(figures: Mapping[str, float]) -> bool:
    """Whether what stands behind a bar says that Lightning drew it: then the epoch in its label counts from 0."""
    return "v_num" in figures


def _rich(line: str, offset: int) -> InEpoch | None:
    found = _RICH.match(line)
    if found is None:
        return None
    return InEpoch(
        offset=offset,
        done=int(found[3]),
        of=int(found[4]),
        epoch=int(found[1]),
        first_epoch=0,
        total_epochs=int(found[2]) + 1,  # "Epoch 4/4" is the fifth of five
        elapsed_seconds=duration_seconds(found[5]),
        seconds_left=duration_seconds(found[6]),
        metrics=figures_of_training(dict(_RICH_FIGURE.findall(found[7])), leave_out=NO_METRICS),
    )
