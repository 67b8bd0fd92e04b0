"""The data that charts are made from, and the interface of what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.run import Run


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSample:
    """What a run used at one moment; `time` in seconds since the epoch. A missing reading is None.

    With several GPUs: the mean utilisation, the largest memory use on any of them, the highest temperature.
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
    nothing can be read.
    """

    run_id: str
    metrics: Mapping[str, MetricSeries] = field(default_factory=dict)
    resources: tuple[ResourceSample, ...] = ()
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
        """Raises FileNotFoundError always."""
        raise FileNotFoundError(2, "this run has no metrics", path)

    def close(self) -> None:
        pass
