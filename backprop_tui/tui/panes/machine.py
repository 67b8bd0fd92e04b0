"""The gauges of the machine: a row for each GPU, or several GPUs to a row, and one for the host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import RunLimits, is_hot, is_nearly_hot
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, HostReading
from backprop_tui.presentation import numbers
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.machine import foreign_process, gpu_problem, load, no_gpu_note, short_gpu_model, used_ram
from backprop_tui.tui.glyphs import Curves, Glyphs, bar, history
from backprop_tui.tui.layout import Layout, MachineForm
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, heading, left, right
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget

FULL_MEMORY = 0.97
_NOT_ANSWERING = frozenset({GpuHealth.LOST, GpuHealth.STALE, GpuHealth.UNKNOWN})
_STALE_SECONDS = 5.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuUser:
    text: str
    token: Token = Token.FG


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuRow:
    """One GPU; shares are between 0 and 1, None is no reading. `problem` replaces the readings."""

    index: int
    model: str
    utilization: float | None
    memory_share: float | None
    memory_used: int | None
    memory_total: int | None
    celsius: float | None
    watts: float | None
    fan_percent: float | None
    history: tuple[float | None, ...]
    user: GpuUser
    memory_token: Token = Token.INFO
    heat_token: Token = Token.FG
    hot: bool = False  # marked with a `!`
    problem: str | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """`note` says why there are no GPUs to show."""

    gpus: Sequence[GpuRow] = ()
    host: HostReading | None = None
    note: str | None = None


def machine_view(snapshot: Snapshot) -> MachineView:
    """The newest readings; those of a sampler that stopped answering are not shown as current."""
    sample = snapshot.sample
    if sample is None:
        return MachineView(note="measuring")
    readings = sample.readings
    active = {run.id: run for run in snapshot.runs if run.status in ACTIVE}
    age = snapshot.moment.wall - readings.time
    stale = age if age > max(_STALE_SECONDS, 3 * snapshot.limits.sample_seconds) else 0.0
    rows = [_gpu_row(gpu, active, snapshot, stale_seconds=stale) for gpu in readings.gpus]
    note = None if readings.gpus else no_gpu_note(readings, gpus_known=sample.gpus_known)
    return MachineView(gpus=tuple(rows), host=readings.host, note=note)


def _heat_limit(gpu: GpuReading, active: Iterable[KnownRun]) -> float:
    """The lowest limit of the runs on the GPU, or the default."""
    limits = [run.run.spec.limits.gpu_max_temp_celsius for run in active if run.run is not None and _is_on(run, gpu)]
    return min((limit for limit in limits if limit > 0), default=RunLimits().gpu_max_temp_celsius)


def _share(used: float | None, total: float | None) -> float | None:
    return None if used is None or not total else used / total


def _gpu_row(gpu: GpuReading, active: Mapping[str, KnownRun], snapshot: Snapshot, *, stale_seconds: float) -> GpuRow:
    celsius, used, total = gpu.temperature_celsius, gpu.memory_used_bytes, gpu.memory_total_bytes
    share = _share(used, total)
    limit = _heat_limit(gpu, active.values())
    problem = None
    if gpu.health in _NOT_ANSWERING or stale_seconds:
        problem = gpu_problem(gpu.problem, gpu.age_seconds + stale_seconds, snapshot.moment.wall)
    return GpuRow(
        index=gpu.index,
        model=short_gpu_model(gpu.name),
        utilization=_share(gpu.utilization_percent, 100),
        memory_share=share,
        memory_used=used,
        memory_total=total,
        celsius=celsius,
        watts=gpu.power_watts,
        fan_percent=gpu.fan_percent,
        history=snapshot.histories.get(gpu.uuid, ()),
        user=_user(gpu, active, snapshot),
        memory_token=Token.WARN if share is not None and share >= FULL_MEMORY else Token.INFO,
        heat_token=Token.BAD if is_hot(celsius, limit) else Token.WARN if is_nearly_hot(celsius, limit) else Token.FG,
        hot=is_nearly_hot(celsius, limit),
        problem=problem,
    )


def _user(gpu: GpuReading, active: Mapping[str, KnownRun], snapshot: Snapshot) -> GpuUser:
    runs = [run for run in active.values() if _is_on(run, gpu)]
    of_processes = [
        active[run_id] for process in gpu.processes if (run_id := process.run) is not None and run_id in active
    ]
    runs += [run for run in of_processes if run not in runs]
    if runs:
        paused = runs[0].status is Status.PAUSED
        more = f" +{len(runs) - 1}" if len(runs) > 1 else ""
        text = sanitize(runs[0].label) + (" paused" if paused else "") + more
        return GpuUser(text=text, token=Token.WARN if paused else Token.FG)
    foreign = [process for process in gpu.processes if process.run is None or snapshot.find(process.run) is None]
    if foreign:
        more = f" +{len(foreign) - 1}" if len(foreign) > 1 else ""
        return GpuUser(text=foreign_process(foreign[0]) + more, token=Token.WARN)
    return GpuUser(text="idle", token=Token.MUTED)


def _is_on(run: KnownRun, gpu: GpuReading) -> bool:
    return any(of_run.get("uuid") == gpu.uuid for of_run in run.record.get("gpus") or ())


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GaugeColumns:
    """The columns of the gauges and their widths."""

    short: bool
    name: int
    utilization: int
    memory: int
    history: int
    fan: bool
    width: int

    @property
    def bar_at(self) -> int:
        return 1 + self.name + 1

    @property
    def memory_at(self) -> int:
        return self.bar_at + self.utilization + 7

    @property
    def heat_at(self) -> int:
        return self.memory_at + self.memory + 13


def gauge_columns(width: int) -> GaugeColumns:
    if width < 100:
        return GaugeColumns(short=True, name=4, utilization=10, memory=8, history=8, fan=False, width=width)
    spare = max(0, min(80, width - 120))
    return GaugeColumns(
        short=False,
        name=12,
        utilization=14 + spare * 3 // 20,
        memory=12 + spare // 10,
        history=12 + spare * 9 // 40,
        fan=width >= 110,
        width=width,
    )


def draw_machine(
    view: MachineView, form: MachineForm, width: int, glyphs: Glyphs, *, heading_row: bool, host_row: bool
) -> list[Line]:
    """All rows, also those for which there is no room: the widget scrolls them."""
    columns = gauge_columns(width)
    lines: list[Line] = [_machine_heading(columns, glyphs)] if heading_row else []
    match form:
        case MachineForm.FULL | MachineForm.SHORT:
            lines += [_gpu_line(gpu, columns, glyphs) for gpu in view.gpus]
        case MachineForm.PAIRS:
            lines += _side_by_side([_half(gpu, width // 2, glyphs) for gpu in view.gpus], 2, width)
        case MachineForm.FOURS:
            lines += _side_by_side([_quarter(gpu) for gpu in view.gpus], 4, width)
        case MachineForm.LINE:
            return [_one_line(view, width, glyphs)]
        case MachineForm.NONE:
            return []
    if host_row and view.host is not None:
        lines.append(_host_line(view.host, columns, glyphs, note=view.note))
    elif view.note is not None:
        lines.append((Piece(" " + clip(view.note, width - 2, glyphs), Token.MUTED),))
    return lines


def _machine_heading(columns: GaugeColumns, glyphs: Glyphs) -> Line:
    after = columns.heat_at + 13 + (5 if columns.fan else 0)
    minutes = columns.history * 2 * 15 // 60
    parts = [
        (2, [Piece("Machine", bold=True)]),
        (columns.bar_at + 1, [Piece("util", Token.MUTED)]),
        (columns.memory_at, [Piece("memory", Token.MUTED)]),
        (columns.heat_at, [Piece("temp  power" + ("  fan" if columns.fan else ""), Token.MUTED)]),
    ]
    if glyphs.curves is not Curves.ASCII:
        parts.append((after, [Piece(f"last {minutes} min", Token.MUTED)]))
    return heading(parts, columns.width, glyphs)


def _gpu_line(gpu: GpuRow, columns: GaugeColumns, glyphs: Glyphs) -> Line:
    builder = LineBuilder()
    builder.put(" ").put(f"GPU{gpu.index}" if columns.short else f"GPU {gpu.index} ", bold=True)
    if not columns.short:
        builder.put(clip(gpu.model, columns.name - 6, glyphs), Token.MUTED)
    builder.at(columns.bar_at)
    if gpu.problem is not None:
        room = columns.width - builder.column - 1
        return builder.put(clip(f"{glyphs.state('failed')} {gpu.problem}", room, glyphs), Token.BAD).line()
    _bar(builder, gpu.utilization, columns.utilization, Token.OK, glyphs)
    _percent(builder, gpu.utilization)
    builder.put("  ")
    _bar(builder, gpu.memory_share, columns.memory, gpu.memory_token, glyphs)
    _memory(builder, gpu.memory_used, gpu.memory_total, gpu.memory_token, short=columns.short)
    _heat(builder, gpu, short=columns.short, fan=columns.fan)
    _history(builder, gpu.history, columns.history, glyphs)
    room = columns.width - builder.column - 1
    return builder.put(clip(gpu.user.text, room, glyphs), gpu.user.token).line()


def _bar(builder: LineBuilder, share: float | None, width: int, token: Token, glyphs: Glyphs) -> None:
    filled, track = bar(share, width, glyphs)
    builder.put(filled, token).put(track, Token.FAINT)


def _percent(builder: LineBuilder, share: float | None) -> None:
    text = numbers.percent(None if share is None else share * 100)
    builder.put(f"{text:>5}", Token.MUTED if share is None else Token.FG)


def _memory(builder: LineBuilder, used: int | None, total: int | None, token: Token, *, short: bool) -> None:
    token_of_used = Token.WARN if token is Token.WARN else Token.MUTED if used is None else Token.FG
    if short:
        text = numbers.NOTHING if used is None else f"{used / 1e9:.0f}"
        builder.put(f"{text:>4}", token_of_used).put(f"/{numbers.total_gigabytes(total)}G".ljust(5), Token.MUTED)
        return
    builder.put(f"{numbers.used_gigabytes(used):>5}", token_of_used)
    builder.put(f"/{numbers.total_gigabytes(total)} GB".ljust(7), Token.MUTED)


def _heat(builder: LineBuilder, gpu: GpuRow, *, short: bool, fan: bool) -> None:
    token = gpu.heat_token if gpu.celsius is not None else Token.MUTED
    mark = "!" if gpu.hot else " "
    builder.put(f"{mark}{numbers.whole(gpu.celsius):>2}", token, bold=gpu.hot).put("C" if short else "°C", Token.MUTED)
    watts = numbers.whole(gpu.watts)
    builder.put(f"{watts:>5}", Token.MUTED if gpu.watts is None else Token.FG).put("W" if short else " W", Token.MUTED)
    if fan:
        builder.put(f"{numbers.percent(gpu.fan_percent):>5}", Token.MUTED if gpu.fan_percent is None else Token.FG)


def _history(builder: LineBuilder, samples: Sequence[float | None], width: int, glyphs: Glyphs) -> None:
    builder.put(" " if width <= 8 else "  ")
    if glyphs.curves is not Curves.ASCII:
        builder.put(history(samples, width, glyphs.curves), Token.MUTED)
        builder.put(" " if width <= 8 else "  ")


def _host_line(host: HostReading, columns: GaugeColumns, glyphs: Glyphs, *, note: str | None) -> Line:
    builder = LineBuilder()
    cores = "" if host.cores is None or columns.short else f" {host.cores:g} cores"
    builder.put(" ").put("CPU", bold=True).put(clip(cores, columns.name - 3, glyphs), Token.MUTED).at(columns.bar_at)
    cpu, used = _share(host.cpu_percent, 100), used_ram(host)
    _bar(builder, cpu, columns.utilization, Token.OK, glyphs)
    _percent(builder, cpu)
    builder.put("  ")
    _bar(builder, _share(used, host.ram_total_bytes), columns.memory, Token.INFO, glyphs)
    _memory(builder, used, host.ram_total_bytes, Token.INFO, short=columns.short)
    loaded, disk = load(host.load_1m), numbers.compact_size(host.disk_free_bytes)
    if not columns.short:
        loaded, disk = f"{loaded:<5}", numbers.size(host.disk_free_bytes)
        builder.at(columns.heat_at - 1)
    builder.put(" load ", Token.MUTED).put(loaded).put("  disk ", Token.MUTED).put(disk).put(" free", Token.MUTED)
    if note is not None:
        room = columns.width - builder.column - 4
        text = note if len(note) <= room else clip(note.split(" · ")[0], room, glyphs)
        is_whole = note.startswith(text)
        builder.put(f"   {text}" if is_whole or room > 10 else "", Token.MUTED)
    return builder.line()


def _half(gpu: GpuRow, width: int, glyphs: Glyphs) -> list[Piece]:
    """`0 ━━━╸── 87% 61G 71C name`."""
    builder = LineBuilder()
    builder.put(f" {gpu.index:>2} ", bold=True)
    if gpu.problem is not None:
        builder.put(clip(f"{glyphs.state('failed')} {gpu.problem}", width - builder.column - 1, glyphs), Token.BAD)
        return list(builder.line())
    _bar(builder, gpu.utilization, 8, Token.OK, glyphs)
    _percent(builder, gpu.utilization)
    _small(builder, gpu)
    builder.put(" ").put(left(gpu.user.text, max(0, width - builder.column - 1), glyphs), gpu.user.token)
    return list(builder.line())


def _small(builder: LineBuilder, gpu: GpuRow) -> None:
    memory = numbers.NOTHING if gpu.memory_used is None else f"{gpu.memory_used / 1e9:.0f}"
    builder.put(f"{memory:>4}").put("G", Token.MUTED)
    heat = f"{'!' if gpu.hot else ' '}{numbers.whole(gpu.celsius)}"
    builder.put(f"{heat:>4}", gpu.heat_token).put("C", Token.MUTED)


def _quarter(gpu: GpuRow) -> list[Piece]:
    """`0 87% 61G 71C`."""
    builder = LineBuilder()
    builder.put(f" {gpu.index:>2}", bold=True)
    if gpu.problem is not None:
        return list(builder.put(" not answering", Token.BAD).line())
    _percent(builder, gpu.utilization)
    _small(builder, gpu)
    return list(builder.line())


def _side_by_side(parts: Sequence[list[Piece]], count: int, width: int) -> list[Line]:
    lines = []
    for start in range(0, len(parts), count):
        builder = LineBuilder()
        for index, part in enumerate(parts[start : start + count]):
            builder.at(index * (width // count))
            builder.extend(part)
        lines.append(builder.line())
    return lines


def _one_line(view: MachineView, width: int, glyphs: Glyphs) -> Line:
    """`0 87% 61G 71C | 1 0% 75G !84C`, or the host if there is no GPU."""
    builder = LineBuilder()
    for index, gpu in enumerate(view.gpus):
        part = _quarter(gpu)
        if builder.column + 24 > width and index < len(view.gpus) - 1:
            builder.put(f" +{len(view.gpus) - index}", Token.MUTED)
            break
        builder.put(f" {glyphs.divider}" if index else "", Token.RULE)
        builder.extend(part)
    host = view.host
    if host is not None and builder.column + 22 <= width:
        builder.put(f" {glyphs.divider}" if view.gpus else "", Token.RULE)
        builder.put(" CPU", bold=True)
        _percent(builder, _share(host.cpu_percent, 100))
        ram = f"{numbers.used_gigabytes(used_ram(host))}/{numbers.total_gigabytes(host.ram_total_bytes)}G"
        builder.put(right(ram, 10, glyphs))
    return builder.line()


class MachineBar(LineWidget):
    """The gauges of host and GPUs; the wheel scrolls when there are more GPUs than rows."""

    WHEEL_ROWS = 1
    _top = 0
    _lines_drawn: tuple[Line, ...] = ()
    _heading_rows = 0
    _rows = 0

    def show_view(self, view: MachineView, layout: Layout) -> None:
        lines = draw_machine(
            view,
            layout.machine_form,
            layout.width,
            self.glyphs,
            heading_row=layout.machine_heading,
            host_row=layout.host_row,
        )
        self._lines_drawn, self._rows = tuple(lines), layout.machine_rows
        self._heading_rows = int(layout.machine_heading)
        self._paint()

    def _paint(self) -> None:
        self._top = max(0, min(self._top, len(self._lines_drawn) - self._rows))
        start = self._heading_rows + self._top
        rows = self._lines_drawn[start : start + self._rows - self._heading_rows]
        self.show([*self._lines_drawn[: self._heading_rows], *rows])

    def turn_wheel(self, rows: int) -> None:
        self._top += rows
        self._paint()
