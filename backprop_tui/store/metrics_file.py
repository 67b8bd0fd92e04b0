"""All metrics of a run, from metrics.jsonl as it grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from backprop_tui.store.fields import JsonObject
from backprop_tui.store.json_tail import JsonTail
from backprop_tui.store.metrics import Course, Series
from backprop_tui.store.run_directory import RunDirectory

LARGE_BYTES = 16 << 20  # a file with so much unread is shown by samples of it first
SLICE_BYTES = 8 << 20  # so much is read at a time
_PLACES, _EACH_BYTES = 1500, 2048


class MetricsFile:
    """Reads at most a slice at a time; until it has caught up with a large file, samples stand for the whole."""

    def __init__(self, path: str) -> None:
        self._tail = JsonTail(path)
        self._series: dict[str, Series] = {}
        self._sampled: dict[str, Series] = {}
        self._courses: Mapping[str, Course] = {}

    @property
    def caught_up(self) -> bool:
        """Whether all was read that was there."""
        return self._tail.offset >= self._tail.size

    def read(self) -> Mapping[str, Course]:
        """Every metric by its name, in the order in which they first came.

        Raises:
            OSError: the file cannot be read.
        """
        unread = self._tail.look()
        if self._tail.restarted:
            self._series = {}
        elif not unread:
            return self._courses
        if unread > LARGE_BYTES and not self._sampled:
            take_in(self._sampled, self._tail.sample(_PLACES, _EACH_BYTES))
        else:
            self._read_slice()
        if self.caught_up:
            self._sampled = {}
        self._courses = {name: one.course() for name, one in (self._sampled or self._series).items()}
        return self._courses

    def _read_slice(self) -> None:
        end = min(self._tail.size, self._tail.offset + SLICE_BYTES)
        while self._tail.offset < end:
            before = self._tail.offset
            take_in(self._series, self._tail.read())
            if self._tail.offset == before:
                return  # it was truncated in between; the next look sees that


def take_in(series: dict[str, Series], lines: Sequence[JsonObject]) -> None:
    """Adds what the lines say to the series."""
    names = dict.fromkeys(name for line in lines for name in _metrics(line))
    for name in names:
        having = [line for line in lines if name in _metrics(line)]
        read = [(value, line) for line in having if (value := _number(line["metrics"][name])) is not None]
        if name not in series:
            series[name] = Series(name)
        steps = [step if type(step := line.get("step")) is int else None for _, line in read]
        series[name].extend([value for value, _ in read], steps, [str(line.get("time") or "") for _, line in read])


def _metrics(line: JsonObject) -> JsonObject:
    metrics = line.get("metrics")
    return metrics if type(metrics) is dict else {}


def _number(value: object) -> float | None:
    """NaN and infinities are written as words; None for what is no number."""
    if type(value) is float:
        return value
    try:
        return float(value)  # type: ignore[arg-type] # what it cannot take, it says
    except (TypeError, ValueError, OverflowError):
        return None


def history(directory: RunDirectory) -> Mapping[str, Course]:
    """Every metric of a run; empty where none was printed.

    Raises:
        OSError: the file cannot be read.
    """
    tail = JsonTail(directory.file("metrics.jsonl"))
    series: dict[str, Series] = {}
    tail.look()
    for lines in _chunks(tail):
        take_in(series, lines)
    return {name: one.course() for name, one in series.items()}


def _chunks(tail: JsonTail) -> Iterator[Sequence[JsonObject]]:
    while tail.offset < tail.size:
        before = tail.offset
        yield tail.read()
        if tail.offset == before:
            return
