"""The table of a group as lines: its settings, the folded runs of those that are unfolded, and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from rich.cells import cell_len

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import Direction
from backprop_tui.domain.run_names import spelled
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.spread import Verdict
from backprop_tui.presentation import numbers
from backprop_tui.presentation.group_table import GroupSetting, GroupTable, Member, Standing
from backprop_tui.presentation.group_words import (
    count_text,
    difference_text,
    heading_text,
    mean_text,
    metric_title,
    repetitions,
    row_sentence,
    setting_text,
    spread_text,
    spread_title,
    step_text,
    verdict_text,
)
from backprop_tui.store.option_table import arguments_of
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import (
    STATE_TOKENS,
    Line,
    LineBuilder,
    Piece,
    Token,
    clip,
    clip_name,
    ends,
    hint,
    text_of,
    width_of,
)

HEADING_ROWS = 2  # above the rows of the table
_GAP = 2
_MAX_PARAMETER = 16
_MIN_PLOT, _MAX_PLOT = 12, 32
_MARKED = {
    Standing.FAILED: ("failed", Token.BAD),
    Standing.STOPPED: ("stopped", Token.MUTED),
    Standing.RUNNING: ("running", Token.OK),
    Standing.WAITING: ("queued", Token.INFO),
}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A line of the table: a setting, or one of its runs."""

    setting: GroupSetting
    member: Member | None = None

    @property
    def key(self) -> str:
        return " ".join(self.setting.values) if self.member is None else self.member.run_id


def group_rows(table: GroupTable, unfolded: AbstractSet[tuple[str, ...]]) -> list[GroupRow]:
    rows: list[GroupRow] = []
    for setting in table.rows:
        rows.append(GroupRow(setting=setting))
        if setting.values in unfolded and len(setting.members) > 1:
            rows += [GroupRow(setting=setting, member=member) for member in setting.members]
    return rows


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """`rank` 0 is always shown; of the others the highest are left out first if there is too little room."""

    title: str
    cells: Sequence[Line]
    rank: int = 0
    right: bool = False
    most: int = 1000

    @property
    def width(self) -> int:
        return min(self.most, max([len(self.title), *map(width_of, self.cells)]))


def draw_group_table(
    table: GroupTable, rows: Sequence[GroupRow], width: int, glyphs: Glyphs
) -> tuple[list[Line], list[Line]]:
    """The two heading lines, and a line for each row."""
    columns = list(_columns(table, rows, glyphs))
    while sum(column.width + _GAP for column in columns) - _GAP > width and any(column.rank for column in columns):
        columns.remove(max(columns, key=lambda column: column.rank))
    room = width - sum(column.width + _GAP for column in columns) - 1
    if room >= _MIN_PLOT:
        columns.append(_plot_column(table, rows, min(room, _MAX_PLOT), glyphs))
    titles = [(Piece(column.title, Token.MUTED),) for column in columns]
    lines = [[column.cells[index] for column in columns] for index in range(len(rows))]
    about = Piece(f" {heading_text(table)}", Token.WARN if table.problem else Token.MUTED)
    keys = hint("m", "metric ")
    fits = len(about.text) + width_of(keys) + 2 <= width
    heading = ends([about], keys, width) if fits else (Piece(clip(about.text, width, glyphs), about.token),)
    return [heading, _laid_out(titles, columns, glyphs)], [_laid_out(cells, columns, glyphs) for cells in lines]


def _laid_out(cells: Sequence[Line], columns: Sequence[_Column], glyphs: Glyphs) -> Line:
    builder, start = LineBuilder(), 0
    for cell, column in zip(cells, columns, strict=True):
        shown = _clipped(cell, column.width, glyphs)
        builder.at(start + (column.width - width_of(shown) if column.right else 0)).extend(shown)
        start += column.width + _GAP
    return builder.line()


def _clipped(cell: Line, width: int, glyphs: Glyphs) -> Line:
    return cell if width_of(cell) <= width else (cell[0]._replace(text=clip(text_of(cell), width, glyphs)),)


def _columns(table: GroupTable, rows: Sequence[GroupRow], glyphs: Glyphs) -> Iterator[_Column]:
    yield _Column(title="", cells=[_mark(row, glyphs) for row in rows])
    for index, parameter in enumerate(table.parameters):
        cells = [_parameter_cell(table, row, index, glyphs) for row in rows]
        yield _Column(title=sanitize(parameter.name), cells=cells, most=_MAX_PARAMETER)
    if not table.parameters:
        yield _Column(title="", cells=[_parameter_cell(table, row, 0, glyphs) for row in rows], most=_MAX_PARAMETER)
    yield _Column(title=repetitions(table), cells=[_count_cell(row, glyphs) for row in rows])
    yield _Column(title=metric_title(table), cells=[_value_cell(row) for row in rows])
    for index, name in enumerate(table.others):
        cells = [_other_cell(row, name) for row in rows]
        yield _Column(title=f"{sanitize(name)} last", cells=cells, rank=4 + index)
    yield _Column(title="step", cells=[_step_cell(row) for row in rows], rank=3, right=True)
    if table.has_differences:
        title = f"{'Δ' if glyphs.unicode else 'to'} baseline"
        yield _Column(title=title, cells=[_difference_cell(table, row) for row in rows], rank=1, right=True)
        verdicts = [_verdict_cell(table, row) for row in rows]
        yield _Column(title=spread_title(table), cells=verdicts, rank=2)


def _mark(row: GroupRow, glyphs: Glyphs) -> Line:
    if row.member is not None:
        status = str(row.member.record["status"])
        return (Piece(f" {glyphs.state(status)}", STATE_TOKENS.get(status, Token.FG)),)
    return (Piece(f" {glyphs.best}" if row.setting.is_best else "  ", Token.OK, bold=True),)


def _parameter_cell(table: GroupTable, row: GroupRow, index: int, glyphs: Glyphs) -> Line:
    if row.member is None:
        text = sanitize(row.setting.values[index]) if table.parameters else "all runs"
        return (Piece(text, Token.OK if row.setting.is_best else Token.FG, bold=row.setting.is_best),)
    if index:
        return (Piece(""),)
    given = arguments_of(row.member.record)
    pairs = [
        f"{parameter.name}={given[parameter.argument]}" for parameter in table.folded if parameter.argument in given
    ]
    return (Piece(f"{glyphs.between} {sanitize(' '.join(pairs)) or row.member.run_id}", Token.MUTED),)


def _count_cell(row: GroupRow, glyphs: Glyphs) -> Line:
    if row.member is not None:
        return (Piece(_word(row.member), Token.MUTED),)
    counted, *_ = count_text(row.setting).split(" ")
    pieces = [Piece(counted)]
    for standing in Standing:
        count = row.setting.count(standing)
        if not count or standing is Standing.FINISHED:
            continue
        if standing is Standing.DIVERGED:
            pieces.append(Piece(f" NaN {count}", Token.BAD))
            continue
        state, token = _MARKED[standing]
        pieces.append(Piece(f" {glyphs.state(state)}{count}", token))
    return tuple(pieces)


def _value_cell(row: GroupRow) -> Line:
    if row.member is not None:
        return (Piece(numbers.metric(row.member.value), Token.MUTED),)
    setting = row.setting
    token = Token.OK if setting.is_best else Token.MUTED if setting.provisional or setting.spread is None else Token.FG
    return (Piece(mean_text(setting), token, bold=setting.is_best),)


def _other_cell(row: GroupRow, name: str) -> Line:
    if row.member is None:
        return (Piece(spread_text(row.setting.others.get(name))),)
    return (Piece(numbers.metric((row.member.record.get("metrics") or {}).get(name)), Token.MUTED),)


def _step_cell(row: GroupRow) -> Line:
    if row.member is None:
        return (Piece(step_text(row.setting)),)
    return (Piece(numbers.count(row.member.record.get("step")), Token.MUTED),)


def _difference_cell(table: GroupTable, row: GroupRow) -> Line:
    if row.member is not None:
        return (Piece("pinned" if row.member.run_id == table.baseline else "", Token.VIOLET),)
    return (Piece(difference_text(row.setting), _difference_token(table, row.setting)),)


def _difference_token(table: GroupTable, row: GroupSetting) -> Token:
    """Green or red only if the difference exceeds the spread of the seeds."""
    if row.is_baseline:
        return Token.VIOLET
    direction = None if table.objective is None else table.objective.direction
    if row.difference is None or row.difference.verdict is not Verdict.EXCEEDS or direction is None:
        return Token.MUTED
    return Token.OK if (row.difference.value < 0) == (direction is Direction.MIN) else Token.BAD


def _verdict_cell(table: GroupTable, row: GroupRow) -> Line:
    change = None if row.member is not None else row.setting.difference
    return (Piece(verdict_text(table, change), Token.MUTED),)


def _plot_column(table: GroupTable, rows: Sequence[GroupRow], width: int, glyphs: Glyphs) -> _Column:
    """Means with their deviations on one axis, whose ends are in the title, and a line at the baseline."""
    ranges = [_range_of(row) for row in rows]
    known = [interval for interval in ranges if interval is not None]
    low, high = min((low for low, _, _ in known), default=0.0), max((high for _, _, high in known), default=0.0)
    base = next((row.spread.mean for row in table.rows if row.is_baseline and row.spread is not None), None)

    def column(value: float) -> int:
        return width // 2 if high <= low else round((value - low) / (high - low) * (width - 1))

    cells = []
    for row, interval in zip(rows, ranges, strict=True):
        text = [" "] * width
        if base is not None:
            text[column(base)] = "┊" if glyphs.unicode else ":"
        if interval is not None:
            first, middle, last = map(column, interval)
            text[first : last + 1] = [glyphs.rule] * (last + 1 - first)
            text[middle] = "●" if glyphs.unicode else "o"
        token = (
            Token.OK
            if row.setting.is_best and row.member is None
            else Token.INFO
            if row.member is None
            else Token.MUTED
        )
        cells.append((Piece("".join(text), token),))
    left, right = numbers.metric(low), numbers.metric(high)
    title = left + right.rjust(width - len(left)) if known and low < high else ""
    return _Column(title=title, cells=cells)


def _range_of(row: GroupRow) -> tuple[float, float, float] | None:
    """Lower end, mean and upper end; a run has only its value."""
    if row.member is not None:
        value = row.member.value
        return None if value is None else (value, value, value)
    spread = row.setting.spread
    if spread is None:
        return None
    deviation = spread.deviation or 0.0
    return spread.mean - deviation, spread.mean, spread.mean + deviation


def row_note(table: GroupTable, row: GroupRow) -> str:
    """The row in a sentence, and a key for it."""
    if row.member is not None:
        return _member_note(row.member, sanitize(spelled(str(row.member.record["name"]))))
    return row_sentence(table, row.setting) + _key_note(table)


def _member_note(member: Member, name: str) -> str:
    return f"{name} ({member.run_id}), {_word(member)}; enter opens it"


def _word(member: Member) -> str:
    """A run that counts is called by its status, as in the list of runs."""
    return str(member.record["status"]) if member.standing is Standing.FINISHED else member.standing.value


def _key_note(table: GroupTable) -> str:
    return "" if table.has_differences else "; P pins the baseline"


def fitted_note(table: GroupTable, row: GroupRow, width: int, glyphs: Glyphs) -> str:
    """The note in so many cells: without the setting and then without its figures, which the row has; then clipped."""
    whole = row_note(table, row)
    if row.member is not None:
        room = width - cell_len(_member_note(row.member, ""))
        return clip(
            _member_note(row.member, clip_name(spelled(str(row.member.record["name"])), room, glyphs)), width, glyphs
        )
    behind = whole.removeprefix(f"{setting_text(table, row.setting)}: ")
    without_figures = behind.partition(", ")[2] or behind
    return next(
        (text for text in (whole, behind, without_figures) if cell_len(text) <= width), clip(whole, width, glyphs)
    )
