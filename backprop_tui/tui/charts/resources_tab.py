"""The Resources tab: what the run used lately, with limits as lines and peaks in the legends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.run import Run
from backprop_tui.plotting.axes import Scale
from backprop_tui.plotting.canvas import Bar
from backprop_tui.plotting.track import Style
from backprop_tui.presentation import numbers
from backprop_tui.presentation.curves import AxisUnit, axis_duration
from backprop_tui.tui.charts.chart import Chart, ChartCurve, padded
from backprop_tui.tui.charts.source import ChartData, ResourceSample
from backprop_tui.tui.charts.tiles import draw_tiles, tiling
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, hint
from backprop_tui.tui.snapshot import Snapshot

_GAP_SECONDS = 45.0  # without a sample, after which the curve is interrupted
_HEADROOM = 1.1  # above the peak
_SHORT_RANGES_SECONDS = (120.0, 300.0, 600.0)
_MIN_CHART_WIDTH, _MIN_CHART_ROWS = 34, 6

_Reading = Callable[[ResourceSample], float | None]
_utilization: _Reading = attrgetter("utilization_percent")
_gpu_memory: _Reading = attrgetter("memory_bytes")
_temperature: _Reading = attrgetter("temperature_celsius")
_ram: _Reading = attrgetter("ram_bytes")


def _used_cores(sample: ResourceSample) -> float | None:
    return None if sample.cpu_percent is None else sample.cpu_percent / 100


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesView:
    """The charts of a run; `processes` is None if nothing was sampled, `range_text` names the time range shown.

    `problem` says why there is nothing to draw.
    """

    charts: tuple[Chart, ...]
    processes: int | None
    range_text: str
    problem: str = ""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _SampleWindow:
    """The samples shown; positions on x are seconds before `end`."""

    samples: Sequence[ResourceSample]
    end: float
    seconds: float
    x_unit: AxisUnit

    def values(self, reading: _Reading) -> list[float]:
        return [value for sample in self.samples if (value := reading(sample)) is not None]

    def pieces(self, reading: _Reading, factor: float = 1.0) -> tuple[tuple[Bar, ...], ...]:
        """The curve of a reading, scaled by a factor and interrupted where nothing was sampled."""
        pieces: list[list[Bar]] = []
        previous = float("-inf")
        for sample in self.samples:
            value = reading(sample)
            if value is None:
                continue
            if sample.time - previous > _GAP_SECONDS:
                pieces.append([])
            pieces[-1].append((sample.time - self.end, value * factor, value * factor))
            previous = sample.time
        return tuple(map(tuple, pieces))

    def curve(self, reading: _Reading, label: str, text: str, token: Token, letter: str) -> ChartCurve:
        """The curve of a reading; without a text for the legend it has no label either."""
        pieces = self.pieces(reading)
        return ChartCurve(label=label if text else "", value=text, token=token, letter=letter, pieces=pieces)

    def limit(self, limit: float, label: str, text: str) -> ChartCurve:
        bars = ((-self.seconds, limit, limit), (0.0, limit, limit))
        return ChartCurve(label=label, value=text, token=Token.WARN, letter="-", pieces=(bars,), style=Style.FAINT)

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
    samples, run = data.resources, data.run
    if active and samples and run is not None:
        samples = (*samples, *_current_sample(snapshot, run, samples[-1]))
    end = snapshot.moment.wall if active or not samples else samples[-1].time
    sampled = end - samples[0].time if samples else float("inf")
    # A shorter range than the chosen one, if it suffices for the time that was sampled.
    seconds = next((short for short in _SHORT_RANGES_SECONDS if sampled <= short < range_seconds), range_seconds)
    shown = [sample for sample in samples if end - seconds <= sample.time <= end + 1]
    x_unit = AxisUnit.AGO if active else AxisUnit.BEFORE_END
    window = _SampleWindow(samples=shown, end=end, seconds=seconds, x_unit=x_unit)
    if any(window.values(reading) for reading in (_utilization, _gpu_memory, _temperature)):
        gpus = (_utilization_chart(run, window), _vram_chart(snapshot, run, window), _temperature_chart(run, window))
        charts: tuple[Chart, ...] = (*gpus, _cpu_chart(snapshot, window), _ram_chart(run, window))
    else:
        charts = (_cpu_chart(snapshot, window), _ram_chart(run, window))
    problem = ""
    if not samples:
        started = run is not None and bool(run.attempts)
        problem = "No samples of this run yet" if started else "Not started yet, so nothing is measured"
        problem = problem if active or not started else "This run ended before it was measured"
    return ResourcesView(
        problem=problem,
        charts=charts,
        processes=samples[-1].processes if samples else None,
        range_text=axis_duration(seconds) + ("" if active or not samples else " before its end"),
    )


def _current_sample(snapshot: Snapshot, run: Run, last: ResourceSample) -> Iterator[ResourceSample]:
    """What the GPUs of the run report now, as the gauges show it: a run writes its samples less often."""
    samples = {snapshot.host: snapshot.sample} | {node.name: node.sample for node in snapshot.nodes}
    sample = samples.get(run.host)
    uuids = {gpu.uuid for gpu in run.attempts[-1].gpus} if run.attempts else set()
    gpus = [] if sample is None else [gpu for gpu in sample.readings.gpus if gpu.uuid in uuids]
    if sample is None or not gpus or len(gpus) < len(uuids):
        return
    measured_at = sample.readings.time - max(gpu.age_seconds for gpu in gpus)
    utilization = [gpu.utilization_percent for gpu in gpus if gpu.utilization_percent is not None]
    temperatures = [gpu.temperature_celsius for gpu in gpus if gpu.temperature_celsius is not None]
    if measured_at > last.time:
        yield ResourceSample(
            time=measured_at,
            processes=last.processes,
            utilization_percent=sum(utilization) / len(utilization) if utilization else None,
            temperature_celsius=max(temperatures, default=None),
        )


def _utilization_chart(run: Run | None, window: _SampleWindow) -> Chart:
    values = window.values(_utilization)
    mean = f"{sum(values) / len(values):.0f}%" if values else ""
    curve = window.curve(_utilization, "mean", mean, Token.OK, "u")
    newest = f"{values[-1]:.0f}%" if values else ""
    indices = ",".join(str(gpu.index) for gpu in run.attempts[-1].gpus) if run is not None and run.attempts else ""
    title = f"GPU {indices} utilization" if indices else "GPU utilization"
    return window.chart(title, newest, [curve], Scale(0.0, 100.0), AxisUnit.PERCENT)


def _vram_chart(snapshot: Snapshot, run: Run | None, window: _SampleWindow) -> Chart:
    values = window.values(_gpu_memory)
    peak = max([*values, 0 if run is None else run.peak.vram_bytes or 0])
    total = _smallest_gpu_memory(snapshot, run)
    curves = [window.curve(_gpu_memory, "peak", numbers.memory_size(peak) if peak else "", Token.INFO, "m")]
    limit = _vram_limit(run, total)
    if limit is not None:
        curves.insert(0, window.limit(limit, "limit", numbers.memory_size(limit)))
    newest = numbers.memory_size(values[-1]) if values else ""
    return window.chart(
        "VRAM", newest, curves, Scale(0.0, max(peak, total or 0) or float(GIGABYTE)), AxisUnit.GIGABYTES
    )


def _smallest_gpu_memory(snapshot: Snapshot, run: Run | None) -> int | None:
    if run is None or not run.attempts or snapshot.sample is None:
        return None
    uuids = {gpu.uuid for gpu in run.attempts[-1].gpus}
    gpus = [gpu for gpu in snapshot.sample.readings.gpus if gpu.uuid in uuids]
    return min((gpu.memory_total_bytes for gpu in gpus if gpu.memory_total_bytes), default=None)


def _vram_limit(run: Run | None, total: int | None) -> float | None:
    limit = None if run is None else run.spec.limits.gpu_memory_limit
    if limit is None:
        return None
    if limit.bytes is not None:
        return float(limit.bytes)
    return None if limit.fraction is None or total is None else limit.fraction * total


def _temperature_chart(run: Run | None, window: _SampleWindow) -> Chart:
    values = window.values(_temperature)
    peak = f"{max(values):.0f} °C" if values else ""
    curves = [window.curve(_temperature, "peak", peak, Token.FG, "t")]
    limit = 0.0 if run is None else run.spec.limits.gpu_max_temp_celsius
    if run is not None and limit:
        label = {"pause": "pauses at", "stop": "stops at"}.get(run.spec.limits.on_overheat, "warns at")
        curves.insert(0, window.limit(limit, label, f"{limit:.0f}"))
    y = Scale(min([30.0, *values]), max([90.0, limit + 5, *values]))
    newest = f"{values[-1]:.0f} °C" if values else ""
    return window.chart("temperature", newest, curves, y, AxisUnit.CELSIUS)


def _cores(snapshot: Snapshot, used: Sequence[float]) -> float:
    """The number of cores of the machine, or how many the run used, at least one, if that is unknown."""
    cores = snapshot.sample.readings.host.cores if snapshot.sample is not None else None
    return max([1.0, cores or 0.0, *used])


def _cpu_chart(snapshot: Snapshot, window: _SampleWindow) -> Chart:
    values = window.values(_used_cores)
    curve = window.curve(_used_cores, "peak", f"{max(values):.1f}" if values else "", Token.OK, "c")
    newest = f"{values[-1]:.1f} cores" if values else ""
    return window.chart("CPU", newest, [curve], Scale(0.0, _cores(snapshot, values)), AxisUnit.CORES)


def _ram_chart(run: Run | None, window: _SampleWindow) -> Chart:
    values = window.values(_ram)
    peak = max([*values, 0 if run is None else run.peak.ram_bytes or 0])
    curve = window.curve(_ram, "peak", numbers.memory_size(peak) if peak else "", Token.VIOLET, "r")
    newest = numbers.memory_size(values[-1]) if values else ""
    return window.chart("RAM", newest, [curve], Scale(0.0, (peak or float(GIGABYTE)) * _HEADROOM), AxisUnit.GIGABYTES)


def draw_resources(view: ResourcesView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """Draws the tab in `height` lines: charts that fill it, or only values if there is too little room."""
    if view.problem:
        return [(), padded((Piece(f" {view.problem}", Token.MUTED),), width), *([()] * (height - 2))][:height]
    status = [_status_line(view, width)] if height > 2 else []
    room = height - len(status)
    if room < _MIN_CHART_ROWS - 1:
        values = [_value_line(chart, width) for chart in view.charts[:room]]
        return [*values, *([()] * (room - len(values))), *status]
    tiles = tiling(len(view.charts), width, room, columns=_MIN_CHART_WIDTH, rows=_MIN_CHART_ROWS)
    return [*draw_tiles(view.charts, tiles, width, glyphs), *status]


def _value_line(chart: Chart, width: int) -> Line:
    builder = LineBuilder().put(f" {chart.title:<18}"[:width], Token.MUTED)
    if builder.column + len(chart.value) <= width:
        builder.put(chart.value or "-", bold=True)
    for curve in chart.curves:
        if curve.label and builder.column + len(curve.label) + len(curve.value) + 4 <= width:
            builder.put(f"   {curve.label} ", Token.MUTED).put(curve.value)
    return padded(builder.line(), width)


def _status_line(view: ResourcesView, width: int) -> Line:
    count = "1 process" if view.processes == 1 else f"{view.processes} processes"
    builder = LineBuilder().put(f" {count}   last {view.range_text} (", Token.MUTED).extend(hint("x", "changes)"))
    return padded(builder.line(), width)
