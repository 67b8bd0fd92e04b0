"""Reads a run's log as it grows: metrics go into metrics.jsonl, progress and checkpoints to the guardian."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.training_totals import Totals
from backprop_tui.readers.checkpoint_messages import CheckpointMessages
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.registry import READERS
from backprop_tui.readers.user_patterns import RegexTimeout, UserPatterns
from backprop_tui.runner.curve_names import CurveNames
from backprop_tui.runner.own_output import FetchedTail
from backprop_tui.store.fields import JsonObject, encode_metrics
from backprop_tui.store.files import append_line, dump, open_file, storage
from backprop_tui.store.metrics import SKIPPED, MetricsCondenser
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail, Tail, size_of

MAX_NAMES = 1024  # metrics that have a watermark
NEWEST_BYTES = 16 << 20  # some hundred thousand lines: a quarter of a second, and one chunk of them in memory
SAME_EPOCH = 1.001  # a printed epoch is rounded to four digits
REGEX_SECONDS = 0.25  # CPU time that a pattern may use for REGEX_LINES lines
REGEX_LINES = 1000
CHUNK_BYTES = 1 << 20
# The guardian's other work waits for a chunk. How many lines it has, and what they cost, is the script's choice, so a
# chunk becomes larger or smaller until it takes about this long to read and record.
CHUNK_SECONDS = 0.02
MIN_CHUNK_BYTES, MAX_CHUNK_BYTES = 1 << 12, 1 << 16
# If a script prints faster than its log can be read, the reader skips to near its end.
MAX_BACKLOG_BYTES = 64 << 20
SKIP_TO_BYTES = 8 << 20
# Of what is skipped, the newest checkpoints are looked for.
SEARCHED_BYTES = 1 << 18
MAX_SEARCHED = 20
SEARCH_SECONDS = 0.2
MAX_PENDING_LINES = 10_000


class MetricWatermarks:
    """The last step and epoch at which each metric was reported, each None if it is unknown.

    With them, metrics that a script both prints and writes to a file count once.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[int | None, float | None]] = {}

    @classmethod
    def read(cls, directory: RunDirectory, *, up_to: int | None = None) -> MetricWatermarks:
        """The watermarks of metrics.jsonl; steps beyond `up_to`, from which a run is resumed, count as not reported."""
        watermarks = cls()
        for line in newest_lines(directory):
            metrics, step, epoch = line.get("metrics"), line.get("step"), line.get("epoch")
            if isinstance(metrics, dict):
                known_step = step if isinstance(step, int) else None
                known_step = known_step if known_step is None or up_to is None else min(known_step, up_to)
                watermarks.advance(metrics, known_step, epoch if isinstance(epoch, float) else None)
        return watermarks

    def advance(self, names: Iterable[str], step: int | None, epoch: float | None) -> None:
        for name in names:
            if name in self._last or len(self._last) < MAX_NAMES:
                self._last[name] = step, epoch

    def beyond(self, value: Progress) -> Progress:
        """The value with only those metrics that are beyond their watermark."""
        metrics = {name: metric for name, metric in value.metrics.items() if self._is_beyond(name, value)}
        return replace(value, metrics=metrics)

    def _is_beyond(self, name: str, value: Progress) -> bool:
        last = self._last.get(name)
        if last is None:
            return True
        step, epoch = last
        if step is not None:
            # A table without steps repeats what the log reported with steps.
            return value.step is not None and value.step > step
        if epoch is not None and value.epoch is not None:
            return value.epoch > epoch * SAME_EPOCH
        return epoch is not None and value.epoch is None


def newest_lines(directory: RunDirectory) -> Iterator[JsonObject]:
    """The lines of metrics.jsonl, oldest first; only the last ones of a very long file."""
    path = directory.metrics_path
    with storage(path):
        tail = JsonTail(path, last_bytes=NEWEST_BYTES)
        tail.look()
        for lines in tail.chunks():
            yield from lines


class RegexLimit:
    """Limits the CPU time of a user's regular expressions, so that none can hang a guardian.

    `re` checks for signals while it searches, so a timer's signal handler can end a search by raising an exception.
    Only for the main thread, because only that one handles signals.
    """

    def __init__(self, allowed_seconds: float = REGEX_SECONDS) -> None:
        self._allowed_seconds = allowed_seconds
        self._spent: dict[re.Pattern[str], tuple[float, int]] = {}  # seconds and lines
        self._is_armed = False
        signal.signal(signal.SIGVTALRM, self._on_timer)

    def search(self, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        """Searches; raises RegexTimeout once the pattern has used up its time for the last thousand lines."""
        spent, lines = self._spent.get(pattern, (0.0, 0))
        if lines >= REGEX_LINES:
            spent, lines = 0.0, 0
        started = time.thread_time()
        self._is_armed = True
        signal.setitimer(signal.ITIMER_VIRTUAL, max(0.001, self._allowed_seconds - spent))
        try:
            match = pattern.search(line)
        finally:
            self._is_armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        spent += time.thread_time() - started
        if spent > self._allowed_seconds:
            raise RegexTimeout
        self._spent[pattern] = spent, lines + 1
        return match

    def _on_timer(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_armed:
            raise RegexTimeout


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A part of a log that was not read, and the checkpoints announced there."""

    start: int
    end: int
    checkpoints: tuple[CheckpointSaved, ...]

    @property
    def message(self) -> str:
        size = f"{(self.end - self.start) / 1e6:,.1f} MB"
        return f"{size} of output were not read, because the script printed too fast: figures printed there are missing"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LogPosition:
    """Where to continue reading a log.

    Metrics before `metrics_from` are in metrics.jsonl already, checkpoints before `announced_from` are recorded.
    `memory` is the reader's state at `offset`; `previous_state` is the state of the reader of an earlier attempt.
    """

    offset: int = 0
    generation: int = 0
    metrics_from: int = 0
    announced_from: int = 0
    watermarks: MetricWatermarks | None = None  # of the metrics in metrics.jsonl
    memory: Mapping[str, Any] | None = None
    previous_state: Mapping[str, Any] | None = None


class LogFollower:
    """Follows one log from an offset; `generation` counts how often the log was truncated."""

    def __init__(
        self,
        directory: RunDirectory,
        start: LogPosition,
        patterns: UserPatterns | None = None,
        totals: Totals | None = None,
        *,
        own_file: FetchedTail | None = None,
    ) -> None:
        """`patterns` take precedence over the formats that are always recognized.

        `totals` are those that the command line names. `own_file` is followed instead of the log: the file
        that the output is redirected to.
        """
        self._totals = totals
        self._directory = directory
        self._patterns = patterns
        self._chunk_bytes = MIN_CHUNK_BYTES
        self._is_chunk_full = False
        self._skipped: list[Skipped] = []
        self._reader = self._reader_at(start.offset, memory=start.memory, previous_state=start.previous_state)
        self._own_file = own_file
        self._tail: Tail | FetchedTail = Tail(directory.log, start.offset) if own_file is None else own_file
        self._metrics_from = start.metrics_from
        self._announced_from = start.announced_from
        self._watermarks = MetricWatermarks() if start.watermarks is None else start.watermarks
        self._names = CurveNames()
        self._condenser = MetricsCondenser(directory.metrics_path)
        self._pending: list[bytes] = []  # lines of metrics.jsonl; they stay pending while the disk is full
        self.generation = start.generation
        self.figures_end: int | None = (
            None  # values beyond this offset were printed by what started after the stop signal
        )

    def follow(self, own_file: FetchedTail, start: LogPosition) -> LogFollower:
        """A follower of the file that the output is redirected to, for the same metrics."""
        position = replace(start, watermarks=self._watermarks)
        follower = LogFollower(self._directory, position, self._patterns, self._totals, own_file=own_file)
        follower._names, follower._condenser = self._names, self._condenser
        return follower

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
            self.generation += 1
            self._reader = self._reader_at(0)
            self._metrics_from = self._announced_from = 0
        if unread <= 0:
            self._is_chunk_full = False
            return (), False
        if unread > MAX_BACKLOG_BYTES:
            self.skip(SKIP_TO_BYTES)
        chunk = tail.chunk(self._chunk_bytes)
        self._is_chunk_full = len(chunk) == self._chunk_bytes
        values = self._reader.feed(chunk)
        return self._record(values, time), bool(chunk) and tail.offset < tail.size

    def note_cost(self, seconds: float) -> None:
        """Says what the last chunk cost, so that the next one costs about CHUNK_SECONDS."""
        if seconds > 2 * CHUNK_SECONDS:
            self._chunk_bytes = max(MIN_CHUNK_BYTES, self._chunk_bytes // 2)
        elif seconds < CHUNK_SECONDS / 2 and self._is_chunk_full:
            self._chunk_bytes = min(MAX_CHUNK_BYTES, self._chunk_bytes * 2)

    def skip(self, left_bytes: int) -> None:
        """Goes on so many bytes before the end of the log; `take_skipped` says what was not read."""
        tail, start = self._tail, self._tail.offset
        end = tail.size - left_bytes
        if end <= start:
            return
        checkpoints = _checkpoints_between(tail, start, end) if isinstance(tail, Tail) else ()
        self._reader = self._reader_at(end, memory=self._reader.memory())
        tail.offset = end
        line: dict[str, Any] = {
            "time": iso(time.time()),
            "step": None,
            "epoch": None,
            "metrics": {},
            SKIPPED: end - start,
        }
        self._queue({**line, "offset": end, "generation": self.generation})
        self._skipped.append(Skipped(start=start, end=end, checkpoints=checkpoints))

    def take_skipped(self) -> Sequence[Skipped]:
        """The parts that were skipped, each once."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def finish(self, time: float) -> Sequence[Progress | CheckpointSaved]:
        """Reads the last line of a log that was read to its end, if it has no line end."""
        return self._record(self._reader.finish(), time)

    def take_switched_off(self) -> Sequence[str]:
        """The user's patterns that were switched off because they take too long, each once."""
        return () if self._patterns is None else self._patterns.take_switched_off()

    def _reader_at(
        self, offset: int, *, memory: Mapping[str, Any] | None = None, previous_state: Mapping[str, Any] | None = None
    ) -> LogReader:
        patterns = self._patterns
        readers = READERS if patterns is None else (lambda: patterns, *READERS)
        return LogReader(offset, readers=readers, memory=memory, previous_state=previous_state, totals=self._totals)

    def _record(
        self, values: Sequence[Progress | CheckpointSaved], time: float
    ) -> Sequence[Progress | CheckpointSaved]:
        """Queues new metrics for metrics.jsonl; returns the values without checkpoints that are recorded already."""
        if self.figures_end is not None:
            values = [value for value in values if value.offset <= self.figures_end]
        stamp = iso(time)
        for value in values:
            if isinstance(value, Progress) and value.metrics and value.offset > self._metrics_from:
                self._names.note(value)
                self._queue_line(value, stamp, offset=value.offset, generation=self.generation)
        return [value for value in values if isinstance(value, Progress) or value.offset > self._announced_from]

    def add_from_files(self, values: Iterable[Progress], time: float, *, is_last: bool = False) -> list[Progress]:
        """Queues metrics from other files of the script; returns the values with the metrics that are new."""
        new_values: list[Progress] = []
        stamp = iso(time)
        for value in self._names.rename(values, is_last=is_last):
            new_value = self._watermarks.beyond(value)
            if new_value.metrics:
                self._queue_line(new_value, stamp)
            if new_value.metrics or not value.metrics:
                new_values.append(new_value)
        return new_values

    def _queue_line(
        self, value: Progress, stamp: str | None, *, offset: int | None = None, generation: int | None = None
    ) -> None:
        line = {"time": stamp, "step": value.step, "epoch": value.epoch, "metrics": encode_metrics(value.metrics)}
        self._queue({**line, "offset": offset, "generation": generation})
        self._watermarks.advance(value.metrics, value.step, value.epoch)

    def _queue(self, line: dict[str, Any]) -> None:
        if self._own_file is not None:
            line["file"] = self._own_file.path
        self._pending.append(dump(line))
        del self._pending[:-MAX_PENDING_LINES]

    def write_metrics(self) -> None:
        """Writes the pending lines; if it raises StorageFailed they stay pending."""
        if not self._pending:
            return
        path, lines = self._directory.metrics_path, b"\n".join(self._pending)
        size = size_of(path)
        try:
            append_line(path, lines)
        except StorageFailed:
            if size_of(path) > size:
                os.truncate(path, size)
            raise
        self._pending.clear()
        self._condenser.update(size + len(lines))


def _checkpoints_between(tail: Tail, start: int, end: int) -> tuple[CheckpointSaved, ...]:
    """The newest checkpoints that a part of a log announces, as far as they are found quickly; oldest first."""
    checkpoints: list[CheckpointSaved] = []
    give_up_at = time.monotonic() + SEARCH_SECONDS
    while start < end and len(checkpoints) < MAX_SEARCHED and time.monotonic() < give_up_at:
        begin = max(start, end - SEARCHED_BYTES)
        tail.offset = begin
        events = LogReader(begin, readers=(CheckpointMessages,)).feed(tail.chunk(end - begin))
        checkpoints[:0] = [event for event in events if isinstance(event, CheckpointSaved)][-MAX_SEARCHED:]
        end = begin
    return tuple(checkpoints[-MAX_SEARCHED:])


def recover_offset(directory: RunDirectory, generation: int, own_file: str | None = None) -> int:
    """The offset in the log, or in `own_file`, up to which metrics.jsonl is written; 0 if it is empty.

    Also cuts an incomplete last line, which a killed guardian may leave.
    """
    cut_torn_line(directory.metrics_path)
    lines = (line for line in newest_lines(directory) if line.get("file") == own_file)
    offsets = (line.get("offset") for line in lines if line.get("generation") == generation)
    return max((offset for offset in offsets if isinstance(offset, int)), default=0)


def cut_torn_line(path: str) -> None:
    """Cuts everything behind the last line end."""
    try:
        with open(open_file(path, os.O_RDWR), "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - CHUNK_BYTES))
            start = file.tell()
            tail = file.read()
            whole = tail.rfind(b"\n") + 1
            if whole < len(tail) and (whole or start == 0):
                file.truncate(start + whole)
    except FileNotFoundError:
        return
