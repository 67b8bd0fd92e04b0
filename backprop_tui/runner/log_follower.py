"""Reads a run's log as it grows: progress into metrics.jsonl, checkpoints and figures to the guardian."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.times import iso
from backprop_tui.domain.values import dataclass
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.registry import READERS
from backprop_tui.readers.user_patterns import UserPatterns
from backprop_tui.readers.values import CheckpointSaved, Progress
from backprop_tui.runner.told_metrics import MetricWatermarks, newest_lines
from backprop_tui.store.fields import encode_metrics
from backprop_tui.store.files import append_line, dump
from backprop_tui.store.run_directory import RunDirectory

CHUNK_BYTES = 1 << 20
PATTERNS_CHUNK_BYTES = 1 << 16  # patterns of the user's may be slow, and what else the guardian does waits for a chunk
# A script that prints faster than anyone can read it is read again from near its end.
LONGEST_BACKLOG_BYTES = 64 << 20
SKIP_TO_BYTES = 8 << 20
MOST_WAITING_LINES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPosition:
    """Where to go on; what lies before `metrics_from` is in metrics.jsonl already, before `told_from` it is told.

    `memory` is what a reader knew at `offset`; `habits` the memory of one that read an earlier start of the script.
    """

    offset: int = 0
    generation: int = 0
    metrics_from: int = 0
    told_from: int = 0
    told: MetricWatermarks | None = None  # what metrics.jsonl has
    memory: Mapping[str, Any] | None = None
    habits: Mapping[str, Any] | None = None


class LogFollower:
    """Follows one log from an offset; `generation` counts how often the log was found shorter than read."""

    def __init__(self, directory: RunDirectory, begin: LogPosition, patterns: UserPatterns | None = None) -> None:
        """Follows the log of that directory; `patterns` come before what is understood anyway."""
        self._directory = directory
        self._path = directory.log
        self._patterns = patterns
        self._chunk_bytes = CHUNK_BYTES if patterns is None else PATTERNS_CHUNK_BYTES
        self._reader = self._reader_at(begin.offset, memory=begin.memory, habits=begin.habits)
        self._position = begin.offset
        self._metrics_from = begin.metrics_from
        self._told_from = begin.told_from
        self._told = MetricWatermarks() if begin.told is None else begin.told
        self._waiting: list[bytes] = []  # lines of metrics.jsonl; a full disk makes them wait
        self.generation = begin.generation
        self.skipped_bytes = 0

    @property
    def offset(self) -> int:
        """The end of the last whole line that was read."""
        return self._reader.offset

    @property
    def all_written(self) -> bool:
        """Whether metrics.jsonl has everything that was read."""
        return not self._waiting

    def memory(self) -> Mapping[str, Any]:
        """What matters for the lines after `offset`."""
        return self._reader.memory()

    def read(self, time: float) -> tuple[Sequence[Progress | CheckpointSaved], bool]:
        """What the next chunk says, and whether more is waiting; `write_metrics` writes down what it says."""
        size = _size(self._path)
        if size < self._position:
            self._start_again()
        if size == self._position:
            return (), False
        if size - self._position > LONGEST_BACKLOG_BYTES:
            self._skip_to(size - SKIP_TO_BYTES)
        with open(self._path, "rb", buffering=0) as file:
            file.seek(self._position)
            chunk = file.read(self._chunk_bytes) or b""
        self._position += len(chunk)
        values = self._reader.feed(chunk)
        return self._record(values, time), self._position < size

    def finish(self, time: float) -> Sequence[Progress | CheckpointSaved]:
        """Everything up to the end of the log, a last line without an end too; the script is dead."""
        found: list[Progress | CheckpointSaved] = []
        more = True
        while more:
            values, more = self.read(time)
            found.extend(values)
        return (*found, *self._record(self._reader.finish(), time))

    def take_switched_off(self) -> Sequence[str]:
        """The user's patterns that turned out to take too long, each once."""
        return () if self._patterns is None else self._patterns.take_switched_off()

    def _reader_at(
        self, offset: int, *, memory: Mapping[str, Any] | None = None, habits: Mapping[str, Any] | None = None
    ) -> LogReader:
        patterns = self._patterns
        readers = READERS if patterns is None else (lambda: patterns, *READERS)
        return LogReader(offset, readers=readers, memory=memory, habits=habits)

    def _start_again(self) -> None:
        """Somebody truncated the log."""
        self.generation += 1
        self._reader = self._reader_at(0)
        self._position = self._metrics_from = self._told_from = 0

    def _skip_to(self, offset: int) -> None:
        self.skipped_bytes += offset - self._position
        self._reader = self._reader_at(offset, memory=self._reader.memory())
        self._position = offset

    def _record(
        self, values: Sequence[Progress | CheckpointSaved], time: float
    ) -> Sequence[Progress | CheckpointSaved]:
        """Keeps the lines for metrics.jsonl; gives what was not told yet."""
        for value in values:
            if isinstance(value, Progress) and value.metrics and value.offset > self._metrics_from:
                self._write_down(value, time, offset=value.offset, generation=self.generation)
        return [value for value in values if isinstance(value, Progress) or value.offset > self._told_from]

    def take_beside(self, values: Iterable[Progress], time: float) -> list[Progress]:
        """What files of the script say beyond what was told; their lines have no place in the log."""
        told: list[Progress] = []
        for value in values:
            news = self._told.news(value)
            if news.metrics:
                self._write_down(news, time)
            if news.metrics or not value.metrics:
                told.append(news)
        return told

    def _write_down(
        self, value: Progress, time: float, *, offset: int | None = None, generation: int | None = None
    ) -> None:
        line = {"time": iso(time), "step": value.step, "epoch": value.epoch, "metrics": encode_metrics(value.metrics)}
        self._waiting.append(dump({**line, "offset": offset, "generation": generation}))
        self._told.note(value.metrics, value.step, value.epoch)
        del self._waiting[:-MOST_WAITING_LINES]

    def write_metrics(self) -> None:
        """Writes what was read.

        Raises:
            StorageFailed: the lines wait for the next call.
        """
        if not self._waiting:
            return
        path = self._directory.file("metrics.jsonl")
        size = _size(path)
        try:
            append_line(path, b"\n".join(self._waiting))
        except StorageFailed:
            if _size(path) > size:
                os.truncate(path, size)
            raise
        self._waiting.clear()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def recover_offset(directory: RunDirectory, generation: int) -> int:
    """Where metrics.jsonl ends: cuts a torn last line, which a killed runner may leave; 0 when there is nothing."""
    cut_torn_line(directory.file("metrics.jsonl"))
    offsets = (line.get("offset") for line in newest_lines(directory) if line.get("generation") == generation)
    return max((offset for offset in offsets if isinstance(offset, int)), default=0)


def cut_torn_line(path: str) -> None:
    """Cuts what stands behind the last line end."""
    try:
        with open(path, "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - CHUNK_BYTES))
            start = file.tell()
            tail = file.read()
            whole = tail.rfind(b"\n") + 1
            if whole < len(tail) and (whole or start == 0):
                file.truncate(start + whole)
    except FileNotFoundError:
        return
