"""Reads the CSV files of Lightning's and Keras' CSV loggers and of ultralytics: one row per step or epoch.

`epoch,step,train_loss` (metrics.csv), `epoch,loss,val_loss`, `epoch,time,train/box_loss` (results.csv). Any table is
accepted whose header has a step or epoch column and a known metric.
"""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.readers.events import Progress
from backprop_tui.readers.lines import LineSplitter
from backprop_tui.readers.printed_numbers import as_count, parse_number
from backprop_tui.readers.training_keys import as_epoch, is_known_metric, numeric_metrics

MAX_COLUMNS = 256
STEP_COLUMNS = ("step", "global_step", "iteration", "iter")
EPOCH_COLUMN = "epoch"
NO_METRICS = ("hp_metric", "total_flos")


class CsvLog:
    """Reads a growing table in chunks.

    `is_another` is set when a row does not have the columns of the header: the file was rewritten and must be read
    again from the start.
    """

    __slots__ = ("_columns", "_is_log", "_splitter", "is_another")

    def __init__(self) -> None:
        self._splitter = LineSplitter()
        self._columns: Sequence[str] = ()
        self.is_another = False
        self._is_log = True  # until the header shows that it is not a training log

    def feed(self, chunk: bytes) -> list[Progress]:
        """Returns the rows that end within the chunk; cells without a number are skipped."""
        block = self._splitter.feed(chunk) if self._is_log else None
        if block is None:
            return []
        rows: list[Progress] = []
        for line, _ in block.lines():
            cells = [cell.strip() for cell in line.decode("utf-8", "replace").strip("\ufeff\r\n").split(",")]
            if not self._columns:
                self._set_header(cells)
            elif (row := self._row(cells)) is not None:
                rows.append(row)
        return rows

    def pass_over(self, most: int) -> int:
        """How many of the next bytes to skip, at most `most`: all of them if the table is not a training log."""
        return 0 if self._is_log else max(0, most)

    def _set_header(self, columns: Sequence[str]) -> None:
        has_position = not {EPOCH_COLUMN, *STEP_COLUMNS}.isdisjoint(columns)
        self._is_log = len(columns) <= MAX_COLUMNS and has_position and any(map(is_known_metric, columns))
        self._columns = columns

    def _row(self, cells: Sequence[str]) -> Progress | None:
        if len(cells) != len(self._columns):
            self.is_another = self._is_log
        if not self._is_log or self.is_another:
            return None
        numbers = {name: parse_number(cell) for name, cell in zip(self._columns, cells, strict=True)}
        steps = (as_count(numbers.get(name)) for name in STEP_COLUMNS)
        step = next((step for step in steps if step is not None), None)
        epoch = as_epoch(numbers.get(EPOCH_COLUMN))
        metrics = numeric_metrics(numbers, exclude=(EPOCH_COLUMN, *STEP_COLUMNS, *NO_METRICS))
        return Progress(offset=0, step=step, epoch=epoch, metrics=metrics) if metrics else None
