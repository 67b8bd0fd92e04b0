"""The Resources tab: what the run used lately, with limits as lines and peaks in the legends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from backprop_tui.domain.run import Run
from backprop_tui.plotting.columns import Bar
from backprop_tui.plotting.scale import Scale
from backprop_tui.tui.charts.chart import Chart, Curve, Unit
from backprop_tui.tui.charts.figures import RunFigures, Used
from backprop_tui.tui.charts.labels import span
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import numbers

_GAP_SECONDS = 45.0  # without a sample: the curve is interrupted
_ROOM = 1.1
_LIMIT_LETTER = "-"
Reading = Callable[[Used], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesView:
    """`processes` None where nothing was sampled yet; `end` says what the right end of the charts is."""

    charts: tuple[Chart, ...]
    processes: int | None
    range_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """The samples that are shown; places on x are seconds before `end`."""

    samples: Sequence[Used]
    end: float
    seconds: float

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
    window = _Window(
        samples=[one for one in samples if end - range_seconds <= one.time <= end + 1], end=end, seconds=range_seconds
    )
    charts = [*_of_gpus(snapshot, figures.run, window), _ram(snapshot, figures.run, window)]
    words = f"{span(range_seconds)}" + ("" if going_on or not samples else " to its end")
    return ResourcesView(charts=tuple(charts), processes=samples[-1].processes if samples else None, range_words=words)


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
    return Chart(
        title=chart.title,
        value=chart.value,
        curves=chart.curves,
        x=chart.x,
        y=Scale(low, high),
        x_unit=chart.x_unit,
        y_unit=chart.y_unit,
        nothing=chart.nothing,
    )


def _ram(snapshot: Snapshot, run: Run | None, window: _Window) -> Chart:
    """RAM on the axis, CPU as a figure and as a second curve of which the top is all cores."""
    known = [value for _, value in window.known(lambda one: one.ram_bytes)]
    cpu = [value for _, value in window.known(lambda one: one.cpu_percent)]
    peak = max([*known, *([run.peak.ram_bytes] if run is not None and run.peak.ram_bytes else [])], default=None)
    top = (peak or 1e9) * _ROOM
    cores = snapshot.sample.readings.host.cores if snapshot.sample is not None else None
    ram = Curve(
        label="peak" if peak else "",
        value=numbers.size(peak),
        token=Token.VIOLET,
        letter="r",
        pieces=window.pieces(lambda one: one.ram_bytes),
    )
    most = max([*(value / 100 for value in cpu), cores or 0.0], default=0.0) or 1.0
    load = Curve(
        label=f"CPU of {most:.0f} cores" if cpu else "",
        value="",
        token=Token.FAINT,
        letter="c",
        faint=True,
        pieces=tuple(
            tuple((x, low / 100 / most * top, high / 100 / most * top) for x, low, high in piece)
            for piece in window.pieces(lambda one: one.cpu_percent)
        ),
    )
    value = _last(known, numbers.size) + (f"   CPU  {cpu[-1] / 100:.1f} cores" if cpu else "")
    return _chart("RAM", value, [load, ram], window, top, Unit.GIGABYTES)


def _chart(title: str, value: str, curves: Sequence[Curve], window: _Window, top: float, y_unit: Unit) -> Chart:
    return Chart(
        title=title,
        value=value,
        curves=tuple(curves),
        x=window.x,
        y=Scale(0.0, top),
        x_unit=Unit.AGO,
        y_unit=y_unit,
        nothing="no reading yet",
    )


def _last(values: Sequence[float], shown: Callable[[float], str]) -> str:
    return shown(values[-1]) if values else ""
