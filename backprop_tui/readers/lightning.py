"""Reads Lightning's Rich progress bars and checkpoint messages; its tqdm bars are read by `progress_bars`.

`Epoch 4/4 ━━━━━ 16/16 0:00:00 • 0:00:00 47.34it/s v_num: 0.000`, and
`Epoch 0, global step 8: 'val_loss' reached 0.14729 (best 0.14729), saving model to 'a.ckpt' as top 1`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backprop_tui.readers.events import CheckpointSaved, EpochProgress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_count, parse_duration
from backprop_tui.readers.training_keys import numeric_metrics

_RICH_BAR = lazy_compile(
    r"\s*Epoch (\d{1,9})/(\d{1,9})\s+[━╸╺╴ ]+ (\d{1,12})/(\d{1,12})\s+([\d:]+) • ([\d:-]+)\s+[\d.]+it/s(.*)"
)
_RICH_METRIC = lazy_compile(r"\s+([\w./-]{1,120}): (\S{1,64})")
_SAVED = lazy_compile(r"Epoch \d{1,9}, global step (\d{1,15}): .{1,300}, saving model to '([^']{1,4096})' as top \d+")
NOT_METRICS = frozenset(("v_num",))


class Lightning:
    marks = ("• ".encode(), b"l step ")

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        saved = _SAVED.match(line, prefix_end(line))
        if saved is not None:
            yield CheckpointSaved(offset=offset, path=saved[2], step=parse_count(saved[1]))
        elif "━" in line and (match := _RICH_BAR.match(line)) is not None:
            yield EpochProgress(
                offset=offset,
                done=int(match[3]),
                total=int(match[4]),
                epoch=int(match[1]),
                first_epoch=0,
                total_epochs=int(match[2]) + 1,  # "Epoch 4/4" is the fifth of five
                elapsed_seconds=parse_duration(match[5]),
                seconds_left=parse_duration(match[6]),
                metrics=numeric_metrics(dict(_RICH_METRIC.findall(match[7])), exclude=NOT_METRICS),
            )


def drawn_by_lightning(values: Mapping[str, float]) -> bool:
    """Returns whether the values after a bar show that Lightning drew it: the epoch in its label then counts from 0."""
    return "v_num" in values
