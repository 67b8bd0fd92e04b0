"""All metrics of a run, from metrics.jsonl as it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprop_tui.domain.course import Course
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.metrics import Series
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail

LARGE_BYTES = 16 << 20  # a file with so much unread is shown by samples of it first
SLICE_BYTES = 8 << 20  # so much is read at a time
_PLACES, _EACH_BYTES = 1000, 1536


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
        return self._tail.caught_up

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
        for lines in self._tail.chunks(SLICE_BYTES):
            take_in(self._series, lines)


def take_in(series: dict[str, Series], lines: Sequence[JsonObject]) -> None:
    """Adds what the lines say to the series."""
    told = [(metrics, line) for line in lines if type(metrics := line.get("metrics")) is dict]
    for name in dict.fromkeys(name for metrics, _ in told for name in metrics):
        values: list[float] = []
        steps: list[int | None] = []
        times: list[str] = []
        for metrics, line in told:
            value = metrics.get(name)
            if type(value) is not float:
                value = _number(value)
                if value is None:
                    continue
            step = line.get("step")
            values.append(value)
            steps.append(step if type(step) is int else None)
            times.append(line.get("time") or "")
        if name not in series:
            series[name] = Series(name)
        series[name].extend(values, steps, times)


def _number(value: object) -> float | None:
    """NaN and infinities are written as words; None for what is no number."""
    if value is None:
        return None
    try:
        return float(value)  # type: ignore[arg-type] # what it cannot take, it says
    except (TypeError, ValueError, OverflowError):
        return None


def history(directory: RunDirectory) -> Mapping[str, Course]:
    """Every metric of a run; empty where none was printed.

    Raises:
        OSError: the file cannot be read.
    """
    tail = JsonTail(directory.metrics_path)
    series: dict[str, Series] = {}
    tail.look()
    for lines in tail.chunks():
        take_in(series, lines)
    return {name: one.course() for name, one in series.items()}
