"""The Resources tab: what the run used lately, with limits as lines and peaks in the legends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.columns import Bar
from backprop_tui.plotting.scale import Scale
from backprop_tui.presentation import numbers
from backprop_tui.tui.charts.chart import Chart, Curve, Unit
from backprop_tui.tui.charts.figures import RunFigures, Used
from backprop_tui.tui.charts.labels import span
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.tokens import Token

_GAP_SECONDS = 45.0  # without a sample: the curve is interrupted
_ROOM = 1.1
_SHORT_RANGES_SECONDS = (120.0, 300.0, 600.0)
_LIMIT_LETTER = "-"
Reading = Callable[[Used], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesView:
    """`processes` None where nothing was sampled yet; `range_words` say what time the charts show."""

    charts: tuple[Chart, ...]
    processes: int | None
    range_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """The samples that are shown; places on x are seconds before `end`."""

    samples: Sequence[Used]
    end: float
    seconds: float
    x_unit: Unit

    @property
    def x(self) -> Scale:
        return Scale(-self.seconds, 0.0)

    def known(self, reading: Reading) -> list[tuple[float, float]]:
        """Time and value where there is a reading."""
        return [(one.time, value) for one in self.samples if (value := reading(one)) is not None]

    def pieces(self, reading: Reading) -> tuple[tuple[Bar, ...], ...]:
        """Interrupted where it was not sampled."""
        pieces: list[list[Bar]] = []
        before = float("-inf")
        for time, value in self.known(reading):
            if time - before > _GAP_SECONDS:
                pieces.append([])
            pieces[-1].append((time - self.end, value, value))
            before = time
        return tuple(tuple(piece) for piece in pieces)

    def limit(self, value: float, label: str, shown: str) -> Curve:
        """A line over the whole width."""
        bars = ((-self.seconds, value, value), (0.0, value, value))
        return Curve(label=label, value=shown, token=Token.WARN, letter=_LIMIT_LETTER, pieces=(bars,), faint=True)


def resources_view(snapshot: Snapshot, figures: RunFigures, range_seconds: float, *, going_on: bool) -> ResourcesView:
    """The tab of one run; that of an ended run shows its last minutes."""
    samples = figures.used
    end = snapshot.moment.wall if going_on or not samples else samples[-1].time
    seconds = _filled_range(range_seconds, end - samples[0].time) if samples else range_seconds
    shown = [one for one in samples if end - seconds <= one.time <= end + 1]
    window = _Window(samples=shown, end=end, seconds=seconds, x_unit=Unit.AGO if going_on else Unit.BEFORE_END)
    gpus, run = list(_of_gpus(snapshot, figures.run, window)), figures.run
    others = [_ram(snapshot, run, window)] if gpus else [_cpu(snapshot, window), _ram_alone(run, window)]
    words = span(seconds) + ("" if going_on or not samples else " to its end")
    return ResourcesView(
        charts=(*gpus, *others), processes=samples[-1].processes if samples else None, range_words=words
    )


def _filled_range(wanted: float, known: float) -> float:
    """A shorter one where it was sampled for a short time only."""
    return next((seconds for seconds in _SHORT_RANGES_SECONDS if known <= seconds < wanted), wanted)


def _of_gpus(snapshot: Snapshot, run: Run | None, window: _Window) -> Iterator[Chart]:
    if not any(
        one.utilization_percent is not None or one.memory_bytes is not None or one.temperature_celsius is not None
        for one in window.samples
    ):
        return
    indices = [str(gpu.index) for gpu in run.attempts[-1].gpus] if run is not None and run.attempts else []
    which = f"GPU {','.join(indices)}" if indices else "GPU"
    yield _utilization(which, window)
    yield _vram(snapshot, run, window)
    yield _temperature(run, window)


def _utilization(which: str, window: _Window) -> Chart:
    known = [value for _, value in window.known(lambda one: one.utilization_percent)]
    curve = Curve(
        label="mean" if known else "",
        value=f"{sum(known) / len(known):.0f}%" if known else "",
        token=Token.OK,
        letter="u",
        pieces=window.pieces(lambda one: one.utilization_percent),
    )
    return _chart(
        f"{which} utilisation", _last(known, lambda value: f"{value:.0f}%"), [curve], window, 100.0, Unit.PERCENT
    )


def _vram(snapshot: Snapshot, run: Run | None, window: _Window) -> Chart:
    known = [value for _, value in window.known(lambda one: one.memory_bytes)]
    peak = max([*known, *([run.peak.vram_bytes] if run is not None and run.peak.vram_bytes else [])], default=None)
    curve = Curve(
        label="peak" if peak else "",
        value=numbers.size(peak),
        token=Token.INFO,
        letter="m",
        pieces=window.pieces(lambda one: one.memory_bytes),
    )
    total = _gpu_total(snapshot, run)
    curves, top = [curve], max(peak or 0, total or 0)
    limit = _memory_limit(run, total)
    if limit is not None:
        curves.insert(0, window.limit(limit, "limit", numbers.size(limit)))
    return _chart("VRAM", _last(known, numbers.size), curves, window, top or 1e9, Unit.GIGABYTES)


def _gpu_total(snapshot: Snapshot, run: Run | None) -> int | None:
    """Of the smallest of its GPUs."""
    if run is None or not run.attempts or snapshot.sample is None:
        return None
    mine = {gpu.uuid for gpu in run.attempts[-1].gpus}
    gpus = snapshot.sample.readings.gpus
    return min((one.memory_total_bytes for one in gpus if one.uuid in mine and one.memory_total_bytes), default=None)


def _memory_limit(run: Run | None, total: int | None) -> float | None:
    limit = None if run is None else run.spec.limits.gpu_memory_limit
    if limit is None:
        return None
    if limit.bytes is not None:
        return float(limit.bytes)
    return None if limit.fraction is None or total is None else limit.fraction * total


def _temperature(run: Run | None, window: _Window) -> Chart:
    known = [value for _, value in window.known(lambda one: one.temperature_celsius)]
    curve = Curve(
        label="peak" if known else "",
        value=f"{max(known):.0f} C" if known else "",
        token=Token.FG,
        letter="t",
        pieces=window.pieces(lambda one: one.temperature_celsius),
    )
    curves = [curve]
    limit = 0.0 if run is None else run.spec.limits.gpu_max_temp_celsius
    if limit:
        verb = {"pause": "pauses at", "stop": "stops at"}.get(run.spec.limits.on_overheat, "warns at") if run else ""
        curves.insert(0, window.limit(limit, verb, f"{limit:.0f}"))
    low = min([30.0, *known])
    high = max([90.0, limit + 5, *known])
    chart = _chart("temperature", _last(known, lambda value: f"{value:.0f} C"), curves, window, high, Unit.CELSIUS)
    return replace(chart, y=Scale(low, high))


def _cores(snapshot: Snapshot, used: Sequence[float]) -> float:
    """All there are, or as many as it used where that is not known."""
    cores = snapshot.sample.readings.host.cores if snapshot.sample is not None else None
    return max([*used, cores or 0.0], default=0.0) or 1.0


def _used_cores(one: Used) -> float | None:
    return None if one.cpu_percent is None else one.cpu_percent / 100


def _cpu(snapshot: Snapshot, window: _Window) -> Chart:
    known = [value for _, value in window.known(_used_cores)]
    curve = Curve(
        label="peak" if known else "",
        value=f"{max(known):.1f}" if known else "",
        token=Token.OK,
        letter="c",
        pieces=window.pieces(_used_cores),
    )
    value = _last(known, lambda cores: f"{cores:.1f} cores")
    return _chart("CPU", value, [curve], window, _cores(snapshot, known), Unit.CORES)


def _ram_alone(run: Run | None, window: _Window) -> Chart:
    known = [value for _, value in window.known(lambda one: one.ram_bytes)]
    peak = max([*known, *([run.peak.ram_bytes] if run is not None and run.peak.ram_bytes else [])], default=None)
    curve = Curve(
        label="peak" if peak else "",
        value=numbers.size(peak),
        token=Token.VIOLET,
        letter="r",
        pieces=window.pieces(lambda one: one.ram_bytes),
    )
    return _chart("RAM", _last(known, numbers.size), [curve], window, (peak or 1e9) * _ROOM, Unit.GIGABYTES)


def _ram(snapshot: Snapshot, run: Run | None, window: _Window) -> Chart:
    """RAM on the axis, CPU as a figure, and as a curve behind whose top is all cores."""
    chart = _ram_alone(run, window)
    known = [value for _, value in window.known(_used_cores)]
    if not known:
        return chart
    cores = _cores(snapshot, known)
    pieces = window.pieces(_used_cores)
    scaled = tuple(
        tuple((x, low / cores * chart.y.high, high / cores * chart.y.high) for x, low, high in piece)
        for piece in pieces
    )
    load = Curve(label=f"CPU of {cores:.0f} cores", token=Token.FAINT, letter="c", faint=True, pieces=scaled)
    return replace(chart, value=f"{chart.value}   CPU  {known[-1]:.1f} cores", curves=(load, *chart.curves))


def _chart(title: str, value: str, curves: Sequence[Curve], window: _Window, top: float, y_unit: Unit) -> Chart:
    return Chart(
        title=title,
        value=value,
        curves=tuple(curves),
        x=window.x,
        y=Scale(0.0, top),
        x_unit=window.x_unit,
        y_unit=y_unit,
        nothing="no reading yet",
    )


def _last(values: Sequence[float], shown: Callable[[float], str]) -> str:
    return shown(values[-1]) if values else ""
