"""Draws the runs list: the columns that fit, the heading with their names, and the rows."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from typing import Any

from rich.cells import cell_len

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.objective import best_words
from backprop_tui.domain.run_names import split_point
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.fitting import least_columns, short_names
from backprop_tui.presentation.numbers import percent_done
from backprop_tui.presentation.run_fields import own_result
from backprop_tui.presentation.run_line import BEST, RunLine, Tone
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.presentation.states import status_word
from backprop_tui.tui.actions import BY_ID
from backprop_tui.tui.glyphs import Glyphs, bar, trend
from backprop_tui.tui.lines import (
    STATE_TOKENS,
    TONE_TOKENS,
    Line,
    LineBuilder,
    Token,
    clip,
    clip_name,
    joined_clauses,
    left,
    right,
)
from backprop_tui.tui.panes.list_heading import Head, Heading, list_title, place_heads, sort_mark
from backprop_tui.tui.panes.run_entries import OLDER
from backprop_tui.tui.panes.run_list import LEAST_GPU_CELLS, RunListView
from backprop_tui.tui.panes.run_row import RunRow, with_end

MARGIN = 1  # at the right edge
NAME_AT = 14  # after the cursor, the mark, the glyph and the state
_MAX_SPACE = 3
_SPARE = 2  # cells that must stay free when a column is added
HIDEABLE = ("trend", "eta", "timebox", "saved", "slice", "tags")
_MOST_NAME = 40
# Added one after the other as long as they fit: the column, its new width, and how many cells that takes.
_ADDITIONS = (
    ("eta", 7, 7),
    ("bar", 8, 8),
    ("trend", 10, 12),
    ("name", 22, 6),
    ("timebox", 6, 7),
    ("bar", 12, 4),
    ("saved", 9, 9),
    ("name", 28, 6),
    ("slice", 7, 7),
    ("tags", 16, 18),
    ("name", _MOST_NAME, 12),
)
_LEAST, _WITHOUT_ADDITIONS = 77, 69
_NAME, _LEAST_NAME = 16, 10
_LEAST_METRIC = 4  # cells of its name
_LEAST_CLAUSE = 8
_LEFT_AND_KEY = 9  # wide enough for the key that extends the timebox
_EXTEND = BY_ID["time"].shown
_LEAST_NARROW_NAME = 8
_LEAST_STEP = 6  # cells, for its heading
_MEASURED = 64  # unfinished runs whose names decide about the width of their column
NARROW = 46


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunColumns:
    """The width of each column with the gap before it, 0 if it is not shown; `name` has no such gap.

    `called` has what arguments in names are called.
    """

    width: int
    name: int
    gpu: int = 4
    bar: int = 0
    step: int = 14
    loss: int = 8
    left: int = 7
    trend: int = 0
    eta: int = 0
    timebox: int = 0
    saved: int = 0
    slice: int = 0
    tags: int = 0
    space: int = 0  # between the trend and the timebox
    left_out: int = 0  # columns with something to show that have no room
    line_from_step: bool = False  # the sentence of a row with progress starts at the step and not at the trend
    called: Mapping[str, str] = field(default_factory=dict)

    @property
    def gpu_at(self) -> int:
        return NAME_AT + self.name + 1

    @property
    def progress_at(self) -> int:
        """The progress bar, or the sentence of a row without progress."""
        return self.gpu_at + self.gpu

    @property
    def step_at(self) -> int:
        """After the bar and the percentage."""
        return self.progress_at + self.bar + 5

    @property
    def loss_at(self) -> int:
        return self.step_at + self.step

    @property
    def trend_at(self) -> int:
        return self.loss_at + self.loss + 2

    @property
    def timebox_at(self) -> int:
        return (
            self.loss_at + self.loss + (self.trend + 2 if self.trend else 0) + (1 + self.space if self.timebox else 0)
        )

    @property
    def left_at(self) -> int:
        return self.timebox_at + self.timebox

    @property
    def eta_at(self) -> int:
        return self.left_at + self.left

    @property
    def saved_at(self) -> int:
        return self.eta_at + self.eta

    @property
    def slice_at(self) -> int:
        return self.saved_at + self.saved

    @property
    def tags_at(self) -> int:
        return self.slice_at + self.slice + (2 if self.tags else 0)


def run_columns(
    width: int,
    hidden: AbstractSet[str] = frozenset(),
    gpu: int = LEAST_GPU_CELLS,
    used: AbstractSet[str] = frozenset(),
) -> RunColumns:
    """The columns at a width, without the hidden ones; names of machines in the `gpu` column shorten the run's.

    `used` are the columns that have something to show; the name has the cells of a `gpu` column of none.
    """
    if width < _LEAST + _SPARE:
        return _narrow(width)
    spare = width - MARGIN - _LEAST
    wider = max(0, min(gpu - LEAST_GPU_CELLS, spare + _NAME - _LEAST_NAME))
    shorter = max(0, wider - spare)
    for_name = 0 if gpu else LEAST_GPU_CELLS
    shown: dict[str, Any] = {"name": _NAME - shorter + for_name, "gpu": LEAST_GPU_CELLS + wider - for_name}
    taken = _WITHOUT_ADDITIONS + wider - shorter
    for column, size, cost in _ADDITIONS:
        if column in hidden:
            continue
        if taken + cost > width - MARGIN - _SPARE:
            break
        shown[column] = size + for_name * (column == "name")
        taken += cost
    spare = max(0, width - MARGIN - taken)
    if "timebox" not in shown and spare >= _SPARE:
        shown["left"] = _LEFT_AND_KEY
    if "bar" not in shown:
        shown["name"] += max(0, spare - _SPARE)
    space = min(_MAX_SPACE, spare)
    left_out = len(used - hidden - shown.keys())
    line_from_step = "trend" not in shown or width < 100
    return RunColumns(width=width, line_from_step=line_from_step, space=space, left_out=left_out, **shown)


def list_columns(view: RunListView, width: int, glyphs: Glyphs, step: int = 0) -> RunColumns:
    """The columns of unfinished runs for these rows, and what arguments are called in their names.

    Steps need `step` cells; 0 is not known.
    """
    columns = run_columns(width, view.hidden, view.gpu_cells, view.used)
    newest = [short for _, short in view.unfinished_names[:_MEASURED]]
    columns = _with_room_for(columns, 2 + least_columns(newest, view.options, shared_front=False), step)
    names = [name if cell_len(name) <= columns.name else short for name, short in view.unfinished_names]
    names += view.names if view.history_from >= len(view.rows) else ()
    return replace(columns, called=short_names(names, columns.name, glyphs.clipped, view.options))


def _with_room_for(columns: RunColumns, name: int, step: int) -> RunColumns:
    """Names get the cells that they need and that steps do not; `step` 0 is not known."""
    spare = columns.step - max(_LEAST_STEP, step + 1) if step else 0
    more = max(0, min(spare, name - columns.name))
    return replace(columns, name=columns.name + more, step=columns.step - more)


def _narrow(width: int) -> RunColumns:
    """State, name, percentage, loss, the rest of the timebox and ETA; on very narrow screens only the first two."""
    if width < NARROW:
        return RunColumns(width=width, name=max(1, width - 15), gpu=0, bar=0, step=0, loss=0, left=0)
    columns = RunColumns(width=width, name=0, gpu=0, step=0, left=_LEFT_AND_KEY, line_from_step=True)
    spare = width - MARGIN - columns.eta_at
    eta = 7 if spare >= 7 + _LEAST_NARROW_NAME else 0
    step = 14 if spare - eta >= 14 + _NAME else 0
    return replace(columns, name=min(_MOST_NAME, spare - eta - step), eta=eta, step=step)


def runs_heading(view: RunListView, columns: RunColumns, glyphs: Glyphs, *, focused: bool) -> Heading:
    """The title with its counts, and the names of the columns."""
    heads = column_heads(columns, view.sort, glyphs) if view.rows else []
    title = list_title(view, heads, columns.width, glyphs, focused=focused)
    return place_heads(title, heads, columns.left_out, columns.width)


def column_heads(columns: RunColumns, sort: RunSort | None, glyphs: Glyphs) -> list[Head]:
    """The heading of each column and its place; without its bar the timebox is what is left of it."""
    if not columns.loss:
        return []
    heads = [("name", NAME_AT), ("progress", columns.progress_at), ("loss", columns.loss_at + columns.loss - 4)]
    if columns.gpu:
        heads.append(("gpu", columns.gpu_at))
    if columns.step:
        heads.append(("step", columns.loss_at - 4))
    if columns.trend:
        heads.append(("trend", columns.trend_at))
    if columns.timebox:
        heads.append(("timebox", columns.left_at - 7))
    left_word = "left" if columns.timebox else "timebox"
    heads.append(("left", columns.left_at + columns.left - len(left_word)))
    if columns.eta:
        heads.append(("eta", columns.eta_at + columns.eta - 4))
    if columns.saved:
        heads.append(("saved", columns.saved_at + 3))
    if columns.slice:
        heads.append(("slice", columns.slice_at + 2))
    if columns.tags:
        heads.append(("tags", columns.tags_at))
    heads.sort(key=lambda head: head[1])
    words = {"left": left_word}
    return [Head(key, words.get(key, key), at).marked(sort_mark(sort, key, glyphs)) for key, at in heads]


def _ending(place: str, cells: int, glyphs: Glyphs) -> str:
    """The end of a long name of a machine, where its number is: `…017:0`."""
    return place if cell_len(place) <= cells or ":" not in place else glyphs.clipped + place[1 - cells :]


def begin_row(row: RunRow, glyphs: Glyphs, *, cursor: bool) -> LineBuilder:
    """The cursor, the mark and the state."""
    builder = LineBuilder()
    builder.put(glyphs.cursor if cursor else " ", Token.ACCENT)
    builder.put(glyphs.mark if row.marked else " ", Token.ACCENT)
    if row.run_id == OLDER or row.group is not None:
        return builder
    return builder.put(f"{glyphs.state(row.state)} ", row.token).put(
        left(status_word(row.state), 10, glyphs), row.token
    )


def shown_name(row: RunRow, name: str, cells: int, glyphs: Glyphs, table: Mapping[str, str]) -> str:
    """A long name without the arguments that unfinished runs of that name share, then cut so that they still differ.

    The arguments are called as in the whole `table`.
    """
    if row.member:
        return "  " + clip_name(name, cells - 2, glyphs, table=table)
    if row.short and cell_len(name) > cells and name == row.name and row.run is not None:
        name = name if row.short == row.name else sanitize(f"{split_point(row.run.name)[0]} {row.short}")
    return clip_name(name, cells, glyphs, keeps_front=row.keeps_front, table=table)


def draw_run(row: RunRow, columns: RunColumns, glyphs: Glyphs, *, cursor: bool) -> Line:
    if row.run_id == OLDER or row.group is not None:
        return draw_group(row, columns.width, columns.name, glyphs, cursor=cursor)
    builder = begin_row(row, glyphs, cursor=cursor)
    name = left(shown_name(row, row.name, columns.name, glyphs, columns.called), columns.name, glyphs)
    builder.put(name, Token.MUTED if row.dim else Token.FG, bold=row.bold or cursor).put(" ")
    if columns.gpu:
        builder.put(_ending(row.gpu, columns.gpu - 1, glyphs), Token.MUTED if row.waiting else Token.FG)
    if not columns.loss:
        return builder.line()
    if row.has_progress and row.line is None:
        _all_columns(builder, row, columns, glyphs)
    elif row.has_progress:
        _progress_and_line(builder, row, columns, glyphs)
    else:
        _line_row(builder, row, columns, glyphs)
    return builder.line()


def _all_columns(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    _progress(builder, row, columns, glyphs)
    _step_and_loss(builder, row, columns, glyphs)
    if columns.trend:
        curve = trend(row.trend, columns.trend, glyphs.curves)
        builder.at(columns.trend_at).put(curve, Token.ACCENT)
    _time(builder, row, columns, glyphs)


def _progress(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    builder.at(columns.progress_at)
    if columns.bar:
        filled, track = bar(row.progress, columns.bar, glyphs)
        builder.put(filled, row.token).put(track, Token.FAINT)
    done = percent_done(row.progress)
    builder.put(f"{done:>5}", Token.MUTED if row.progress is None else Token.FG)


def _step_and_loss(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    if columns.step:
        fits = len(row.step) < columns.step
        builder.put(right(row.step if fits else "", columns.step, glyphs))
    if columns.loss:
        builder.put(right(row.loss, columns.loss, glyphs), row.loss_token, bold=True)


def _time(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    if columns.timebox and row.eta_warns:
        builder.at(columns.timebox_at).put(_EXTEND, Token.ACCENT, bold=True).put(" more", Token.WARN)
    elif columns.timebox and row.timebox is not None:
        filled, track = bar(row.timebox, columns.timebox, glyphs)
        builder.at(columns.timebox_at).put(filled, Token.VIOLET).put(track, Token.FAINT)
    if columns.left:
        has_room = row.eta_warns and not columns.timebox and len(row.left) + 2 < columns.left
        builder.at(columns.left_at + columns.left - len(row.left) - 2)
        builder.put(f"{_EXTEND} " if has_room else "", Token.ACCENT, bold=True)
        builder.at(columns.left_at + columns.left - len(row.left))
        builder.put(row.left, Token.WARN if row.eta_warns else Token.FG)
    if columns.eta:
        eta = Token.WARN if row.eta_warns else Token.MUTED
        builder.at(columns.eta_at).put(right(row.eta, columns.eta, glyphs), eta)
    if columns.saved:
        builder.at(columns.saved_at).put(right(row.saved, columns.saved, glyphs), Token.MUTED)
    if columns.slice:
        builder.at(columns.slice_at).put(right(row.slice, columns.slice, glyphs), Token.VIOLET)
    if columns.tags:
        builder.at(columns.tags_at).put(clip(row.tags, columns.tags, glyphs), Token.MUTED)


def _progress_and_line(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    """For a paused or stopping run: its progress, then the reason."""
    _progress(builder, row, columns, glyphs)
    if not columns.bar or columns.line_from_step or not columns.trend:
        builder.put("  ")
    else:
        _step_and_loss(builder, row, columns, glyphs)
        builder.at(columns.trend_at)
    if row.line is not None:
        put_line(builder, row.line, columns.width - MARGIN - builder.column, glyphs)


def _line_row(builder: LineBuilder, row: RunRow, columns: RunColumns, glyphs: Glyphs) -> None:
    """A sentence in place of the figures; an ended run keeps its step, its loss and its age."""
    row = with_end(row)
    has_time = bool(row.left or row.timebox is not None)
    run_end = row.end if columns.width >= 100 else row.age
    end = columns.width - MARGIN
    if run_end:
        end -= len(run_end) + 2
    elif has_time and columns.left:
        end = columns.timebox_at if columns.timebox else columns.eta_at - len(row.left) - 2
    line = row.line
    has_figures = bool(columns.step and (row.step or row.loss))
    if has_figures and row.member and _put_member(builder, row, columns, end, glyphs):
        line = None
    elif has_figures and not _says_more(row, columns, end, glyphs):
        builder.at(columns.step_at)
        _step_and_loss(builder, row, columns, glyphs)
        builder.at(columns.trend_at)
        line = row.remainder if end - builder.column >= _LEAST_CLAUSE else None
    else:
        builder.at(columns.progress_at)
    if line is not None:
        put_line(builder, line, end - builder.column, glyphs, tone=Tone.MUTED if row.dim else None)
    if run_end:
        builder.at(columns.width - MARGIN - len(run_end)).put(run_end, Token.MUTED)
    elif has_time:
        _time(builder, row, columns, glyphs)


def _put_member(builder: LineBuilder, row: RunRow, columns: RunColumns, end: int, glyphs: Glyphs) -> bool:
    """The best value of a member below that of the others: behind the loss with the rest, or in place of the step.

    Returns False, and puts nothing, if it has none or there is no room.
    """
    key, value = (None if row.run is None else own_result(row.run)) or ("", "")
    metric = sanitize(key.removeprefix(BEST))
    words = best_words(metric)
    room = columns.loss_at - columns.gpu_at - cell_len(f"  {value}")
    fitting = [each for each in (words, words.split()[0]) if room - cell_len(each) >= _LEAST_METRIC]
    if not key.startswith(BEST) or not fitting:
        return False
    texts = [f"{each} {clip(metric, room - cell_len(each), glyphs)} {value}" for each in fitting]
    behind = next((text for text in texts if columns.trend_at + cell_len(text) <= end), None)
    text = behind or texts[0]
    if behind:
        builder.at(columns.step_at)
        _step_and_loss(builder, row, columns, glyphs)
        builder.at(columns.trend_at).put(text, Token.MUTED)
        clauses = () if row.remainder is None else row.remainder.clauses
        others = [clause for clause in clauses if not clause.startswith(f"{words} {metric} ")]
        room = end - builder.column - 3
        rest = joined_clauses([clause for clause in others if cell_len(clause) <= room], room, glyphs)[0]
        builder.put(f" {glyphs.between} {rest}" if rest else "", Token.MUTED)
    else:
        builder.at(columns.loss_at - cell_len(text)).put(text, Token.MUTED)
        builder.put(right(row.loss, columns.loss, glyphs), row.loss_token, bold=True)
    return True


def _says_more(row: RunRow, columns: RunColumns, end: int, glyphs: Glyphs) -> bool:
    """Whether the sentence with the figures has room in their place, and the one without them is cut behind them."""
    whole = "" if row.line is None else joined_clauses(row.line.clauses, 1 << 10, glyphs)[0]
    is_cut = row.remainder is not None and columns.trend_at + cell_len(row.remainder.clauses[0]) > end
    return is_cut and columns.progress_at + cell_len(whole) <= end


def put_line(
    builder: LineBuilder, line: RunLine, room: int, glyphs: Glyphs, *, tone: Tone | None = None, whole: bool = False
) -> None:
    """The clauses that fit; `whole` shortens none."""
    clauses = [clause for clause in line.clauses if cell_len(clause) <= room] if whole else line.clauses
    text, more = joined_clauses(clauses, room, glyphs)
    builder.put(text, TONE_TOKENS[tone or line.tone]).put(f"  {more}" if more and line.is_list else "", Token.MUTED)


def draw_group(row: RunRow, width: int, name: int, glyphs: Glyphs, *, cursor: bool) -> Line:
    """The row of a group with its members by state and the best of them, or that of older runs."""
    builder = begin_row(row, glyphs, cursor=cursor)
    group = row.group
    if group is None:
        return builder.at(NAME_AT).put(f"{glyphs.clipped} {row.name}", Token.MUTED).line()
    builder.put(f"{glyphs.group_shut if group.folded else glyphs.group_open} ").put(
        left("group", 10, glyphs), Token.MUTED
    )
    builder.put(left(clip_name(row.name, name, glyphs), name, glyphs), bold=True).put(" ")
    if width - builder.column < 24:
        return builder.line()
    hidden = f", {group.size} shown" if group.size < group.total else ""
    builder.put(f"{counted(group.total, 'run')}{hidden} ", Token.MUTED)
    for state, count in group.counts:
        builder.put(f" {glyphs.state(state)} ", STATE_TOKENS.get(state, Token.FG)).put(str(count))
    room = width - builder.column - cell_len(group.best) - 6
    shorter = group.best_words.replace("smoothed best", "smoothed")
    words = next((words for words in (group.best_words, shorter) if cell_len(words) <= room), "")
    if words:
        builder.put(f"   {words} ", Token.MUTED).put(group.best)
        room = width - builder.column - 3
        builder.put(f"  {group.best_name}" if cell_len(group.best_name) <= room else "", Token.MUTED)
    return builder.line()
