"""Reads the tables that Lightning's and Keras' CSV loggers and ultralytics write: a row for each step or epoch.

`epoch,step,train_loss` (metrics.csv), `epoch,loss,val_loss`, `epoch,time,train/box_loss` (results.csv). Any table
counts whose header has a step or an epoch and a measure.
"""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.readers.lines import LineSplitter
from backprop_tui.readers.printed_numbers import parse_number, as_count
from backprop_tui.readers.training_keys import as_epoch, numeric_metrics, is_known_metric
from backprop_tui.readers.values import Progress

MAX_COLUMNS = 256
STEP_COLUMNS = ("step", "global_step", "iteration", "iter")
EPOCH_COLUMN = "epoch"


class CsvLog:
    """Takes a growing table in chunks; knows its header.

    `is_another`: a row has other columns than the header, so the table was written anew and is to be read anew.
    """

    __slots__ = ("_columns", "_is_log", "_splitter", "is_another")

    def __init__(self) -> None:
        self._splitter = LineSplitter()
        self._columns: Sequence[str] = ()
        self.is_another = False
        self._is_log = True  # until its header says otherwise

    def feed(self, chunk: bytes) -> list[Progress]:
        """The rows that end within the chunk, in their order; a cell that is empty or no number says nothing."""
        block = self._splitter.feed(chunk) if self._is_log else None
        if block is None:
            return []
        rows: list[Progress] = []
        for line, _ in block.lines():
            cells = [cell.strip() for cell in line.decode("utf-8", "replace").strip("\ufeff\r\n").split(",")]
            if not self._columns:
                self._begin(cells)
            elif (row := self._row(cells)) is not None:
                rows.append(row)
        return rows

    def pass_over(self, most: int) -> int:
        """How many of the next bytes, `most` at most, say nothing: all where the table is none of a training."""
        return 0 if self._is_log else max(0, most)

    def _begin(self, columns: Sequence[str]) -> None:
        places = {EPOCH_COLUMN, *STEP_COLUMNS}.intersection(columns)
        self._is_log = len(columns) <= MAX_COLUMNS and bool(places) and any(map(is_known_metric, columns))
        self._columns = columns

    def _row(self, cells: Sequence[str]) -> Progress | None:
        if len(cells) != len(self._columns):
            self.is_another = self._is_log
        if not self._is_log or self.is_another:
            return None
        figures = {name: parse_number(cell) for name, cell in zip(self._columns, cells, strict=True)}
        steps = (as_count(figures.get(name)) for name in STEP_COLUMNS)
        step = next((step for step in steps if step is not None), None)
        epoch = as_epoch(figures.get(EPOCH_COLUMN))
        metrics = numeric_metrics(figures, exclude=(EPOCH_COLUMN, *STEP_COLUMNS))
        return Progress(offset=0, step=step, epoch=epoch, metrics=metrics) if metrics else None
