"""The Resources tab: what the run used lately, with limits as lines and peaks in the legends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Run
from backprop_tui.plotting.axes import Scale
from backprop_tui.plotting.canvas import Bar
from backprop_tui.presentation import numbers
from backprop_tui.tui.charts.chart import AxisUnit, Chart, ChartCurve, axis_duration, draw_chart, padded
from backprop_tui.tui.charts.metrics_tab import side_by_side
from backprop_tui.tui.charts.source import ChartData, ResourceSample
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import LineBuilder
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.tokens import Line, Piece, Token

_GAP_SECONDS = 45.0  # without a sample, after which the curve is interrupted
_HEADROOM = 1.1  # above the peak
_SHORT_RANGES_SECONDS = (120.0, 300.0, 600.0)
_MIN_CHART_WIDTH, _MIN_CHART_ROWS = 34, 6
_Reading = Callable[[ResourceSample], float | None]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesView:
    """The charts of a run; `processes` is None if nothing was sampled, `range_words` name the time range shown."""

    charts: tuple[Chart, ...]
    processes: int | None
    range_words: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _SampleWindow:
    """The samples shown; positions on x are seconds before `end`."""

    samples: Sequence[ResourceSample]
    end: float
    seconds: float
    x_unit: AxisUnit

    def timed(self, reading: _Reading) -> list[tuple[float, float]]:
        """Times and values of the samples that have this reading."""
        return [(sample.time, value) for sample in self.samples if (value := reading(sample)) is not None]

    def values(self, reading: _Reading) -> list[float]:
        return [value for _, value in self.timed(reading)]

    def pieces(self, reading: _Reading) -> tuple[tuple[Bar, ...], ...]:
        """The curve of a reading, interrupted where nothing was sampled."""
        pieces: list[list[Bar]] = []
        previous = float("-inf")
        for time, value in self.timed(reading):
            if time - previous > _GAP_SECONDS:
                pieces.append([])
            pieces[-1].append((time - self.end, value, value))
            previous = time
        return tuple(tuple(piece) for piece in pieces)

    def limit(self, limit: float, label: str, text: str) -> ChartCurve:
        """A horizontal line."""
        bars = ((-self.seconds, limit, limit), (0.0, limit, limit))
        return ChartCurve(label=label, value=text, token=Token.WARN, letter="-", pieces=(bars,), faint=True)

    def chart(self, title: str, value: str, curves: Sequence[ChartCurve], y: Scale, y_unit: AxisUnit) -> Chart:
        return Chart(
            title=title,
            value=value,
            curves=tuple(curves),
            x=Scale(-self.seconds, 0.0),
            y=y,
            x_unit=self.x_unit,
            y_unit=y_unit,
            empty_text="no reading yet",
        )


def resources_view(snapshot: Snapshot, data: ChartData, range_seconds: float, *, active: bool) -> ResourcesView:
    """The tab of one run; of a run that is not active it shows the time before its end."""
    samples = data.resources
    end = snapshot.moment.wall if active or not samples else samples[-1].time
    seconds = _fitting_range(range_seconds, end - samples[0].time) if samples else range_seconds
    shown = [sample for sample in samples if end - seconds <= sample.time <= end + 1]
    x_unit = AxisUnit.AGO if active else AxisUnit.BEFORE_END
    window = _SampleWindow(samples=shown, end=end, seconds=seconds, x_unit=x_unit)
    gpus, run = list(_gpu_charts(snapshot, data.run, window)), data.run
    others = [_ram_and_cpu_chart(snapshot, run, window)] if gpus else [_cpu_chart(snapshot, window)]
    others += [] if gpus else [_ram_chart(run, window)]
    words = axis_duration(seconds) + ("" if active or not samples else " before its end")
    return ResourcesView(
        charts=(*gpus, *others), processes=samples[-1].processes if samples else None, range_words=words
    )


def _fitting_range(chosen: float, sampled: float) -> float:
    """The chosen range, or a shorter one that suffices for the time that was sampled."""
    return next((seconds for seconds in _SHORT_RANGES_SECONDS if sampled <= seconds < chosen), chosen)


def _gpu_charts(snapshot: Snapshot, run: Run | None, window: _SampleWindow) -> Iterator[Chart]:
    if not any(window.values(reading) for reading in (_utilization, _gpu_memory, _temperature)):
        return
    indices = [str(gpu.index) for gpu in run.attempts[-1].gpus] if run is not None and run.attempts else []
    yield _utilization_chart(f"GPU {','.join(indices)}" if indices else "GPU", window)
    yield _vram_chart(snapshot, run, window)
    yield _temperature_chart(run, window)


def _utilization(sample: ResourceSample) -> float | None:
    return sample.utilization_percent


def _gpu_memory(sample: ResourceSample) -> float | None:
    return sample.memory_bytes


def _temperature(sample: ResourceSample) -> float | None:
    return sample.temperature_celsius


def _ram(sample: ResourceSample) -> float | None:
    return sample.ram_bytes


def _used_cores(sample: ResourceSample) -> float | None:
    return None if sample.cpu_percent is None else sample.cpu_percent / 100


def _utilization_chart(gpus: str, window: _SampleWindow) -> Chart:
    values = window.values(_utilization)
    curve = ChartCurve(
        label="mean" if values else "",
        value=f"{sum(values) / len(values):.0f}%" if values else "",
        token=Token.OK,
        letter="u",
        pieces=window.pieces(_utilization),
    )
    newest = f"{values[-1]:.0f}%" if values else ""
    return window.chart(f"{gpus} utilisation", newest, [curve], Scale(0.0, 100.0), AxisUnit.PERCENT)


def _vram_chart(snapshot: Snapshot, run: Run | None, window: _SampleWindow) -> Chart:
    values = window.values(_gpu_memory)
    recorded = [run.peak.vram_bytes] if run is not None and run.peak.vram_bytes else []
    peak = max([*values, *recorded], default=None)
    curve = ChartCurve(
        label="peak" if peak else "",
        value=numbers.size(peak),
        token=Token.INFO,
        letter="m",
        pieces=window.pieces(_gpu_memory),
    )
    total = _smallest_gpu_memory(snapshot, run)
    curves, top = [curve], max(peak or 0, total or 0)
    limit = _vram_limit(run, total)
    if limit is not None:
        curves.insert(0, window.limit(limit, "limit", numbers.size(limit)))
    newest = numbers.size(values[-1]) if values else ""
    return window.chart("VRAM", newest, curves, Scale(0.0, top or 1e9), AxisUnit.GIGABYTES)


def _smallest_gpu_memory(snapshot: Snapshot, run: Run | None) -> int | None:
    """The memory of the smallest GPU of the run."""
    if run is None or not run.attempts or snapshot.sample is None:
        return None
    uuids = {gpu.uuid for gpu in run.attempts[-1].gpus}
    gpus = [gpu for gpu in snapshot.sample.readings.gpus if gpu.uuid in uuids]
    return min((gpu.memory_total_bytes for gpu in gpus if gpu.memory_total_bytes), default=None)


def _vram_limit(run: Run | None, total: int | None) -> float | None:
    """The run's memory limit in bytes."""
    limit = None if run is None else run.spec.limits.gpu_memory_limit
    if limit is None:
        return None
    if limit.bytes is not None:
        return float(limit.bytes)
    return None if limit.fraction is None or total is None else limit.fraction * total


def _temperature_chart(run: Run | None, window: _SampleWindow) -> Chart:
    values = window.values(_temperature)
    curve = ChartCurve(
        label="peak" if values else "",
        value=f"{max(values):.0f} C" if values else "",
        token=Token.FG,
        letter="t",
        pieces=window.pieces(_temperature),
    )
    curves = [curve]
    limit = 0.0 if run is None else run.spec.limits.gpu_max_temp_celsius
    if run is not None and limit:
        label = {"pause": "pauses at", "stop": "stops at"}.get(run.spec.limits.on_overheat, "warns at")
        curves.insert(0, window.limit(limit, label, f"{limit:.0f}"))
    y = Scale(min([30.0, *values]), max([90.0, limit + 5, *values]))
    newest = f"{values[-1]:.0f} C" if values else ""
    return window.chart("temperature", newest, curves, y, AxisUnit.CELSIUS)


def _cores(snapshot: Snapshot, used: Sequence[float]) -> float:
    """The number of cores of the machine, or how many the run used if that is unknown."""
    cores = snapshot.sample.readings.host.cores if snapshot.sample is not None else None
    return max([*used, cores or 0.0], default=0.0) or 1.0


def _cpu_chart(snapshot: Snapshot, window: _SampleWindow) -> Chart:
    values = window.values(_used_cores)
    curve = ChartCurve(
        label="peak" if values else "",
        value=f"{max(values):.1f}" if values else "",
        token=Token.OK,
        letter="c",
        pieces=window.pieces(_used_cores),
    )
    newest = f"{values[-1]:.1f} cores" if values else ""
    return window.chart("CPU", newest, [curve], Scale(0.0, _cores(snapshot, values)), AxisUnit.CORES)


def _ram_chart(run: Run | None, window: _SampleWindow) -> Chart:
    values = window.values(_ram)
    recorded = [run.peak.ram_bytes] if run is not None and run.peak.ram_bytes else []
    peak = max([*values, *recorded], default=None)
    curve = ChartCurve(
        label="peak" if peak else "",
        value=numbers.size(peak),
        token=Token.VIOLET,
        letter="r",
        pieces=window.pieces(_ram),
    )
    newest = numbers.size(values[-1]) if values else ""
    return window.chart("RAM", newest, [curve], Scale(0.0, (peak or 1e9) * _HEADROOM), AxisUnit.GIGABYTES)


def _ram_and_cpu_chart(snapshot: Snapshot, run: Run | None, window: _SampleWindow) -> Chart:
    """The chart of RAM with a faint curve of the CPU, scaled so that the top of the chart is all cores."""
    chart = _ram_chart(run, window)
    values = window.values(_used_cores)
    if not values:
        return chart
    cores = _cores(snapshot, values)
    factor = chart.y.high / cores
    scaled = tuple(
        tuple((x, low * factor, high * factor) for x, low, high in piece) for piece in window.pieces(_used_cores)
    )
    cpu = ChartCurve(label=f"CPU of {cores:.0f} cores", token=Token.FAINT, letter="c", faint=True, pieces=scaled)
    return replace(chart, value=f"{chart.value}   CPU  {values[-1]:.1f} cores", curves=(cpu, *chart.curves))


def draw_resources(view: ResourcesView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """Draws the tab in `height` lines: charts in two rows or in one, or only values, depending on the room."""
    status = [_status_line(view, width)] if height > 2 else []
    room = height - len(status)
    across = max(1, min(2, (width - 1) // _MIN_CHART_WIDTH, len(view.charts)))
    if room // -(-len(view.charts) // across) < _MIN_CHART_ROWS:  # then as many as fit side by side
        across = max(1, min(len(view.charts), (width - 1) // _MIN_CHART_WIDTH))
    down = max(1, min(-(-len(view.charts) // across), room // _MIN_CHART_ROWS))
    if room < _MIN_CHART_ROWS - 1:
        values = [_value_line(chart, width) for chart in view.charts[:room]]
        return [*values, *([()] * (room - len(values))), *status]
    columns = (width - 1) // across
    lines: list[Line] = []
    for row in range(down):
        charts = view.charts[row * across : (row + 1) * across]
        rows = room // down + (1 if row < room % down else 0)
        blocks = [draw_chart(chart, columns - 3, rows, glyphs) for chart in charts]
        lines += side_by_side(blocks, [index * columns for index in range(len(charts))], width, glyphs)
    return [*lines, *status]


def _value_line(chart: Chart, width: int) -> Line:
    """A chart as text: its value and its legend."""
    builder = LineBuilder().put(f" {chart.title:<18}"[:width], Token.MUTED)
    if builder.column + len(chart.value) <= width:
        builder.put(chart.value or "-", bold=True)
    for curve in chart.curves:
        if curve.label and builder.column + len(curve.label) + len(curve.value) + 4 <= width:
            builder.put(f"   {curve.label} ", Token.MUTED).put(curve.value)
    return padded(builder.line(), width)


def _status_line(view: ResourcesView, width: int) -> Line:
    if view.processes is None:
        return padded((Piece(" no samples yet", Token.MUTED),), width)
    count = "1 process" if view.processes == 1 else f"{view.processes} processes"
    builder = LineBuilder().put(f" {count}   last {view.range_words} (", Token.MUTED).put("x", Token.ACCENT, bold=True)
    return padded(builder.put(" changes)", Token.MUTED).line(), width)
