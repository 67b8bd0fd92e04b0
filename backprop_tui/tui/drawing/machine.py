"""The gauges in each form: a full row, a short one, two or four to a row, all in one line."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.values import dataclass
from backprop_tui.tui.drawing.lines import LineBuilder, heading
from backprop_tui.tui.layout import MachineForm
from backprop_tui.tui.view.machine import GpuRow, HostRow, MachineView
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording import numbers
from backprop_tui.tui.wording.bars import bar
from backprop_tui.tui.wording.cells import clip, left, right
from backprop_tui.tui.wording.curves import history
from backprop_tui.tui.wording.glyphs import Curves, Glyphs


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Columns and widths of the gauges."""

    short: bool
    name: int
    utilization: int
    memory: int
    history: int
    fan: bool
    width: int

    @property
    def bar_at(self) -> int:
        """Where the utilisation begins."""
        return 1 + self.name + 1

    @property
    def memory_at(self) -> int:
        """Where the memory begins."""
        return self.bar_at + self.utilization + 7

    @property
    def heat_at(self) -> int:
        """Where the temperature begins, behind the figures of the memory."""
        return self.memory_at + self.memory + 13


def gauges(width: int) -> Gauges:
    """What a width gives."""
    if width < 100:
        return Gauges(short=True, name=4, utilization=10, memory=8, history=8, fan=False, width=width)
    spare = max(0, min(80, width - 120))
    return Gauges(
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
    """All rows; more GPUs than there is room for are for the widget to scroll."""
    columns = gauges(width)
    lines: list[Line] = [_heading(columns, glyphs)] if heading_row else []
    match form:
        case MachineForm.FULL | MachineForm.SHORT:
            lines += [_gpu(gpu, columns, glyphs) for gpu in view.gpus]
        case MachineForm.PAIRS:
            lines += _side_by_side([_half(gpu, width // 2, glyphs) for gpu in view.gpus], 2, width)
        case MachineForm.FOURS:
            lines += _side_by_side([_quarter(gpu) for gpu in view.gpus], 4, width)
        case MachineForm.LINE:
            return [_one_line(view, width, glyphs)]
        case MachineForm.NONE:
            return []
    if host_row and view.host is not None:
        lines.append(_host(view.host, columns, glyphs, note=view.note))
    elif view.note is not None:
        lines.append((Piece(" " + clip(view.note, width - 2, glyphs), Token.MUTED),))
    return lines


def _heading(columns: Gauges, glyphs: Glyphs) -> Line:
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


def _gpu(gpu: GpuRow, columns: Gauges, glyphs: Glyphs) -> Line:
    built = LineBuilder()
    built.put(" ").put(f"GPU{gpu.index}" if columns.short else f"GPU {gpu.index} ", bold=True)
    if not columns.short:
        built.put(clip(gpu.model, columns.name - 6, glyphs), Token.MUTED)
    built.at(columns.bar_at)
    if gpu.problem is not None:
        room = columns.width - built.column - 1
        return built.put(clip(f"{glyphs.state('failed')} {gpu.problem}", room, glyphs), Token.BAD).line()
    _bar(built, gpu.utilization, columns.utilization, Token.OK, glyphs)
    _percent(built, gpu.utilization)
    built.put("  ")
    _bar(built, gpu.memory_share, columns.memory, gpu.memory_token, glyphs)
    _memory(built, gpu.memory_used, gpu.memory_total, gpu.memory_token, short=columns.short)
    _heat(built, gpu, short=columns.short, fan=columns.fan)
    _history(built, gpu.history, columns.history, glyphs)
    room = columns.width - built.column - 1
    return built.put(clip(gpu.who.words, room, glyphs), gpu.who.token).line()


def _bar(built: LineBuilder, share: float | None, width: int, token: Token, glyphs: Glyphs) -> None:
    filled, track = bar(share, width, glyphs)
    built.put(filled, token).put(track, Token.FAINT)


def _percent(built: LineBuilder, share: float | None) -> None:
    text = numbers.percent(None if share is None else share * 100)
    built.put(f"{text:>5}", Token.MUTED if share is None else Token.FG)


def _memory(built: LineBuilder, used: int | None, total: int | None, token: Token, *, short: bool) -> None:
    strong = Token.WARN if token is Token.WARN else Token.MUTED if used is None else Token.FG
    if short:
        text = numbers.NOTHING if used is None else f"{used / 1e9:.0f}"
        built.put(f"{text:>4}", strong).put(left_cells(f"/{numbers.total_gigabytes(total)}G", 5), Token.MUTED)
        return
    built.put(f"{numbers.used_gigabytes(used):>5}", strong)
    built.put(left_cells(f"/{numbers.total_gigabytes(total)} GB", 7), Token.MUTED)


def left_cells(text: str, width: int) -> str:
    """Figures filled up at their right."""
    return f"{text:<{width}}"


def _heat(built: LineBuilder, gpu: GpuRow, *, short: bool, fan: bool) -> None:
    token = gpu.heat_token if gpu.celsius is not None else Token.MUTED
    mark = "!" if gpu.hot else " "
    built.put(f"{mark}{numbers.celsius(gpu.celsius):>2}", token, bold=gpu.hot)
    built.put("C" if short else " C", Token.MUTED)
    watts = numbers.watts(gpu.watts)
    built.put(f"{watts:>5}", Token.MUTED if gpu.watts is None else Token.FG).put("W" if short else " W", Token.MUTED)
    if fan:
        built.put(f"{numbers.percent(gpu.fan_percent):>5}", Token.MUTED if gpu.fan_percent is None else Token.FG)


def _history(built: LineBuilder, samples: Sequence[float | None], width: int, glyphs: Glyphs) -> None:
    built.put(" " if width <= 8 else "  ")
    if glyphs.curves is not Curves.ASCII:
        built.put(history(samples, width, glyphs.curves), Token.MUTED)
        built.put(" " if width <= 8 else "  ")


def _host(host: HostRow, columns: Gauges, glyphs: Glyphs, *, note: str | None) -> Line:
    built = LineBuilder()
    cores = "" if host.cores is None or columns.short else f" {host.cores:g} cores"
    built.put(" ").put("CPU", bold=True).put(clip(cores, columns.name - 3, glyphs), Token.MUTED).at(columns.bar_at)
    _bar(built, host.cpu, columns.utilization, Token.OK, glyphs)
    _percent(built, host.cpu)
    built.put("  ")
    _bar(built, host.memory_share, columns.memory, Token.INFO, glyphs)
    if columns.short:
        _memory(built, host.memory_used, host.memory_total, Token.INFO, short=True)
        built.put(" load ", Token.MUTED).put(_load(host)).put("  disk ", Token.MUTED)
        built.put(numbers.short_size(host.disk_free)).put(" free", Token.MUTED)
    else:
        _memory(built, host.memory_used, host.memory_total, Token.INFO, short=False)
        built.at(columns.heat_at - 1).put(" load ", Token.MUTED).put(f"{_load(host):<5}").put("  disk ", Token.MUTED)
        built.put(numbers.size(host.disk_free)).put(" free", Token.MUTED)
    if note is not None:
        room = columns.width - built.column - 4
        said = note if len(note) <= room else clip(note.split(" · ")[0], room, glyphs)
        is_whole = note.startswith(said)
        built.put(f"   {said}" if is_whole or room > 10 else "", Token.MUTED)
    return built.line()


def _load(host: HostRow) -> str:
    return numbers.NOTHING if host.load is None else f"{host.load:.1f}"


def _half(gpu: GpuRow, width: int, glyphs: Glyphs) -> list[Piece]:
    """`0 ━━━╸── 87% 61G 71C name`."""
    built = LineBuilder()
    built.put(f" {gpu.index:>2} ", bold=True)
    if gpu.problem is not None:
        built.put(clip(f"{glyphs.state('failed')} {gpu.problem}", width - built.column - 1, glyphs), Token.BAD)
        return list(built.line())
    _bar(built, gpu.utilization, 8, Token.OK, glyphs)
    _percent(built, gpu.utilization)
    _small(built, gpu)
    built.put(" ").put(left(gpu.who.words, max(0, width - built.column - 1), glyphs), gpu.who.token)
    return list(built.line())


def _small(built: LineBuilder, gpu: GpuRow) -> None:
    memory = numbers.NOTHING if gpu.memory_used is None else f"{gpu.memory_used / 1e9:.0f}"
    built.put(f"{memory:>4}").put("G", Token.MUTED)
    heat = f"{'!' if gpu.hot else ' '}{numbers.celsius(gpu.celsius)}"
    built.put(f"{heat:>4}", gpu.heat_token).put("C", Token.MUTED)


def _quarter(gpu: GpuRow) -> list[Piece]:
    """`0 87% 61G 71C`."""
    built = LineBuilder()
    built.put(f" {gpu.index:>2}", bold=True)
    if gpu.problem is not None:
        return list(built.put(" not answering", Token.BAD).line())
    _percent(built, gpu.utilization)
    _small(built, gpu)
    return list(built.line())


def _side_by_side(parts: Sequence[list[Piece]], count: int, width: int) -> list[Line]:
    lines = []
    for start in range(0, len(parts), count):
        built = LineBuilder()
        for place, part in enumerate(parts[start : start + count]):
            built.at(place * (width // count))
            for piece in part:
                built.put(piece.text, piece.token, bold=piece.bold)
        lines.append(built.line())
    return lines


def _one_line(view: MachineView, width: int, glyphs: Glyphs) -> Line:
    """`0 87% 61G 71C | 1 0% 75G !84C`, or the host where there is no GPU."""
    built = LineBuilder()
    for place, gpu in enumerate(view.gpus):
        part = _quarter(gpu)
        if built.column + 24 > width and place < len(view.gpus) - 1:
            built.put(f" +{len(view.gpus) - place}", Token.MUTED)
            break
        built.put(f" {glyphs.divider}" if place else "", Token.RULE)
        for piece in part:
            built.put(piece.text, piece.token, bold=piece.bold)
    host = view.host
    if host is not None and built.column + 22 <= width:
        built.put(f" {glyphs.divider}" if view.gpus else "", Token.RULE)
        built.put(" CPU", bold=True)
        _percent(built, host.cpu)
        built.put(
            right(
                f"{numbers.used_gigabytes(host.memory_used)}/{numbers.total_gigabytes(host.memory_total)}G", 10, glyphs
            )
        )
    return built.line()
