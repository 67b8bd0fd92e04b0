"""Chart data of runs for tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.run import Run
from backprop_tui.store.metrics import SeriesBuilder
from backprop_tui.tui.charts.source import ChartData, ResourceSample
from tests.tui.snapshots import NOW, gb


def series(
    name: str, values: Iterable[float], *, every: int = 1, begun: float = NOW.wall - 60, first: int = 0
) -> MetricSeries:
    """A metric with a value per second since `begun`, `every` so many steps."""
    recorded = SeriesBuilder(name)
    for place, value in enumerate(values):
        recorded.add(value, first + place * every, str(iso(begun + place)))
    return recorded.snapshot()


def falling(count: int = 60, *, to: float = 2.0) -> list[float]:
    """A loss that goes down as losses do."""
    return [to + 5 * math.exp(-place / (count / 4)) for place in range(count)]


def chart_data(run_id: str, metrics: Mapping[str, MetricSeries] | None = None, *, run: Run | None = None) -> ChartData:
    """The data of a run: by default a loss, a validation loss, and a learning rate."""
    usual = {
        "loss": series("loss", falling(), every=10),
        "val_loss": series("val_loss", falling(6, to=2.3), every=100),
        "lr": series("lr", [3e-4] * 60, every=10),
    }
    samples = tuple(
        ResourceSample(
            time=NOW.wall - 600 + 10 * place,
            cpu_percent=150.0,
            ram_bytes=gb(21.4),
            processes=14,
            utilization_percent=80.0 + place % 10,
            memory_bytes=gb(61.2),
            temperature_celsius=70.0 + place / 10,
        )
        for place in range(60)
    )
    return ChartData(run_id=run_id, metrics=usual if metrics is None else metrics, resources=samples, run=run)
