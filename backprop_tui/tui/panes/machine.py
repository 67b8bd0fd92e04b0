"""The gauges of the machine: a row for each GPU, or several GPUs to a row, and one for the host."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len
from textual import events, on
from textual.message import Message

from backprop_tui.domain.formatting import duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.telemetry import HostReading
from backprop_tui.presentation import numbers
from backprop_tui.presentation.machine import load, used_ram
from backprop_tui.probes.histories import HISTORY_SECONDS
from backprop_tui.tui.glyphs import Curves, Glyphs, bar, history, points_shown, stretched
from backprop_tui.tui.layout import Layout, MachineForm
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, clip_name, heading, left, right
from backprop_tui.tui.panes.gauges import GpuRow, MachineView, share_of
from backprop_tui.tui.widgets.line_widget import LineWidget

_MOST_NAME = 12  # cells of a GPU with its model or its node on a narrow screen
_MOST_MODEL = 7  # cells of it where two GPUs share a row
HIGH_LOAD = 0.9  # a figure at this share of its bar has the color of the bar


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GaugeColumns:
    """The columns of the gauges and their widths; 0 is a column that no GPU has a reading for."""

    width: int
    short: bool
    name: int
    utilization: int
    memory: int
    power: int
    fan: int
    history: int
    points: int  # of the histories

    @property
    def bar_at(self) -> int:
        return 1 + self.name + 1

    @property
    def memory_at(self) -> int:
        return self.bar_at + self.utilization + 7

    @property
    def heat_at(self) -> int:
        """After the figures of the memory."""
        return self.memory_at + self.memory + (9 if self.short else 13)

    @property
    def power_at(self) -> int:
        return self.heat_at + 6

    @property
    def history_at(self) -> int:
        return self.power_at + self.power + self.fan + 1 + int(not self.short)

    @property
    def users_at(self) -> int:
        return self.history_at + self.history + (1 if self.short else 2)


def gauge_columns(view: MachineView, width: int, *, with_history: bool = True) -> GaugeColumns:
    """What the name columns and figures leave is shared by the bars, the history and the names of the runs."""
    short = width < 100
    power = 0 if not view.has("watts") else 10 if view.has("watt_limit") and not short else 7
    fan = 5 if view.has("fan_percent") and width >= 110 else 0
    longest = max((len(gpu.label if gpu.node else f"GPU{gpu.label} {gpu.model}") for gpu in view.gpus), default=4)
    if short:
        columns = GaugeColumns(
            short=True,
            name=max(4, min(longest, _MOST_NAME)),
            utilization=8,
            memory=7,
            power=power,
            fan=0,
            history=6,
            points=0,
            width=width,
        )
    else:
        spare = max(0, min(100, width - 120))
        columns = GaugeColumns(
            short=False,
            name=max(12, min(1 + longest, 14 + spare // 8)),
            utilization=14 + spare * 3 // 20,
            memory=12 + spare // 10,
            power=power,
            fan=fan,
            history=(8 if width < 110 else 12) + spare * 3 // 10 if with_history else 0,
            points=0,
            width=width,
        )
    return replace(columns, points=points_shown([gpu.history for gpu in view.gpus], columns.history))


def draw_machine(
    view: MachineView,
    form: MachineForm,
    width: int,
    glyphs: Glyphs,
    *,
    heading_row: bool,
    host_row: bool,
    with_history: bool = True,
) -> list[Line]:
    """All rows, also those for which there is no room: the widget scrolls them."""
    is_full_row, note = form in (MachineForm.FULL, MachineForm.SHORT), view.note
    columns = gauge_columns(view if is_full_row else replace(view, gpus=()), width, with_history=with_history)
    models = Counter(gpu.model for gpu in view.gpus if gpu.model)
    lines: list[Line] = [_machine_heading(columns, glyphs)] if heading_row else []
    match form:
        case MachineForm.FULL | MachineForm.SHORT:
            lines += [_gpu_line(gpu, columns, glyphs) for gpu in view.gpus]
        case MachineForm.PAIRS:
            name = min(_MOST_MODEL, max(map(len, models))) if len(models) > 1 else 0
            lines += _side_by_side([_half(gpu, width // 2, name, glyphs) for gpu in view.gpus], 2, width)
        case MachineForm.FOURS:
            lines += _side_by_side([_quarter(gpu) for gpu in view.gpus], 4, width)
        case MachineForm.LINE:
            return [_one_line(view, width, glyphs)]
        case MachineForm.NONE:
            return []
    if form is MachineForm.FOURS or (form is MachineForm.PAIRS and len(models) == 1):  # rows without a model
        note = note or " · ".join(f"{count} × {model}" for model, count in models.items()) or None
    if host_row and view.host is not None:
        lines.append(_host_line(view.host, columns, glyphs, note=note))
    elif note is not None:
        lines.append((Piece(" " + clip(note, width - 2, glyphs), Token.MUTED),))
    return lines


def _machine_heading(columns: GaugeColumns, glyphs: Glyphs) -> Line:
    history = duration(columns.points * HISTORY_SECONDS)
    heads = [
        (2, [Piece("Machine", bold=True)]),
        (columns.bar_at + 1, [Piece("util", Token.MUTED)]),
        (columns.memory_at, [Piece("memory", Token.MUTED)]),
        (columns.heat_at + 1, [Piece("temp", Token.MUTED)] if columns.power else []),
        (columns.power_at + columns.power - 5, [Piece("power", Token.MUTED)] if columns.power else []),
        (columns.power_at + columns.power + 2, [Piece("fan", Token.MUTED)] if columns.fan else []),
    ]
    if glyphs.curves is not Curves.ASCII and columns.power and columns.history:
        heads.append((columns.history_at, [Piece(f"last {history}", Token.MUTED)]))
    return heading([(column, pieces) for column, pieces in heads if pieces], columns.width, glyphs)


def _gpu_line(gpu: GpuRow, columns: GaugeColumns, glyphs: Glyphs) -> Line:
    builder = LineBuilder()
    label = gpu.label if gpu.node else f"GPU{gpu.index}" if columns.short else f"GPU {gpu.index}"
    label = label if len(label) <= columns.name else glyphs.clipped + label[1 - columns.name :]
    builder.put(" ").put(label, gpu.heat_token if gpu.hot else Token.FG, bold=True)
    if columns.name - len(label) > 2:
        builder.put(" ").put(_whole_words(gpu.model, columns.name - len(label) - 1, glyphs), Token.MUTED)
    builder.at(columns.bar_at)
    if gpu.problem is not None:
        return _problem(builder, gpu, columns.width, columns.users_at, glyphs).line()
    _bar(builder, gpu.utilization, columns.utilization, Token.OK, glyphs)
    _percent(builder, gpu.utilization, at_high_load=Token.OK)
    builder.put("  ")
    _bar(builder, gpu.memory_share, columns.memory, gpu.memory_token, glyphs)
    _memory(builder, gpu.memory_used, gpu.memory_total, gpu.memory_token, short=columns.short)
    _heat(builder.at(columns.heat_at), gpu)
    if columns.power:
        _power(builder, gpu, columns)
    if columns.fan:
        builder.put(f"{numbers.percent(gpu.fan_percent):>5}", Token.MUTED if gpu.fan_percent is None else Token.FG)
    if columns.history and glyphs.curves is not Curves.ASCII:
        points = stretched(gpu.history, columns.points, columns.history)
        builder.at(columns.history_at).put(history(points, columns.history, glyphs.curves), Token.MUTED)
        builder.at(columns.users_at)
    return _with_users(builder.at(columns.history_at), gpu, columns.width, glyphs).line()


def _whole_words(text: str, room: int, glyphs: Glyphs) -> str:
    """As many words as fit, of the first one its beginning."""
    words = text.split(" ")
    while len(words) > 1 and cell_len(" ".join(words)) > room:
        words.pop()
    return clip(" ".join(words), room, glyphs)


def _problem(builder: LineBuilder, gpu: GpuRow, width: int, users_at: int, glyphs: Glyphs) -> LineBuilder:
    """Why the GPU does not answer, and whose runs are on it, at their column or where there is room."""
    users = cell_len(", ".join(user.text for user in gpu.users))
    users_at = max(users_at, width - 1 - users)
    room = users_at - builder.column - 2 if users else width - builder.column - 1
    text = clip(f"{glyphs.state('failed')} {gpu.problem}", room, glyphs)
    return _with_users(builder.put(text, Token.BAD).at(users_at), gpu, width, glyphs)


def _with_users(builder: LineBuilder, gpu: GpuRow, width: int, glyphs: Glyphs) -> LineBuilder:
    """As many users of the GPU as there is room for; the number of the others."""
    for index, user in enumerate(gpu.users):
        rest = len(gpu.users) - index - 1
        more = f" +{rest}" if rest else ""
        room = width - builder.column - 1 - (2 if index else 0)
        if index and cell_len(user.text + more) > room:
            return builder.put(f" +{rest + 1}", Token.MUTED)
        builder.put(", " if index else "", Token.MUTED)
        text = user.short if user.short and cell_len(user.text + more) > room else user.text
        builder.put(clip_name(text, room - len(more), glyphs), user.token)
    return builder


def _bar(builder: LineBuilder, share: float | None, width: int, token: Token, glyphs: Glyphs) -> None:
    filled, track = bar(share, width, glyphs)
    builder.put(filled, token).put(track, Token.FAINT)


def _percent(builder: LineBuilder, share: float | None, *, at_high_load: Token = Token.FG) -> None:
    text = numbers.percent(None if share is None else share * 100)
    builder.put(f"{text:>5}", _figure_token(share, at_high_load))


def _figure_token(share: float | None, at_high_load: Token) -> Token:
    return Token.MUTED if share is None else at_high_load if share >= HIGH_LOAD else Token.FG


def _memory(builder: LineBuilder, used: int | None, total: int | None, token: Token, *, short: bool) -> None:
    """Used of all memory; when it is nearly full in the color of its bar."""
    token_of_used = _figure_token(None if used is None else share_of(used, total) or 0.0, token)
    if short:
        text = numbers.NOTHING if used is None else f"{used / GIGABYTE:.0f}"
        builder.put(f"{text:>4}", token_of_used).put(f"/{numbers.total_gigabytes(total)}G".ljust(5), Token.MUTED)
        return
    builder.put(f"{numbers.used_gigabytes(used):>5}", token_of_used)
    builder.put(f"/{numbers.total_gigabytes(total)} GB".ljust(7), Token.MUTED)


def _heat(builder: LineBuilder, gpu: GpuRow) -> None:
    token = gpu.heat_token if gpu.celsius is not None else Token.MUTED
    mark = "!" if gpu.hot else " "
    builder.put(f"{mark}{numbers.whole(gpu.celsius):>2}", token, bold=gpu.hot).put(" °C", Token.MUTED)


def _power(builder: LineBuilder, gpu: GpuRow, columns: GaugeColumns) -> None:
    """`412/700W`, or `412 W` if the limit of no GPU is known."""
    cap = f"/{numbers.whole(gpu.watt_limit)}W" if columns.power > 7 else "W" if columns.short else " W"
    token = _figure_token(share_of(gpu.watts, gpu.watt_limit or math.inf), Token.WARN)
    builder.put(f"{numbers.whole(gpu.watts):>{columns.power - len(cap)}}", token).put(cap, Token.MUTED)


def _host_line(host: HostReading, columns: GaugeColumns, glyphs: Glyphs, *, note: str | None) -> Line:
    builder = LineBuilder()
    cores = "" if host.cores is None or columns.short else f" {host.cores:g} cores"
    builder.put(" ").put("CPU", bold=True).put(clip(cores, columns.name - 3, glyphs), Token.MUTED).at(columns.bar_at)
    cpu, used = share_of(host.cpu_percent, 100), used_ram(host)
    _bar(builder, cpu, columns.utilization, Token.OK, glyphs)
    _percent(builder, cpu)
    builder.put("  ")
    _bar(builder, share_of(used, host.ram_total_bytes), columns.memory, Token.INFO, glyphs)
    _memory(builder, used, host.ram_total_bytes, Token.INFO, short=columns.short)
    loaded, disk = load(host.load_1m), numbers.compact_size(host.disk_free_bytes)
    if not columns.short:
        loaded, disk = f"{loaded:<5}", numbers.size(host.disk_free_bytes)
        builder.at(columns.heat_at)
    builder.put(" load ", Token.MUTED).put(loaded).put("  disk ", Token.MUTED).put(disk).put(" free", Token.MUTED)
    if note is not None:
        room = columns.width - builder.column - 4
        text = note if len(note) <= room else clip(note.split(" · ")[0], room, glyphs)
        is_whole = note.startswith(text)
        builder.put(f"   {text}" if is_whole or room > 10 else "", Token.MUTED)
    return builder.line()


def _half(gpu: GpuRow, width: int, name: int, glyphs: Glyphs) -> list[Piece]:
    """`0 ━━━╸── 87% 61G 71 °C name`; the model, in `name` cells, takes its room from the bar."""
    builder, bar_cells = LineBuilder(), max(6, width // 6)
    builder.put(f" {gpu.label:>2} ", bold=True)
    if name:
        builder.put(left(_whole_words(gpu.model, name, glyphs), name, glyphs), Token.MUTED)
        builder.put(" " if gpu.problem is not None or name < bar_cells else "")
    if gpu.problem is not None:
        return list(_problem(builder, gpu, width, width * 2 // 3, glyphs).line())
    _bar(builder, gpu.utilization, max(0, bar_cells - name - 1) if name else bar_cells, Token.OK, glyphs)
    _percent(builder, gpu.utilization, at_high_load=Token.OK)
    _small(builder, gpu)
    return list(_with_users(builder.put(" "), gpu, width, glyphs).line())


def _small(builder: LineBuilder, gpu: GpuRow) -> None:
    memory = numbers.NOTHING if gpu.memory_used is None else f"{gpu.memory_used / GIGABYTE:.0f}"
    builder.put(f"{memory:>4}", _figure_token(gpu.memory_share, gpu.memory_token)).put("G", Token.MUTED)
    heat = f"{'!' if gpu.hot else ' '}{numbers.whole(gpu.celsius)}"
    builder.put(f"{heat:>4}", gpu.heat_token).put(" °C", Token.MUTED)


def _quarter(gpu: GpuRow) -> list[Piece]:
    """`0 87% 61G 71 °C`."""
    builder = LineBuilder()
    builder.put(f" {gpu.label:>2}", bold=True)
    if gpu.problem is not None:
        return list(builder.put(f" {gpu.problem.partition(' since')[0]}", Token.BAD).line())
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
    """`0 87% 61G 71 °C | 1 0% 75G !84 °C`, or the host if there is no GPU."""
    builder = LineBuilder()
    for index, gpu in enumerate(view.gpus):
        part = _quarter(gpu)
        if builder.column + 26 > width and index < len(view.gpus) - 1:
            builder.put(f" +{len(view.gpus) - index}", Token.MUTED)
            break
        builder.put(f" {glyphs.divider}" if index else "", Token.RULE)
        builder.extend(part)
    host = view.host
    if host is not None and builder.column + 22 <= width:
        builder.put(f" {glyphs.divider}" if view.gpus else "", Token.RULE)
        builder.put(" CPU", bold=True)
        _percent(builder, share_of(host.cpu_percent, 100))
        ram = f"{numbers.used_gigabytes(used_ram(host))}/{numbers.total_gigabytes(host.ram_total_bytes)}G"
        builder.put(right(ram, 10, glyphs))
    return builder.line()


class MachineBar(LineWidget):
    """The gauges of host and GPUs; the wheel scrolls when there are more GPUs than rows."""

    WHEEL_ROWS = 1
    _gpus: Sequence[GpuRow] = ()
    _form = MachineForm.NONE
    _top = 0
    _lines_drawn: tuple[Line, ...] = ()
    _heading_rows = 0
    _rows = 0

    class GpuClicked(Message):
        """The gauges of a GPU were clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def show_view(self, view: MachineView, layout: Layout) -> None:
        self._gpus, self._form = view.gpus, layout.machine_form
        lines = draw_machine(
            view,
            layout.machine_form,
            layout.width,
            self.glyphs,
            heading_row=layout.machine_heading,
            host_row=layout.host_row,
            with_history=not layout.history_rows,
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

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        row = event.y - self._heading_rows
        place = self._place_at(event.x, row + self._top)
        gpu = self._gpus[place] if row >= 0 and place < len(self._gpus) else None
        if gpu is not None and gpu.index is not None and not gpu.node:
            self.post_message(self.GpuClicked(gpu.index))

    def _place_at(self, x: int, row: int) -> int:
        """The place of the GPU whose gauges are at a column of a row."""
        if self._form is MachineForm.LINE:
            return self.line_text(0)[:x].count(self.glyphs.divider)
        beside = {MachineForm.PAIRS: 2, MachineForm.FOURS: 4}.get(self._form, 1)
        return row * beside + min(beside - 1, x * beside // max(1, self.size.width))
