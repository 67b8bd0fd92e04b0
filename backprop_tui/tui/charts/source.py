"""The data that charts are made from, and its reader."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from typing import Protocol

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import time_or_none
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.run import AttemptTimeline, Run
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.metrics import MetricsFile
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail
from backprop_tui.store.watched_file import WatchedFile

MAX_RUNS = 8  # whose files stay open; the least recently used are dropped
MAX_SAMPLES = 1200  # more than three hours at one every ten seconds
_PAUSE_ENDS = ("continued", "stopping", "ended", "started")
_FIRST_RESOURCE_BYTES = 1 << 19  # of the end of resources.jsonl, which are read first


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSample:
    """What a run used at one moment; `time` in seconds since the epoch. A missing reading is None.

    With several GPUs: the mean utilization, the largest memory use on any of them, the highest temperature.
    """

    time: float
    cpu_percent: float | None = None
    ram_bytes: int | None = None
    processes: int | None = None
    utilization_percent: float | None = None
    memory_bytes: int | None = None
    temperature_celsius: float | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ChartData:
    """The metrics and resource samples of one run; `run` is None if only the index knows it.

    While a large file is being read, `caught_up` is False and samples of the file represent it. `problem` says why
    nothing can be read. `pauses` have start and end, None for the end of one that lasts.
    """

    run_id: str
    metrics: Mapping[str, MetricSeries] = field(default_factory=dict)
    resources: tuple[ResourceSample, ...] = ()
    pauses: tuple[tuple[float, float | None], ...] = ()
    run: Run | None = None
    caught_up: bool = True
    problem: str | None = None


class ChartSource(Protocol):
    """Reads the data of charts; never in the thread that paints."""

    async def read(self, run_ids: Sequence[str]) -> list[ChartData]:
        """The current data of each of these runs, in this order."""

    async def export(self, run_id: str, path: str) -> str:
        """Writes all metrics of a run as CSV to `path`, numbered if that exists; returns the path written.

        Raises:
            OSError: the file cannot be written.
        """

    def close(self) -> None:
        """Stops reading."""


class NoCharts:
    """A source without any files: no run has data."""

    async def read(self, run_ids: Sequence[str]) -> list[ChartData]:
        return [ChartData(run_id=run_id) for run_id in run_ids]

    async def export(self, run_id: str, path: str) -> str:
        raise FileNotFoundError(2, "this run has no metrics", path)

    def close(self) -> None:
        pass


class ChartReader:
    """Reads the data of runs on request, continuing where it stopped; never in the thread that paints."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._files: OrderedDict[str, _RunFiles] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="charts")

    async def read(self, run_ids: Sequence[str]) -> list[ChartData]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, tuple(run_ids))

    async def export(self, run_id: str, path: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._export, run_id, path)

    def _export(self, run_id: str, path: str) -> str:
        directory = RunDirectory(self._home.run_folder(run_id))
        try:
            attempts = AttemptTimeline.of(directory.read())
        except BackpropError:  # the metrics are worth exporting without the record
            attempts = AttemptTimeline()
        from backprop_tui.store.export import export_csv

        return export_csv(directory.metrics_path, path, attempts)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self, run_ids: Sequence[str]) -> list[ChartData]:
        data = []
        for run_id in run_ids:
            if run_id not in self._files:
                try:
                    self._files[run_id] = _RunFiles(run_id, RunDirectory(self._home.run_folder(run_id)))
                except OSError as error:
                    data.append(ChartData(run_id=run_id, problem=str(error)))
                    continue
            self._files.move_to_end(run_id)
            data.append(self._files[run_id].read())
        while len(self._files) > max(MAX_RUNS, len(run_ids)):
            self._files.popitem(last=False)
        return data


class _RunFiles:
    def __init__(self, run_id: str, directory: RunDirectory) -> None:
        self._run_id = run_id
        self._directory = directory
        self._metrics = MetricsFile(directory.metrics_path)
        self._resources = JsonTail(directory.resources_path, last_bytes=_FIRST_RESOURCE_BYTES)
        self._samples: deque[ResourceSample] = deque(maxlen=MAX_SAMPLES)
        self._events = JsonTail(directory.events_path)
        self._pauses: list[tuple[float, float | None]] = []
        self._record = WatchedFile(directory.record_path)
        self._run: Run | None = None

    def read(self) -> ChartData:
        try:
            metrics, resources, pauses = self._metrics.read(), self._read_samples(), self._read_pauses()
            if self._record.changed():
                self._run = self._directory.read()
        except (BackpropError, OSError) as error:
            return ChartData(run_id=self._run_id, problem=str(error))
        return ChartData(
            run_id=self._run_id,
            metrics=metrics,
            resources=resources,
            pauses=pauses,
            run=self._run,
            caught_up=self._metrics.caught_up,
        )

    def _read_samples(self) -> tuple[ResourceSample, ...]:
        """The newest hours, oldest first."""
        self._resources.look()
        if self._resources.restarted:
            self._samples.clear()
        for lines in self._resources.chunks():
            self._samples += [sample for line in lines if (sample := _parse_sample(line)) is not None]
        return tuple(self._samples)

    def _read_pauses(self) -> tuple[tuple[float, float | None], ...]:
        self._events.look()
        if self._events.restarted:
            self._pauses.clear()
        for lines in self._events.chunks():
            for event in lines:
                self._note_pause(event.get("event"), time_or_none(event.get("time")))
        return tuple(self._pauses)

    def _note_pause(self, event: object, at: float | None) -> None:
        if at is None:
            return
        is_paused = bool(self._pauses) and self._pauses[-1][1] is None
        if event == "paused" and not is_paused:
            self._pauses.append((at, None))
        elif event in _PAUSE_ENDS and is_paused:
            self._pauses[-1] = self._pauses[-1][0], at


def _parse_sample(line: JsonObject) -> ResourceSample | None:
    time = time_or_none(line.get("time"))
    if time is None:
        return None
    gpus = [gpu for gpu in line.get("gpus") or () if isinstance(gpu, dict)]
    utilization = _gpu_readings(gpus, "utilization_percent")
    memory = _gpu_readings(gpus, "memory_bytes")
    return ResourceSample(
        time=time,
        cpu_percent=_float_or_none(line.get("cpu_percent")),
        ram_bytes=_int_or_none(line.get("ram_bytes")),
        processes=_int_or_none(line.get("processes")),
        utilization_percent=sum(utilization) / len(utilization) if utilization else None,
        memory_bytes=int(max(memory)) if memory else None,
        temperature_celsius=max(_gpu_readings(gpus, "temperature_celsius"), default=None),
    )


def _gpu_readings(gpus: list[JsonObject], name: str) -> list[float]:
    return [value for gpu in gpus if (value := _float_or_none(gpu.get(name))) is not None]


def _float_or_none(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _int_or_none(value: object) -> int | None:
    return value if isinstance(value, int) else None
