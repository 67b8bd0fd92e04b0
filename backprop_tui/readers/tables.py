"""Reads tables: a box of names and values for each report, or a header and one row for each epoch or step.

Boxes are those of Stable-Baselines3, OpenAI baselines and Spinning Up, `|    ep_rew_mean     | 23.3     |` between two
rules, their rows perhaps in groups (`| rollout/ |  |`). Headers are those of fastai, spaCy, skorch, Chainer, sklearn
and Rich. Tables without a known metric, such as the summary of a model, yield nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backprop_tui.readers.events import Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.line_context import LineContext
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import as_count, parse_number, parse_time_left
from backprop_tui.readers.training_keys import as_epoch, is_known_metric, name_words, numeric_metrics

MAX_LINE_CHARS = 1000
MAX_ROWS = 200
MAX_COLUMNS = 40
MAX_CELL_CHARS = 60
MAX_LINES_BETWEEN_ROWS = 200  # warnings, bars and messages about checkpoints

_BARS = "|│┃║"
_RULE = lazy_compile(r"[\s\-=_+|:─━═┼╇╈┿┏┓┗┛┡┩┳┻┌┐└┘├┤┬┴╞╡╪╒╕╘╛]+$")
_BOX_ROW = lazy_compile(r"\s*[|│┃]( *)([^|│┃]{1,80}?)\s*[|│┃]\s*([^|│┃]{0,80}?)\s*[|│┃]\s*$")
_SPLIT_AT_BARS = lazy_compile(r"[|│┃║]")
_SPLIT_AT_BLANKS = lazy_compile(r"\s{2,}|\t")
_NUMBER_AND_UNIT = lazy_compile(r"([-+]?[\d.,]{1,40}(?:[eE][-+]?\d{1,4})?|nan|inf|-inf)(?:%|m|s|m?s)?$", 2)
_ROW_START = lazy_compile(r"\s*[|│┃]?\s*\d")
# The position in a table: the first name that is there is used.
_STEPS_OF_AGENTS = ("totaltimesteps", "numtimesteps", "timestepstotal", "totalenvinteracts", "timesteps")
_STEPS = (*_STEPS_OF_AGENTS, "globalstep", "step", "steps", "iteration", "iterations", "iter", "#")
_EPOCHS = ("epoch", "e")
_COUNTERS = frozenset(
    (*_STEPS, *_EPOCHS, "timeelapsed", "nupdates", "serialtimesteps", "time", "dur", "elapsedtime", "remainingtime")
)


class Tables:
    """Remembers the open table: the rows of a box up to its last rule, or the columns of a header."""

    tag = "Tables"
    marks = (b"--------------------", b"poch ", b"POCH ", b"LOSS ", b"loss", b"Loss")

    def __init__(self) -> None:
        self.context = LineContext()
        self._box: list[list[str]] | None = None  # name and value, after the rule that begins a box
        self._group = ""
        self._columns: list[str] = []
        self._lines_left = 0
        self._last = -1.0  # the position of the last row

    @property
    def follows(self) -> bool:
        """Whether the next line may belong to the table, whatever bytes it has."""
        return self._box is not None or self._lines_left > 0

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        if len(line) > MAX_LINE_CHARS:
            return
        is_rule = len(line.strip()) >= 3 and _RULE.match(line) is not None
        if is_rule and self._lines_left == 0:
            box, self._box, self._group = self._box, [], ""
            if box:
                yield from self._box_progress(box, offset)
        elif self._box is not None and (row := _BOX_ROW.match(line)) is not None and len(self._box) < MAX_ROWS:
            self._add_to_box(row[1], row[2].strip(), row[3])
        elif is_rule:
            return
        else:
            self._box = None
            if self._lines_left > 0 and _ROW_START.match(line) is not None:
                yield from self._row(line, offset)
            if (columns := _header(line)) is not None:
                self._columns, self._lines_left, self._last = columns, MAX_LINES_BETWEEN_ROWS, -1.0
            elif self._lines_left > 0:
                self._lines_left -= 1

    def memory(self) -> list[Any]:
        return [self._box, self._group, self._columns, self._lines_left, self._last]

    def remember(self, memory: list[Any]) -> None:
        self._box, self._group, columns, self._lines_left, self._last = memory
        self._columns = [str(name) for name in columns]

    def _add_to_box(self, indent: str, name: str, value: str) -> None:
        if name.endswith("/") and not value:
            self._group = name
        elif self._box is not None:
            self._box.append([f"{self._group}{name}" if len(indent) > 1 else name, value])

    def _box_progress(self, rows: Sequence[Sequence[str]], offset: int) -> Iterator[Progress]:
        values = {name: value for name, value in rows if _cell_number(value) is not None}
        is_training = any(is_known_metric(name) or _key(name) in _STEPS_OF_AGENTS for name in values)
        progress = _table_progress(values, offset) if is_training else None
        if progress is not None:
            has_position = progress.step is not None or progress.epoch is not None
            if has_position or self.context.has_begun:  # else it may be a configuration
                yield progress

    def _row(self, line: str, offset: int) -> Iterator[Progress]:
        cells = _cells(line)
        if any(bar in line for bar in _BARS):
            columns = self._columns
        else:
            cells = line.split()
            columns = self._columns if len(cells) == len(self._columns) else " ".join(self._columns).split()
        if len(cells) != len(columns) or any(_cell_number(cell) is None and len(cell) > 12 for cell in cells):
            return
        values = dict(zip(columns, cells, strict=True))
        progress = _table_progress(values, offset)
        if progress is None:
            return
        position = progress.step if progress.step is not None else progress.epoch
        if position is not None and position >= self._last:
            self._last, self._lines_left = float(position), MAX_LINES_BETWEEN_ROWS
            yield progress


def _header(line: str) -> list[str] | None:
    """The column names, if the line is the header of a training's table: a position, and a known metric."""
    text = line[prefix_end(line) :] if line[:1] == "[" else line
    if ":" in text:
        return None  # most lines of a training
    columns = _cells(text)
    if len(columns) == 1:
        columns = line.split()
    if not 2 <= len(columns) <= MAX_COLUMNS or not any(_key(name) in (*_STEPS, *_EPOCHS) for name in columns[:2]):
        return None
    is_plain = all(0 < len(name) <= MAX_CELL_CHARS and _cell_number(name) is None for name in columns)
    has_metric = any(is_known_metric(name) or "loss" in name_words(name) for name in columns)
    return columns if is_plain and has_metric and len(set(columns)) == len(columns) else None


def _cells(line: str) -> list[str]:
    text = line.strip()
    if any(bar in text for bar in _BARS):
        return [cell.strip() for cell in _SPLIT_AT_BARS.split(text.strip(_BARS))]
    return [cell.strip() for cell in _SPLIT_AT_BLANKS.split(text)]


def _key(name: str) -> str:
    last = name.rpartition("/")[2].strip()
    return last if last == "#" else "".join(name_words(last))


def _cell_number(cell: str) -> float | None:
    match = _NUMBER_AND_UNIT.match(cell)
    return None if match is None else parse_number(match[1].replace(",", ""))


def _table_progress(cells: Mapping[str, str], offset: int) -> Progress | None:
    keys = {_key(name): name for name in reversed(list(cells))}
    step = next((_cell_number(cells[keys[key]]) for key in _STEPS if key in keys), None)
    epoch = next((cells[keys[key]] for key in _EPOCHS if key in keys), None)
    first, _, total = (epoch or "").partition("/")
    left = next((parse_time_left(cells[keys[key]]) for key in ("remainingtime", "eta") if key in keys), None)
    metrics = numeric_metrics(
        {name: _cell_number(cell) for name, cell in cells.items() if _key(name) not in _COUNTERS and ":" not in cell}
    )
    if not metrics:
        return None
    return Progress(
        offset=offset,
        step=as_count(step),
        epoch=as_epoch(_cell_number(first)),
        total_epochs=as_count(_cell_number(total)),
        eta_seconds=left,
        metrics=metrics,
    )
