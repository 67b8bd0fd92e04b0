"""Draws ended runs in columns: arguments, results, duration and date; also all runs when they are sorted by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple

from rich.cells import cell_len

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_names import is_smoothed
from backprop_tui.domain.run_names import split_point
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation.fitting import least_columns, least_names, named_in, short_names
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.run_fields import ARGUMENT, RunField, field_of, is_diverged, own_result
from backprop_tui.presentation.run_line import BEST, LAST, Tone, run_line
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip
from backprop_tui.tui.panes.list_heading import Head, Heading, list_title, place_heads, sort_mark, title_cells
from backprop_tui.tui.panes.run_list import TIMES, RunListView, sorted_figure
from backprop_tui.tui.panes.run_row import RunRow, is_warning
from backprop_tui.tui.panes.run_table import MARGIN, NAME_AT, NARROW, begin_row, draw_group, put_line, shown_name

_GAP = 2
_WIDE = 100
_NAME, _MOST_NAME, _MOST_TITLE = 28, 40, 80
_JUDGED_NAMES = 20  # those for which there must be room
_MOST_TELLING = 2  # columns that a name takes no room from
_MAX_TITLE_CELLS = 16
_MIN_NOTE_CELLS = 8
_MIN_NAME_CELLS = 4  # of a metric


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class PlacedField:
    """A column with its first cell and how many it has."""

    field: RunField
    at: int
    cells: int

    @property
    def end(self) -> int:
        return self.at + self.cells

    def start_of(self, text: str) -> int:
        """The first cell of a text in it."""
        return max(self.at, self.end - cell_len(text)) if self.field.right else self.at


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What rows are called, the arguments that their runs have, and the mark of what is cut.

    `title` is where the first heading could be beside the title of the list.
    """

    names: Sequence[str] = ()
    options: AbstractSet[str] = frozenset()
    title: int = 0
    mark: str = "…"


NO_LABELS = Labels()


class Cell(NamedTuple):
    """What a run has in a column."""

    column: PlacedField
    text: str

    def put(self, builder: LineBuilder, token: Token, glyphs: Glyphs) -> None:
        text = clip(self.text, self.column.cells, glyphs)
        if text:
            builder.at(self.column.start_of(text)).put(text, token)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class HistoryColumns:
    """The columns that fit; the sentence after the figures goes from `note_at` to `note_end`.

    `left_out` counts those without room, `called` has what arguments in names are called, `keeps_front` whether runs
    differ in what is before these.
    """

    width: int
    name: int
    placed: tuple[PlacedField, ...] = ()
    note_at: int = 0
    note_end: int = 0
    left_out: int = 0
    called: Mapping[str, str]
    keeps_front: bool = False

    @property
    def keys(self) -> list[str]:
        return [placed.field.key for placed in self.placed]


def history_columns(
    width: int,
    fields: Iterable[RunField],
    labels: Labels = NO_LABELS,
    *,
    first: str | None = None,
    asked: AbstractSet[str] = frozenset(),
) -> HistoryColumns:
    """As many of the columns as fit beside the names; the rest of the width is for names, then for notes.

    The column with the key `first` comes before the others, which are taken in their order. Those that were `asked` for
    give no room to names.
    """
    names, mark, options = labels.names, labels.mark, labels.options
    if width < NARROW:
        cells = max(1, width - NAME_AT - 1)
        return HistoryColumns(width=width, name=cells, called=short_names(names, cells, mark, options))
    name = 22 if width >= _WIDE else 16 if width >= 77 else 10
    room = width - MARGIN - NAME_AT - name
    fields = list(fields)
    in_order, newest = sorted(fields, key=lambda field: field.key != first), names[:_JUDGED_NAMES]
    chosen = _fitting(
        in_order,
        room,
        asked,
        lambda shown: least_columns(_rest_of(newest, shown), options, shared_front=False) - name,
    )
    room -= sum(_cells(field) + _GAP for field in chosen)
    longest = min(_MOST_NAME, max(map(cell_len, _rest_of(newest, chosen)), default=0))
    beside_title = min(_MOST_TITLE, labels.title) - NAME_AT - _GAP
    name += min(room, max(0, max(_NAME, longest, beside_title) - name))
    called = {**least_names(names, options), **short_names(_rest_of(names, chosen), name, mark, options)}
    columns = HistoryColumns(
        width=width,
        name=name,
        left_out=len(fields) - len(chosen),
        called=called,
        keeps_front=len({label.partition(" ")[0] for label in names}) > 1,
    )
    return _with_times_at_the_end(columns, [field for field in fields if field in chosen])


def _with_times_at_the_end(columns: HistoryColumns, chosen: Iterable[RunField]) -> HistoryColumns:
    """With the places of these columns: times are at the right edge, and notes between them and the others."""
    placed = list(_placed(displayed_order(chosen), NAME_AT + columns.name))
    times = [column for column in placed if column.field.key in TIMES]
    shift = columns.width - MARGIN - (placed[-1].end if placed else 0)
    others = [column for column in placed if column not in times]
    moved = [replace(column, at=column.at + shift) for column in times]
    return replace(
        columns,
        placed=(*others, *moved),
        note_at=(others[-1].end if others else NAME_AT + columns.name) + _GAP,
        note_end=(moved[0].at if moved else columns.width - MARGIN) - _GAP,
    )


def ended_columns(view: RunListView, width: int, glyphs: Glyphs) -> HistoryColumns:
    """The columns of ended runs for these rows."""
    fields = filter(None, map(view.column, view.history))
    labels = Labels(names=view.names, options=view.options, title=title_cells(view), mark=glyphs.clipped)
    first = None if view.sort is None else view.sort.key
    return history_columns(width, fields, labels, first=first, asked=view.asked)


def _fitting(
    fields: Iterable[RunField], room: int, asked: AbstractSet[str], excess: Callable[[Sequence[RunField]], int]
) -> list[RunField]:
    """The first columns that fit in `room`, with room for what names need beside them: their `excess`.

    Only the most telling ones and those that were `asked` for are kept in any case.
    """
    chosen: list[RunField] = []
    for field in fields:
        cells = _cells(field) + _GAP
        if cells <= room:
            chosen.append(field)
            room -= cells
    choices = [(chosen, room)]
    for field in reversed(chosen[_MOST_TELLING:]):
        if field.key not in asked:
            fewer = [other for other in choices[-1][0] if other is not field]
            choices.append((fewer, choices[-1][1] + _cells(field) + _GAP))
    lacking = [max(0, min(excess(shown), _MOST_NAME) - left) for shown, left in choices]
    return choices[lacking.index(min(lacking))][0]


def _rest_of(names: Iterable[str], shown: Iterable[RunField]) -> list[str]:
    """The names without the arguments that have columns of their own."""
    keys = {field.key for field in shown}
    words = ([word for word in name.split(" ") if ARGUMENT + word.partition("=")[0] not in keys] for name in names)
    return list(dict.fromkeys(" ".join(of_name) for of_name in words))


def _cells(field: RunField) -> int:
    return max(field.cells, min(cell_len(field.title), _MAX_TITLE_CELLS))


def displayed_order(fields: Iterable[RunField]) -> list[RunField]:
    """Arguments, metrics with their best values beside the last ones, steps and texts, times."""
    fields = list(fields)
    metrics = dict.fromkeys(field.key.partition(":")[2] for field in fields if _kind(field) == 1)
    places = {name: index for index, name in enumerate(metrics)}

    def place(field: RunField) -> tuple[int, int, bool]:
        kind = _kind(field)
        time = TIMES.index(field.key) if kind == 3 else 0
        return kind, places.get(field.key.partition(":")[2], 0) if kind == 1 else time, field.key.startswith(BEST)

    return sorted(fields, key=place)


def _kind(field: RunField) -> int:
    if field.key.startswith(ARGUMENT):
        return 0
    return 1 if field.key.startswith((LAST, BEST)) else 3 if field.key in TIMES else 2


def _placed(fields: Sequence[RunField], at: int) -> Iterator[PlacedField]:
    for field in fields:
        column = PlacedField(field=field, at=at + _GAP, cells=_cells(field))
        yield column
        at = column.end


def history_heads(view: RunListView, columns: HistoryColumns, glyphs: Glyphs) -> list[Head]:
    """The names of the columns with their places; the sorted one has a mark."""
    heads = [Head("name", "name", NAME_AT)] if columns.placed else []
    for column in columns.placed:
        title = clip(column.field.title, column.cells, glyphs)
        at = column.end - cell_len(title) if column.field.right else column.at
        heads.append(Head(column.field.key, title, at))
    return [head.marked(sort_mark(view.sort, head.key, glyphs)) for head in heads]


def history_heading(
    view: RunListView, columns: HistoryColumns, glyphs: Glyphs, *, focused: bool, is_first: bool
) -> Heading:
    """The heading of the list, or that between unfinished and ended runs."""
    heads = history_heads(view, columns, glyphs)
    ended = [Piece("Ended", Token.MUTED)]
    title = list_title(view, heads, columns.width, glyphs, focused=focused) if is_first else ended
    return place_heads(title, heads, columns.left_out, columns.width)


def draw_history_row(
    row: RunRow, columns: HistoryColumns, glyphs: Glyphs, *, cursor: bool, sort: RunSort | None = None
) -> Line:
    """Its figures in columns, then a sentence; a failed run has the sentence instead of figures."""
    if row.run is None or row.moment is None:
        return draw_group(row, columns.width, columns.name, glyphs, cursor=cursor)
    builder = begin_row(row, glyphs, cursor=cursor)
    token = Token.MUTED if row.dim else Token.FG
    explains = _explains(row, row.run, row.moment, sort)
    cells = [Cell(column, column.field.text(row.run, row.moment)) for column in columns.placed]
    times = [cell for cell in cells if cell.column.field.key in TIMES]
    figures = cells[: len(cells) - len(times)]
    if explains:
        arguments = [cell for cell in figures if cell.column.field.key.startswith(ARGUMENT)]
        figures = [cell for cell in arguments if columns.width >= _WIDE or cell.column.field.key == sorted_figure(sort)]
    name = _name(row, row.run, figures, columns, _text_start(times[-1:], columns.width), glyphs)
    name_end = builder.put(name, token, bold=row.bold or cursor).column
    figures = _with_own_result(figures, row.run, glyphs)
    for cell in figures:
        cell.put(builder, token, glyphs)
    shown = frozenset(cell.column.field.key for cell in (*cells, *figures))
    line = row.line if explains else run_line(row.run, row.moment, shown=shown)
    start = NAME_AT + columns.name + _GAP - 1 if explains else columns.note_at
    start = max(start, figures[-1].column.end + _GAP if figures else 0)
    if explains and line is not None:  # of the times, the last one is always shown
        needed = start + cell_len(line.clauses[0])
        while len(times) > 1 and _text_start(times, columns.width) < needed + _GAP:
            del times[0]
    end = _text_start(times, columns.width) - _GAP
    if explains and line is not None and not figures:  # the blanks after the name are for what would be cut
        start = max(name_end + _GAP, min(start, end - cell_len(line.clauses[0])))
    room = end - start
    if line is not None and room >= _MIN_NOTE_CELLS:
        builder.at(start)
        put_line(builder, line, room, glyphs, tone=Tone.MUTED if row.dim else None, whole=not explains)
    for cell in times:
        cell.put(builder, Token.MUTED, glyphs)
    return builder.line()


def _name(
    row: RunRow, run: KnownRun, figures: Sequence[Cell], columns: HistoryColumns, end: int, glyphs: Glyphs
) -> str:
    """Without the arguments that are shown in columns; those that a sentence takes the place of stay if they fit."""
    name = _without(row, run, {cell.column.field.key for cell in figures})
    cells = columns.name
    if not figures and row.line is not None:
        cells = max(cells, end - _GAP - cell_len(row.line.clauses[0]) - _GAP - NAME_AT)
    if cell_len(named_in(name, columns.called)) > cells:
        name, cells = _without(row, run, set(columns.keys)), columns.name
    row = replace(row, keeps_front=True) if columns.keeps_front else row
    return shown_name(row, name, cells, glyphs, columns.called)


def _without(row: RunRow, run: KnownRun, shown: AbstractSet[str]) -> str:
    """What is left of its name without these arguments; of a member of a group that may be its name."""
    name = f" {row.name} "
    for pair in (*split_point(run.name)[1], *map("=".join, run.differing)):
        if ARGUMENT + pair.partition("=")[0] in shown:
            name = name.replace(f" {sanitize(pair)} ", " ")
    return name.strip() or sanitize(split_point(run.name)[0])


def _text_start(cells: Sequence[Cell], width: int) -> int:
    """The first cell of the text in these columns, else where one could begin after the end of the row's own."""
    return min((cell.column.start_of(cell.text) for cell in cells if cell.text), default=width - MARGIN + _GAP)


def _with_own_result(figures: list[Cell], run: KnownRun, glyphs: Glyphs) -> list[Cell]:
    """A run without a value in any column of results has its own, with its name, in their place: `val_acc 0.9120`.

    A smoothed value says so: `smoothed loss 0.1363`, with less room `loss 0.1363*`. A best one says so where the
    columns are of last values: `best val_acc 0.9120`. So has a diverged run if no column says so: `loss NaN`.
    """
    results = [cell for cell in figures if _kind(cell.column.field) == 1]
    texts = [cell.text for cell in results]
    own = own_result(run) if results and (not any(texts) or is_diverged(run)) else None
    if own is None or own[1] in texts:
        return figures
    key, value = own
    first = results[0].column
    best = next((cell.column for cell in results if cell.column.field.key.startswith(BEST)), None)
    end = (best or first).end
    room = end - first.at - cell_len(value) - 1
    name = sanitize(key.partition(":")[2])
    words, mark = _said_of_value(key, name, room, under_best=best is not None)
    room -= cell_len(words)
    if room < min(cell_len(name), _MIN_NAME_CELLS):
        return figures
    column = PlacedField(field=replace(first.field, key=key), at=first.at, cells=end - first.at + len(mark))
    place = figures.index(results[0])
    rest = [cell for cell in figures if cell not in results]
    return [*rest[:place], Cell(column, f"{words}{clip(name, room, glyphs)} {value}{mark}"), *rest[place:]]


def _said_of_value(key: str, name: str, room: int, *, under_best: bool) -> tuple[str, str]:
    """What stands before the name of a metric, and after its value, to tell a best value from a last one."""
    if not key.startswith(BEST):
        return "", ""
    if not is_smoothed(key.removeprefix(BEST)):
        return "" if under_best else "best ", ""
    fitting = [words for words in ("smoothed best ", "smoothed ") if cell_len(words + name) <= room]
    return (fitting[0], "") if fitting else ("", "*")


def _explains(row: RunRow, run: KnownRun, moment: Moment, sort: RunSort | None) -> bool:
    """Whether a sentence takes the place of the figures: unless the list is sorted by a result that the run has."""
    if row.line is None:
        return False
    field = field_of(sorted_figure(sort))
    if field is not None and not field.key.startswith(ARGUMENT) and field.value(run, moment) is not None:
        return False
    if run.status not in ENDED:
        return run.status is Status.QUEUED or not row.has_progress
    return row.problem or is_warning(row.line)
