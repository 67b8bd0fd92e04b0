"""The metrics of a run: read from metrics.jsonl as it grows, and condensed into series of bounded size for charts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.metric_series import Bucket, Gap, MetricSeries
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.store.fields import JsonObject, encode_metrics
from backprop_tui.store.files import dump, read_object, storage, write_atomically
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail, open_log

MAX_BUCKETS = 2048  # when reached, pairs are merged
SKIPPED = "skipped_bytes"  # the key of a line that stands for output that was not read
_CROWDED = MAX_BUCKETS * 3 // 4  # if this many are left, buckets on both sides of a gap are merged too
_MAX_GAPS = 64  # then those in the middle are dropped

LARGE_BYTES = 16 << 20  # with more than this unread, samples of the file are shown first
SLICE_BYTES = 8 << 20  # read at a time
CONDENSED_BYTES = 4 << 20  # appended before the series are kept again
_COMPARED_BYTES = 64
_SAMPLE_PARTS, _SAMPLE_BYTES = 1000, 1536

_Point = tuple[float, str, float]  # step, time, value


class MetricsFile:
    """All metrics of a run. Each read takes a slice at most; until a large file is read, samples of it are shown."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tail = JsonTail(path)
        self._builders: dict[str, SeriesBuilder] = {}
        self._is_begun = False
        self._sampled: dict[str, SeriesBuilder] = {}
        self._series: Mapping[str, MetricSeries] = {}

    @property
    def caught_up(self) -> bool:
        """Whether the whole file was read, as far as it was there at the last look."""
        return self._tail.caught_up

    def read(self) -> Mapping[str, MetricSeries]:
        """Returns every metric by name, in order of first appearance."""
        if not self._is_begun:
            self._is_begun = True
            self._builders, self._tail = _condensed(self._path)
        unread = self._tail.look()
        if self._tail.restarted:
            self._builders = {}
        elif not unread:
            return self._series
        if unread > LARGE_BYTES and not self._sampled:
            _add_lines(self._sampled, self._tail.sample(_SAMPLE_PARTS, _SAMPLE_BYTES))
        else:
            for lines in self._tail.chunks(SLICE_BYTES):
                _add_lines(self._builders, lines)
        if self.caught_up:
            self._sampled = {}
        self._series = {name: builder.snapshot() for name, builder in (self._sampled or self._builders).items()}
        return self._series


def read_metrics(directory: RunDirectory) -> Mapping[str, MetricSeries]:
    """Returns every metric of a run; empty if none was printed."""
    builders, tail = _condensed(directory.metrics_path)
    tail.look()
    for lines in tail.chunks():
        _add_lines(builders, lines)
    return {name: builder.snapshot() for name, builder in builders.items()}


class MetricsCondenser:
    """Keeps the series of a long metrics.jsonl beside it, so that no process needs to read all of it again.

    Only the guardian of the run may use it. A file that is missing or damaged costs its readers time, nothing else.
    """

    def __init__(self, path: str) -> None:
        """`path` is that of metrics.jsonl."""
        self._path = path
        self._due_at = CONDENSED_BYTES

    def update(self, size: int) -> None:
        """Condenses what was appended to the file, which has that size, if it is much. Raises: StorageFailed."""
        if size < self._due_at:
            return
        with storage(self._path):
            builders, tail = _condensed(self._path)
            tail.look()
            for lines in tail.chunks(SLICE_BYTES):
                _add_lines(builders, lines)
            end = tail.whole_end
            before = _bytes_before(self._path, end).hex()
        series = {name: builder.memory() for name, builder in builders.items()}
        content = dump({"end": end, "before": before, "series": series})
        write_atomically(_condensed_path(self._path), content, durable=False)
        self._due_at = end + CONDENSED_BYTES


def _condensed(path: str) -> tuple[dict[str, SeriesBuilder], JsonTail]:
    """The series of the beginning of a metrics.jsonl as far as they are kept, and a tail of what follows."""
    with suppress(BackpropError, OSError, LookupError, TypeError, ValueError, OverflowError, AttributeError):
        kept = read_object(_condensed_path(path)) or {}
        end: Any = kept["end"]
        series: Any = kept["series"]
        if _bytes_before(path, end).hex() == kept["before"]:
            builders = {name: SeriesBuilder.remembered(name, memory) for name, memory in series.items()}
            return builders, JsonTail(path, end)
    return {}, JsonTail(path)


def _condensed_path(path: str) -> str:
    return f"{path}.condensed"


def _bytes_before(path: str, end: int) -> bytes:
    """The last bytes before an offset, by which a file that was replaced is recognized."""
    start = max(0, end - _COMPARED_BYTES)
    with open_log(path) as file:
        file.seek(start)
        return file.read(max(0, end - start)) or b""


def _add_lines(builders: dict[str, SeriesBuilder], lines: Sequence[JsonObject]) -> None:
    for is_skip, stretch in groupby(lines, lambda line: SKIPPED in line):
        if not is_skip:
            _add_values(builders, list(stretch))
            continue
        for builder in builders.values():
            builder.note_skip()


def _add_values(builders: dict[str, SeriesBuilder], lines: Sequence[JsonObject]) -> None:
    pairs = [(metrics, line) for line in lines if type(metrics := line.get("metrics")) is dict]
    for name in dict.fromkeys(name for metrics, _ in pairs for name in metrics):
        values: list[float] = []
        steps: list[int | None] = []
        times: list[str] = []
        for metrics, line in pairs:
            value = metrics.get(name)
            if type(value) is not float:
                value = _number(value)
                if value is None:
                    continue
            step = line.get("step")
            values.append(value)
            steps.append(step if type(step) is int else None)
            times.append(line.get("time") or "")
        if name not in builders:
            builders[name] = SeriesBuilder(name)
        builders[name].extend(values, steps, times)


def _number(value: object) -> float | None:
    """Returns a number, also one that is written as "NaN" or "Infinity"; None for anything else."""
    try:
        return float(value)  # type: ignore[arg-type] # raises TypeError if it cannot be converted
    except (TypeError, ValueError, OverflowError):
        return None


class SeriesBuilder:
    """Collects the values of one metric: its extremes, and buckets for drawing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.not_finite = 0
        self.first: Extreme | None = None
        self.last: Extreme | None = None
        self.least: Extreme | None = None
        self.most: Extreme | None = None
        self._buckets: list[Bucket] = []
        self._points: list[_Point] = []  # of the bucket that is being filled
        self._gaps: list[Gap] = []
        self._skips = 0
        self._in_gap = False  # whether the newest value was not finite
        self._after_gap = False  # whether the next bucket follows a gap
        self._stride = 1  # points in a bucket

    def add(self, value: float, step: int | None, time: str = "") -> None:
        self.extend([value], [step], [time])

    def extend(self, values: Sequence[float], steps: Sequence[int | None], times: Sequence[str]) -> None:
        """Adds values with the step and time of each."""
        if not values:
            return
        numbered = [self.count + index if step is None else float(step) for index, step in enumerate(steps, start=1)]
        self.count += len(values)
        self.last = Extreme(values[-1], steps[-1])
        for start, end, is_finite in _stretches(values):
            if is_finite:
                self._update_extremes(values[start:end], steps[start:end])
                self._fill(list(zip(numbered[start:end], times[start:end], values[start:end], strict=True)))
            else:
                self.not_finite += end - start
                self._begin_gap(Gap(numbered[start], times[start]))

    def _begin_gap(self, gap: Gap) -> None:
        """Ends this piece of the curve; the next finite value begins another."""
        if self._in_gap:
            return
        self._in_gap = True
        self._gaps.append(gap)
        if len(self._gaps) > _MAX_GAPS:
            del self._gaps[_MAX_GAPS // 2]
        self._end_piece()

    def note_skip(self) -> None:
        """Says that values are missing between the last one and the next."""
        self._skips += 1
        self._end_piece()

    def _end_piece(self) -> None:
        if self._points:
            self._close(self._points)
            self._points = []
        self._after_gap = bool(self._buckets)

    def _update_extremes(self, values: Sequence[float], steps: Sequence[int | None]) -> None:
        least, most = min(values), max(values)
        if self.first is None:
            self.first = Extreme(values[0], steps[0])
        if self.least is None or least < self.least.value:
            self.least = Extreme(least, steps[values.index(least)])
        if self.most is None or most > self.most.value:
            self.most = Extreme(most, steps[values.index(most)])

    def _fill(self, points: list[_Point]) -> None:
        self._in_gap = False
        points = self._points + points
        start = 0
        while len(points) - start >= self._stride:
            end = start + self._stride
            self._close(points[start:end])
            start = end
        self._points = points[start:]

    def _close(self, points: Sequence[_Point]) -> None:
        self._buckets.append(_bucket(points, after_gap=self._after_gap))
        self._after_gap = False
        if len(self._buckets) >= MAX_BUCKETS:
            merged = _merge_pairs(self._buckets, keep_gaps=True)
            self._buckets = merged if len(merged) < _CROWDED else _merge_pairs(self._buckets, keep_gaps=False)
            self._stride *= 2

    def memory(self) -> list[Any]:
        """The state as JSON can hold it; bounded."""
        last = None if self.last is None else [*encode_metrics({"": self.last.value}).values(), self.last.step]
        first, least, most = (
            extreme and [extreme.value, extreme.step] for extreme in (self.first, self.least, self.most)
        )
        extremes = [first, last, least, most]
        flags = [self._in_gap, self._after_gap, self._skips]
        return [self.count, self.not_finite, self._stride, extremes, flags, self._buckets, self._points, self._gaps]

    @classmethod
    def remembered(cls, name: str, memory: list[Any]) -> SeriesBuilder:
        """The inverse of `memory`. Raises: TypeError, ValueError or OverflowError, whatever else it is."""
        builder = cls(name)
        count, not_finite, stride, extremes, flags, buckets, points, gaps = memory
        builder.count, builder.not_finite, builder._stride = int(count), int(not_finite), max(1, int(stride))
        first, last, least, most = (None if extreme is None else _extreme(*extreme) for extreme in extremes)
        builder.first, builder.last, builder.least, builder.most = first, last, least, most
        in_gap, after_gap, *skips = flags
        builder._in_gap, builder._after_gap, builder._skips = bool(in_gap), bool(after_gap), sum(map(int, skips))
        builder._buckets = [_checked_bucket(*bucket) for bucket in buckets[:MAX_BUCKETS]]
        builder._points = [(_finite(step), str(time), _finite(value)) for step, time, value in points]
        builder._gaps = [Gap(_finite(step), str(time)) for step, time in gaps]
        return builder

    def snapshot(self) -> MetricSeries:
        buckets = self._buckets
        if self._points:
            buckets = [*buckets, _bucket(self._points, after_gap=self._after_gap)]
        return MetricSeries(
            name=self.name,
            buckets=tuple(buckets),
            count=self.count,
            not_finite=self.not_finite,
            first=self.first,
            last=self.last,
            least=self.least,
            most=self.most,
            holes=tuple(self._gaps),
            skips=self._skips,
        )


def _finite(value: object) -> float:
    number = float(value)  # type: ignore[arg-type] # raises TypeError if it is none
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _extreme(value: object, step: object) -> Extreme:
    return Extreme(float(value), step if type(step) is int else None)  # type: ignore[arg-type] # as above


def _checked_bucket(step: object, time: object, *values: object) -> Bucket:
    *figures, after_hole = values
    least, most, mean, last = map(_finite, figures)
    return Bucket(_finite(step), str(time), least, most, mean, last, bool(after_hole))


def _stretches(values: Sequence[float]) -> Iterator[tuple[int, int, bool]]:
    """Yields start and end of each stretch of values that are all finite (True) or all not."""
    start = 0
    for is_finite, group in groupby(map(math.isfinite, values)):
        end = start + sum(1 for _ in group)
        yield start, end, is_finite
        start = end


def _merge_pairs(buckets: Sequence[Bucket], *, keep_gaps: bool) -> list[Bucket]:
    """Merges each two buckets; with `keep_gaps` not across a gap or a resume, where the step goes back."""
    merged: list[Bucket] = []
    pending: Bucket | None = None
    for bucket in buckets:
        if pending is None:
            pending = bucket
        elif keep_gaps and (bucket.after_hole or bucket.step < pending.step):
            merged.append(pending)
            pending = bucket
        else:
            merged.append(_merge(pending, bucket))
            pending = None
    return merged if pending is None else [*merged, pending]


def _merge(first: Bucket, second: Bucket) -> Bucket:
    mean = first.mean / 2 + second.mean / 2
    least, most = min(first.least, second.least), max(first.most, second.most)
    return Bucket(second.step, second.time, least, most, mean, second.last, first.after_hole)


def _bucket(points: Sequence[_Point], *, after_gap: bool) -> Bucket:
    step, time, last = points[-1]
    values = [value for _, _, value in points]
    mean = sum(values) / len(values)
    if not math.isfinite(mean):  # the sum overflowed
        mean = sum(value / len(values) for value in values)
    return Bucket(step, time, min(values), max(values), mean, last, after_gap)
