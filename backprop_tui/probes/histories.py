"""histories.json: what host and GPUs did in the last hour, one mean per `HISTORY_SECONDS`.

The sampler writes it, so it goes on while no dashboard is open. If it is lost or damaged the histories begin again.
"""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import UNKNOWN_PREFIX, GpuReading, HostReading, Readings
from backprop_tui.probes.readings import replace_file
from backprop_tui.store.files import dump, read_file

SCHEMA_VERSION = 1
HISTORY_SECONDS = 15.0
HISTORY_POINTS = 240
HOST = "host"  # the key of the host; that of a GPU is its UUID
FIRST_POINT_SECONDS = 2.0  # the first point comes early, so that there is something to see
_MAX_BYTES = 1024 * 1024

_FIELDS = ("utilization", "memory", "celsius")

Point = float | None  # None: nothing was read
Points = tuple[Point, ...]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Percentages and degrees, oldest first, all equally many."""

    utilization: Points = ()
    memory: Points = ()
    celsius: Points = ()

    def extended(self, utilization: Points, memory: Points, celsius: Points) -> History:
        return History(
            utilization=(*self.utilization, *utilization)[-HISTORY_POINTS:],
            memory=(*self.memory, *memory)[-HISTORY_POINTS:],
            celsius=(*self.celsius, *celsius)[-HISTORY_POINTS:],
        )

    @property
    def is_empty(self) -> bool:
        return not any(
            point is not None for points in (self.utilization, self.memory, self.celsius) for point in points
        )


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """`time` is the wall time of the last point."""

    time: float
    of: Mapping[str, History]

    def until(self, now: float) -> Histories:
        """The same with a gap for the time since the last point, in which no sampler ran."""
        missed = min(HISTORY_POINTS, int((now - self.time) // HISTORY_SECONDS))
        if missed <= 0:
            return self
        gap: Points = (None,) * missed
        padded = {key: history.extended(gap, gap, gap) for key, history in self.of.items()}
        return replace(self, time=self.time + missed * HISTORY_SECONDS, of=_without_empty(padded))


def read_histories(path: str, now: float) -> Histories:
    """The histories until the wall time `now`; none from a file that is missing or damaged."""
    try:
        document = json.loads(read_file(path, most=_MAX_BYTES))
        is_known = document["schema_version"] == SCHEMA_VERSION and math.isfinite(document["time"])
        series = document["of"].items() if is_known else ()
        known = Histories(time=document["time"], of={key: _decode(points) for key, points in series})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Histories(time=now, of={})
    return known.until(now) if is_known else Histories(time=now, of={})


def _encode(histories: Histories) -> bytes:
    of = {key: {name: getattr(history, name) for name in _FIELDS} for key, history in histories.of.items()}
    return dump({"schema_version": SCHEMA_VERSION, "time": histories.time, "of": of})


def _decode(series: Mapping[str, Sequence[object]]) -> History:
    """Values that are none are gaps; without the general codec, as the first paint waits for these."""
    return History(**{name: tuple(map(_point, series[name][-HISTORY_POINTS:])) for name in _FIELDS})


def _point(value: object) -> Point:
    return value if type(value) is float else float(value) if type(value) is int else None


class HistoryRecorder:
    """Collects readings, and writes the file with each new point."""

    def __init__(self, path: str, pid: int) -> None:
        self._path, self._pid = path, pid
        self._histories = read_histories(path, time.time())
        self._pending: dict[str, list[tuple[Point, Point, Point]]] = defaultdict(list)
        self._due = time.monotonic() + FIRST_POINT_SECONDS

    def add(self, readings: Readings, now: float) -> None:
        """Takes the readings of the monotonic time `now`; a file that cannot be written is tried again later."""
        self._pending[HOST].append(_of_host(readings.host))
        for gpu in readings.gpus:
            if not gpu.uuid.startswith(UNKNOWN_PREFIX):
                self._pending[gpu.uuid].append(_of_gpu(gpu))
        if now < self._due:
            return
        self._due = now + HISTORY_SECONDS
        self._histories = self._with_new_points(readings.time)
        self._pending.clear()
        with suppress(OSError):
            replace_file(self._path, _encode(self._histories), self._pid)

    def _with_new_points(self, wall: float) -> Histories:
        earlier = self._histories.of
        points = {
            key: [(_mean(values),) for values in zip(*given, strict=True)] for key, given in self._pending.items()
        }
        nothing: Sequence[Points] = ((None,),) * len(_FIELDS)
        extended = {
            key: earlier.get(key, History()).extended(*points.get(key, nothing)) for key in {**earlier, **self._pending}
        }
        return Histories(time=wall, of=_without_empty(extended))


def _without_empty(histories: Mapping[str, History]) -> dict[str, History]:
    """Of a GPU that has been gone for as long as a history reaches nothing is left."""
    return {key: history for key, history in histories.items() if not history.is_empty}


def _of_host(host: HostReading) -> tuple[Point, Point, Point]:
    total, available = host.ram_total_bytes, host.ram_available_bytes
    used = None if total is None or available is None else total - available
    return host.cpu_percent, _percent(used, total), None


def _of_gpu(gpu: GpuReading) -> tuple[Point, Point, Point]:
    return gpu.utilization_percent, _percent(gpu.memory_used_bytes, gpu.memory_total_bytes), gpu.temperature_celsius


def _percent(used: int | None, total: int | None) -> Point:
    return None if used is None or not total else 100 * used / total


def _mean(points: tuple[Point, ...]) -> Point:
    known = [point for point in points if point is not None]
    return round(sum(known) / len(known), 1) if known else None
