"""Reads a run's log as it grows: metrics go into metrics.jsonl, progress and checkpoints to the guardian."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.registry import READERS
from backprop_tui.readers.user_patterns import UserPatterns
from backprop_tui.runner.metric_watermarks import MetricWatermarks, newest_lines
from backprop_tui.store.fields import encode_metrics
from backprop_tui.store.files import append_line, dump
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import Tail, size_of

CHUNK_BYTES = 1 << 20
PATTERNS_CHUNK_BYTES = 1 << 16  # the user's patterns may be slow, and the guardian's other work waits for a chunk
# If a script prints faster than its log can be read, the reader skips to near its end.
LONGEST_BACKLOG_BYTES = 64 << 20
SKIP_TO_BYTES = 8 << 20
MOST_PENDING_LINES = 10_000


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LogPosition:
    """Where to continue reading a log.

    Metrics before `metrics_from` are in metrics.jsonl already, checkpoints before `announced_from` are recorded.
    `memory` is the reader's state at `offset`; `habits` is the state of a reader of an earlier attempt.
    """

    offset: int = 0
    generation: int = 0
    metrics_from: int = 0
    announced_from: int = 0
    watermarks: MetricWatermarks | None = None  # of the metrics in metrics.jsonl
    memory: Mapping[str, Any] | None = None
    habits: Mapping[str, Any] | None = None


class LogFollower:
    """Follows one log from an offset; `generation` counts how often the log was truncated."""

    def __init__(self, directory: RunDirectory, start: LogPosition, patterns: UserPatterns | None = None) -> None:
        """`patterns` take precedence over the formats that are always recognised."""
        self._directory = directory
        self._patterns = patterns
        self._chunk_bytes = CHUNK_BYTES if patterns is None else PATTERNS_CHUNK_BYTES
        self._reader = self._reader_at(start.offset, memory=start.memory, habits=start.habits)
        self._tail = Tail(directory.log, start.offset)
        self._metrics_from = start.metrics_from
        self._announced_from = start.announced_from
        self._watermarks = MetricWatermarks() if start.watermarks is None else start.watermarks
        self._pending: list[bytes] = []  # lines of metrics.jsonl; they stay pending while the disk is full
        self.generation = start.generation
        self.skipped_bytes = 0

    @property
    def offset(self) -> int:
        """The end of the last complete line that was read."""
        return self._reader.offset

    @property
    def all_written(self) -> bool:
        """Whether metrics.jsonl contains everything that was read."""
        return not self._pending

    def memory(self) -> Mapping[str, Any]:
        """The reader's state, which matters for the lines after `offset`."""
        return self._reader.memory()

    def read(self, time: float) -> tuple[Sequence[Progress | CheckpointSaved], bool]:
        """Reads the next chunk; returns its values and whether more is waiting. `write_metrics` writes the metrics."""
        tail = self._tail
        unread = tail.look()
        if tail.restarted:
            self._restart()
        if unread <= 0:
            return (), False
        if unread > LONGEST_BACKLOG_BYTES:
            self._skip_to(tail.size - SKIP_TO_BYTES)
        chunk = tail.chunk(self._chunk_bytes)
        values = self._reader.feed(chunk)
        return self._record(values, time), bool(chunk) and tail.offset < tail.size

    def finish(self, time: float) -> Sequence[Progress | CheckpointSaved]:
        """Reads a dead script's log to the end, including a last line without a line end."""
        values: list[Progress | CheckpointSaved] = []
        more = True
        while more:
            chunk_values, more = self.read(time)
            values.extend(chunk_values)
        return (*values, *self._record(self._reader.finish(), time))

    def take_switched_off(self) -> Sequence[str]:
        """The user's patterns that were switched off because they take too long, each once."""
        return () if self._patterns is None else self._patterns.take_switched_off()

    def _reader_at(
        self, offset: int, *, memory: Mapping[str, Any] | None = None, habits: Mapping[str, Any] | None = None
    ) -> LogReader:
        patterns = self._patterns
        readers = READERS if patterns is None else (lambda: patterns, *READERS)
        return LogReader(offset, readers=readers, memory=memory, habits=habits)

    def _restart(self) -> None:
        """Starts from the beginning after the log was truncated."""
        self.generation += 1
        self._reader = self._reader_at(0)
        self._metrics_from = self._announced_from = 0

    def _skip_to(self, offset: int) -> None:
        self.skipped_bytes += offset - self._tail.offset
        self._reader = self._reader_at(offset, memory=self._reader.memory())
        self._tail.offset = offset

    def _record(
        self, values: Sequence[Progress | CheckpointSaved], time: float
    ) -> Sequence[Progress | CheckpointSaved]:
        """Queues new metrics for metrics.jsonl; returns the values without checkpoints that are recorded already."""
        for value in values:
            if isinstance(value, Progress) and value.metrics and value.offset > self._metrics_from:
                self._queue_line(value, time, offset=value.offset, generation=self.generation)
        return [value for value in values if isinstance(value, Progress) or value.offset > self._announced_from]

    def add_from_files(self, values: Iterable[Progress], time: float) -> list[Progress]:
        """Queues metrics from other files of the script; returns the values with the metrics that are new."""
        new_values: list[Progress] = []
        for value in values:
            new_value = self._watermarks.beyond(value)
            if new_value.metrics:
                self._queue_line(new_value, time)
            if new_value.metrics or not value.metrics:
                new_values.append(new_value)
        return new_values

    def _queue_line(
        self, value: Progress, time: float, *, offset: int | None = None, generation: int | None = None
    ) -> None:
        line = {"time": iso(time), "step": value.step, "epoch": value.epoch, "metrics": encode_metrics(value.metrics)}
        self._pending.append(dump({**line, "offset": offset, "generation": generation}))
        self._watermarks.advance(value.metrics, value.step, value.epoch)
        del self._pending[:-MOST_PENDING_LINES]

    def write_metrics(self) -> None:
        """Writes the pending lines.

        Raises:
            StorageFailed: the lines stay pending.
        """
        if not self._pending:
            return
        path = self._directory.metrics_path
        size = size_of(path)
        try:
            append_line(path, b"\n".join(self._pending))
        except StorageFailed:
            if size_of(path) > size:
                os.truncate(path, size)
            raise
        self._pending.clear()


def recover_offset(directory: RunDirectory, generation: int) -> int:
    """The log offset up to which metrics.jsonl is written; 0 where it is empty.

    Also cuts an incomplete last line, which a killed guardian may leave.
    """
    cut_torn_line(directory.metrics_path)
    offsets = (line.get("offset") for line in newest_lines(directory) if line.get("generation") == generation)
    return max((offset for offset in offsets if isinstance(offset, int)), default=0)


def cut_torn_line(path: str) -> None:
    """Cuts everything behind the last line end."""
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
