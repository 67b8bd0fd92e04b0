"""Reads the tables of ultralytics: one row per epoch, with the column names in the row above.

`      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size`
`        1/2         0G      4.486      2.623      2.701          4         64: 100% ━━━━━━━━━━━━ 2/2 3.8it/s 0.5s`
`                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100% ━━━━ 1/1 6.3it/s 0.2s`
`                   all          4         17      0.639      0.558      0.682      0.467`

YOLOv5 and YOLOv7 have the same table, but count epochs from 0 and name the last one: `0/2` is the first of three. Their
older versions print `gpu_mem`, `Targets` or `Labels`, and `total` for the sum of the losses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from backprop_tui.readers.events import EpochProgress, Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.printed_numbers import parse_duration, parse_number
from backprop_tui.readers.training_keys import numeric_metrics

MAX_COLUMNS = 40

_HEADER = lazy_compile(r"\s*Epoch\s+(GPU|gpu)_mem\s+(\S.{0,1000})$")
_ROW = lazy_compile(
    r"\s*(\d{1,7})/(\d{1,7})\s+[\d.]{1,12}G\s+([^:]{1,1000}):\s*\d{1,3}%[|\s].{0,80}?\s(\d{1,9})/(\d{1,9})(?=[\s\[]|$)(.{0,80})"
)
_CLASSES = lazy_compile(r"\s*Class\s+Images\s+(?:Instances|Targets|Labels)\s+(\S.{0,1000}?)(?::\s|$)")
_ALL_CLASSES = lazy_compile(r"\s*all\s+\d[\d.e+]{0,12}\s+\d[\d.e+]{0,12}\s+(\S.{0,1000})$")
_ELAPSED_AND_LEFT = lazy_compile(r"([\d.:]{1,12})s?<([\d.:]{1,12})")
_NOT_METRICS = frozenset(("Instances", "Size", "labels", "targets", "img_size"))


class Ultralytics:
    """Remembers the column names of the last training and evaluation header."""

    tag = "Ultralytics"
    marks = (b"Instances", b"poch ", b"mAP@", b"% \xe2", b"%|", b"ll  ")

    def __init__(self) -> None:
        self._columns: Sequence[str] = ()
        self._evaluation_columns: Sequence[str] = ()
        self._first_epoch = 1

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        if (header := _HEADER.match(line)) is not None:
            self._columns = header[2].split()[:MAX_COLUMNS]
            if header[1] == "gpu":
                self._first_epoch = 0
        elif (classes := _CLASSES.match(line)) is not None:
            self._evaluation_columns = _full_column_names(classes[1].split()[:MAX_COLUMNS])
        elif self._columns and (row := _ROW.match(line)) is not None:
            yield self._row_progress(row, offset)
        elif self._evaluation_columns and (all_classes := _ALL_CLASSES.match(line)) is not None:
            metrics = numeric_metrics(dict(zip(self._evaluation_columns, all_classes[1].split(), strict=False)))
            if metrics:
                yield Progress(offset=offset, metrics=metrics)

    def memory(self) -> list[Any]:
        return [list(self._columns), list(self._evaluation_columns), self._first_epoch]

    def remember(self, memory: list[Any]) -> None:
        columns, evaluation_columns, *rest = memory
        self._first_epoch = int(rest[0]) if rest else 1  # not saved by an earlier version
        self._columns = [str(name) for name in columns]
        self._evaluation_columns = [str(name) for name in evaluation_columns]

    def remember_previous_start(self, memory: list[Any]) -> None:
        """Restores what also holds for another start of the script: the number of its first epoch."""
        self._first_epoch = int(memory[2])

    def _row_progress(self, row: re.Match[str], offset: int) -> EpochProgress:
        times = _ELAPSED_AND_LEFT.search(row[6])
        values = dict(zip(self._columns, row[3].split(), strict=False))
        if row[1] == "0":
            self._first_epoch = 0
        return EpochProgress(
            offset=offset,
            done=int(row[4]),
            total=int(row[5]),
            epoch=int(row[1]),
            first_epoch=self._first_epoch,
            total_epochs=int(row[2]) + 1 - self._first_epoch,
            elapsed_seconds=None if times is None else _seconds(times[1]),
            seconds_left=None if times is None else _seconds(times[2]),
            metrics=numeric_metrics(values, exclude=_NOT_METRICS),
        )


def _full_column_names(columns: Sequence[str]) -> list[str]:
    """Expands `Box(P R mAP50 mAP50-95) Mask(P R` to Box(P), Box(R), ..., Mask(P), Mask(R)."""
    names: list[str] = []
    group = ""
    for column in columns:
        prefix, parenthesis, name = column.partition("(")
        if parenthesis:
            group = prefix
        name = (name if parenthesis else column).rstrip(")")
        names.append(f"{group}({name})" if group else name)
    return names


def _seconds(text: str) -> float | None:
    return parse_duration(text) if ":" in text else parse_number(text)
