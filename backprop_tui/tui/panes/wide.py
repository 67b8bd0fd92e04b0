"""What a wide screen has room for: the histories of host and GPUs below the runs, and the arguments of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from backprop_tui.domain.arguments import POSITIONAL
from backprop_tui.domain.formatting import counted, duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.probes.histories import HISTORY_SECONDS, HOST, History
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.option_table import arguments_of
from backprop_tui.tui.glyphs import Glyphs, area, points_shown, stretched
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, clip_with_path, heading, left
from backprop_tui.tui.snapshot import Snapshot

_LABEL = 12
_GRID_LABEL, _LEAST_GRID_COLUMN = 7, 20
_GAP = 2
_SPACED_FROM = 3  # rows of each device, between which there is a blank row


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHistory:
    name: str
    history: History


def device_histories(snapshot: Snapshot) -> list[DeviceHistory]:
    """The GPUs, then the host."""
    gpus = () if snapshot.sample is None else snapshot.sample.readings.gpus
    known = snapshot.histories
    devices = [DeviceHistory(name=f"GPU {gpu.index}", history=known.get(gpu.uuid, History())) for gpu in gpus]
    return [*devices, DeviceHistory(name="CPU, RAM", history=known.get(HOST, History()))]


def draw_histories(devices: Sequence[DeviceHistory], width: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """A heading, then as many rows for each device that has a history: only charts of one height can be compared.

    Rows that are left over keep them apart if they are enough. Where there are fewer rows than devices, several
    share a row; those that do not fit then either are counted.
    """
    known = [device for device in devices if device.history.utilization or device.history.memory]
    if len(known) > rows - 1:
        return _draw_grid(known, width, rows, glyphs)
    has_heat = any(any(device.history.celsius) for device in known)
    titles = ("utilization", "memory", *(("temperature",) if has_heat else ()))
    cells = max(1, (width - 2 - _LABEL) // len(titles) - _GAP)
    at = [1 + _LABEL + index * (cells + _GAP) for index in range(len(titles))]
    count = points_shown([device.history.utilization for device in known], cells)
    lines = [_heading(count, [*zip(at, titles, strict=True)], width, glyphs)]
    if not known:
        return [*lines, (Piece(f" no history yet, a point every {duration(HISTORY_SECONDS)}", Token.MUTED),)]
    apart = rows // len(known) - 1
    height = apart if apart >= _SPACED_FROM else (rows - 1) // len(known)
    between = (rows - 1 - height * len(known)) // max(1, len(known) - 1)
    for index, device in enumerate(known):
        lines += [()] * (between if index else 0)
        lines += _device_lines(device, at, cells, height, count, glyphs)
    return lines


def _heading(count: int, titles: Sequence[tuple[int, str]], width: int, glyphs: Glyphs) -> Line:
    heads = [(2, [Piece("Last", bold=True), Piece(f" {duration(count * HISTORY_SECONDS)}", Token.MUTED)])]
    heads += [(column + 1, [Piece(title, Token.MUTED)]) for column, title in titles]
    return heading(heads, width, glyphs)


def _draw_grid(devices: Sequence[DeviceHistory], width: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """Only the utilization, a row high, of several devices to a row."""
    columns = min(-(-len(devices) // max(1, rows - 1)), max(1, width // _LEAST_GRID_COLUMN))
    shown, column = devices[: columns * (rows - 1)], (width - 2) // columns
    cells = column - _GRID_LABEL - _GAP
    count = points_shown([device.history.utilization for device in shown], cells)
    left_out = len(devices) - len(shown)
    title = "utilization" + (f"  +{counted(left_out, 'device')}" if left_out else "")
    lines = [_heading(count, [(1 + _LABEL, title)], width, glyphs)]
    for start in range(0, len(shown), columns):
        builder = LineBuilder()
        for index, device in enumerate(shown[start : start + columns]):
            name = device.name.partition(",")[0]
            builder.at(1 + index * column).put(left(name, _GRID_LABEL, glyphs), bold=True)
            points = stretched(device.history.utilization, count, cells)
            builder.put(area(points, cells, 1, glyphs.curves)[0], Token.OK)
        lines.append(builder.line())
    return lines


def _device_lines(
    device: DeviceHistory, at: Sequence[int], cells: int, rows: int, count: int, glyphs: Glyphs
) -> Iterator[Line]:
    history = device.history
    curves = ((history.utilization, Token.OK), (history.memory, Token.INFO), (history.celsius, Token.MUTED))
    wide = [(stretched(points, count, cells), token) for points, token in curves]
    drawn = [(area(points, cells, rows, glyphs.curves), token) for points, token in wide]
    for row in range(rows):
        builder = LineBuilder()
        builder.put(" ").put(left(device.name if row == 0 else "", _LABEL, glyphs), bold=True)
        for column, (texts, token) in zip(at, drawn, strict=False):
            builder.at(column).put(texts[row], token)
        yield builder.line()


def draw_arguments(record: JsonObject, width: int, most: int, glyphs: Glyphs) -> list[Line]:
    """A rule, then the arguments of the script, several to a row, in at most so many rows; the others are counted."""
    pairs = [
        ("" if name.startswith(POSITIONAL) else sanitize(name), sanitize(value))
        for name, value in arguments_of(record).items()
    ]
    rows = _argument_rows(pairs, width - 2, glyphs)[: max(0, most - 1)]
    left_out = len(pairs) - sum(map(len, rows))
    more = f" +{left_out} more" + (", see 4 Details" if width >= 40 else "")
    head = [Piece("Arguments", bold=True), *([Piece(more, Token.MUTED)] if left_out else [])]
    lines = [heading([(2, head)], width, glyphs)] if rows else []
    for row in rows:
        builder = LineBuilder().put(" ")
        for name, value in row:
            builder.put(f"{name} " if name else "", Token.MUTED).put(value).put("   ")
        lines.append(builder.line())
    return lines


def _argument_rows(pairs: Sequence[tuple[str, str]], width: int, glyphs: Glyphs) -> list[list[tuple[str, str]]]:
    rows: list[list[tuple[str, str]]] = []
    column = width
    for name, value in pairs:
        shown = clip_with_path(value, max(8, width - cell_len(name) - 1), glyphs)
        cells = cell_len(name) + cell_len(shown) + 4
        if column + cells - 3 > width:
            rows.append([])
            column = 0
        rows[-1].append((clip(name, width - 9, glyphs), shown))
        column += cells
    return rows
