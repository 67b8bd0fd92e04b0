"""Reads what ultralytics prints: a row for each epoch, whose columns the row above it names.

`      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size`
`        1/2         0G      4.486      2.623      2.701          4         64: 100% ━━━━━━━━━━━━ 2/2 3.8it/s 0.5s`
`                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100% ━━━━ 1/1 6.3it/s 0.2s`
`                   all          4         17      0.639      0.558      0.682      0.467`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from backprop_tui.readers.lazily import lazy_compile
from backprop_tui.readers.printed_numbers import parse_duration, parse_number
from backprop_tui.readers.training_keys import numeric_metrics
from backprop_tui.readers.values import EpochProgress, ParsedEvent, Progress

MAX_COLUMNS = 40

_HEADER = lazy_compile(r"\s*Epoch\s+GPU_mem\s+(\S.{0,1000})$")
_ROW = lazy_compile(
    r"\s*(\d{1,7})/(\d{1,7})\s+[\d.]{1,12}G\s+([^:]{1,1000}):\s*\d{1,3}%[|\s].{0,80}?\s(\d{1,9})/(\d{1,9})(?=[\s\[]|$)(.{0,80})"
)
_CLASSES = lazy_compile(r"\s*Class\s+Images\s+Instances\s+(\S[^:]{0,1000})")
_ALL = lazy_compile(r"\s*all\s+\d{1,12}\s+\d{1,12}\s+(\S.{0,1000})$")
_TIMES = lazy_compile(r"([\d.:]{1,12})s?<([\d.:]{1,12})")
_NOT_METRICS = frozenset(("Instances", "Size"))


class Ultralytics:
    """The reader of ultralytics; knows the columns that the last header rows named."""

    marks = (b"Instances", b"% \xe2", b"%|", b"all  ")

    def __init__(self) -> None:
        self._columns: Sequence[str] = ()
        self._measures: Sequence[str] = ()

    def read(self, line: str, offset: int) -> Iterator[ParsedEvent]:
        """A row, under the names of its columns."""
        if (header := _HEADER.match(line)) is not None:
            self._columns = header[1].split()[:MAX_COLUMNS]
        elif (classes := _CLASSES.match(line)) is not None:
            self._measures = _named(classes[1].split()[:MAX_COLUMNS])
        elif self._columns and (row := _ROW.match(line)) is not None:
            yield self._place(row, offset)
        elif self._measures and (all_classes := _ALL.match(line)) is not None:
            metrics = numeric_metrics(dict(zip(self._measures, all_classes[1].split(), strict=False)))
            if metrics:
                yield Progress(offset=offset, metrics=metrics)

    def memory(self) -> list[Any]:
        """Everything it keeps."""
        return [list(self._columns), list(self._measures)]

    def remember(self, memory: list[Any]) -> None:
        """Becomes what another one was."""
        columns, measures = memory
        self._columns = [str(name) for name in columns]
        self._measures = [str(name) for name in measures]

    def _place(self, row: re.Match[str], offset: int) -> EpochProgress:
        times = _TIMES.search(row[6])
        figures = dict(zip(self._columns, row[3].split(), strict=False))
        return EpochProgress(
            offset=offset,
            done=int(row[4]),
            total=int(row[5]),
            epoch=int(row[1]),
            first_epoch=1,
            total_epochs=int(row[2]),
            elapsed_seconds=None if times is None else _seconds(times[1]),
            seconds_left=None if times is None else _seconds(times[2]),
            metrics=numeric_metrics(figures, exclude=_NOT_METRICS),
        )


def _named(columns: Sequence[str]) -> list[str]:
    """`Box(P R mAP50 mAP50-95) Mask(P R` in words that say of what: Box(P), Box(R), ..., Mask(P)."""
    names: list[str] = []
    of = ""
    for column in columns:
        before, bracket, name = column.partition("(")
        if bracket:
            of = before
        name = (name if bracket else column).rstrip(")")
        names.append(f"{of}({name})" if of else name)
    return names


def _seconds(printed: str) -> float | None:
    return parse_duration(printed) if ":" in printed else parse_number(printed)
