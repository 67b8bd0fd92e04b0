"""The table of runs: the rows of a view, and a cursor that stays with its run; without runs, how to start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import events, on
from textual.geometry import Offset
from textual.message import Message

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation import numbers
from backprop_tui.presentation.machine import SIMULATED
from backprop_tui.presentation.run_fields import FIXED, field_of
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, heading, hint, joined_clauses, pressing, wrapped
from backprop_tui.tui.panes.history_table import (
    displayed_order,
    draw_history_row,
    ended_columns,
    history_columns,
    history_heading,
)
from backprop_tui.tui.panes.list_heading import COLUMNS, Heading
from backprop_tui.tui.panes.run_list import RunListView
from backprop_tui.tui.panes.run_table import column_heads, draw_run, list_columns, run_columns, runs_heading
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget

_KEY = 8
_RIGHT_BUTTON = 3
_MOST_DRAWN = 400  # rows that are kept: a key may go back to them
NO_MATCH_ROWS = 2  # what is shown when no run matches the filter
_SHELL = "backprop-tui run train.py -m 60 -- --lr 3e-4"
_WAYS = {2: " Two ways to start:", 3: " Three ways to start:"}
_NO_CHANGE = "Your script needs no changes: steps, losses and checkpoints are read from its output."


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class BeginningView:
    """`ways` are keys with what they do; `checked` is empty before the first readings."""

    ways: Sequence[tuple[str, str]]
    checked: Sequence[str]


def beginning_view(snapshot: Snapshot, *, example: bool) -> BeginningView | None:
    """None if there are runs; `example` says whether the example script is installed."""
    if not snapshot.is_beginning:
        return None
    ways: list[tuple[str, str]] = []
    if not snapshot.is_read_only:
        ways.append(("n", "run your own script; or paste a command line here, or drop a script on this window"))
    if example and not snapshot.is_read_only:
        ways.append(("e", "try the shipped example: 2 minutes, any CPU, a real loss curve"))
    ways.append(("d", "see the demo: simulated GPUs, real example runs, clearly labeled"))
    return BeginningView(ways=tuple(ways), checked=tuple(_checked(snapshot)))


def _checked(snapshot: Snapshot) -> list[str]:
    sample = snapshot.sample
    if sample is None:
        return []
    readings = sample.readings
    gpus = len(readings.gpus)
    checks = [_gpus(gpus, readings.probe) if gpus else "no GPU, runs use the CPU"]
    disk = readings.host.disk_free_bytes
    checks += [] if disk is None else [f"{numbers.size(disk)} disk free"]
    logout = snapshot.logout
    if logout is not None:
        logout_effect = "runs survive logout" if logout.survives else "logout ends runs"
        checks.append(f"{logout_effect} ({logout.reason})")
    return checks


def _gpus(count: int, probe: str) -> str:
    return counted(count, "simulated GPU") if probe == SIMULATED else f"{counted(count, 'GPU')} by {sanitize(probe)}"


def draw_beginning(view: BeginningView, width: int, glyphs: Glyphs) -> list[Line]:
    indent = " " * max(1, min(18, width // 16))
    room = width - len(indent) - 1
    title = "No runs yet." + _WAYS.get(len(view.ways), "")
    lines: list[Line] = [(), (Piece(f"{indent}{title}", bold=True),), ()]
    for key, text in view.ways:
        for index, row in enumerate(wrapped(text, room - _KEY)):
            shown, click = f"{'' if index else key:<{_KEY}}", pressing(key)
            lines.append((Piece(indent + shown, Token.ACCENT, bold=True, click=click), Piece(row.strip(), click=click)))
    lines.append(())
    if room < len(_SHELL) + 14:
        lines += [(Piece(f"{indent}From a shell:", Token.MUTED),), (Piece(f"{indent}{_SHELL}"),)]
    else:
        lines.append((Piece(f"{indent}From a shell:  ", Token.MUTED), Piece(_SHELL)))
    lines += [(Piece(indent + row.strip(), Token.MUTED),) for row in wrapped(_NO_CHANGE, room)]
    if view.checked:
        text, _ = joined_clauses([*view.checked, "backprop-tui doctor checks more"], room - 9, glyphs)
        lines += [(), (Piece(f"{indent}Checked: {text}", Token.MUTED),)]
    return lines


def draw_no_match(expression: str, width: int) -> list[Line]:
    indent = " " * max(1, min(18, width // 16))
    message = Piece(f"{indent}No matching runs for /{expression}. ", Token.MUTED)
    return [(), (message, *hint("esc", "clears the filter."))]


class RunsTable(LineWidget, can_focus=True):
    """Heading and rows. `selected` is the id of the row under the cursor: a run, a group, or the line of older ones."""

    WHEEL_ROWS = 3

    class Selected(Message):
        """The cursor is on another row."""

    class Opened(Message):
        """The row under the cursor was double-clicked."""

    class Marked(Message):
        """The row under the cursor was clicked with ctrl."""

    class MenuRequested(Message):
        """The row under the cursor was clicked with the right button, at a cell of the screen."""

        def __init__(self, at: Offset) -> None:
            super().__init__()
            self.at = at

    class HeadingClicked(Message):
        """The heading of a column was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    class FilterKey(Message):
        """A key for the filter: slash, or one that arrived before the filter's input had the focus."""

        def __init__(self, key: str, character: str | None) -> None:
            super().__init__()
            self.key, self.character = key, character

    def __init__(self, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(glyphs=glyphs, id=id)
        self.view = RunListView(rows=(), shown=0, total=0)
        self._columns = run_columns(80)
        self._step_cells = 0
        self._history = history_columns(80, ())
        self._placed_for: tuple[object, ...] = ()
        self.beginning: BeginningView | None = None
        self.selected: str | None = None
        self._index = 0  # row of the cursor, kept when its run vanishes
        self._top = 0  # the first line that is shown
        self._shows_cursor = True  # unless the wheel scrolled it out
        self._drawn: dict[str, tuple[tuple[object, ...], Line]] = {}  # rows that were on the screen, and what they show
        self._filtering = False  # from slash until the filter's input has the focus

    @on(events.Key)
    def _key(self, event: events.Key) -> None:
        """Catch the text behind slash: bindings run only after the letters that arrive with their key.

        Otherwise the letters of a filter might stop a run.
        """
        if event.key == "slash" or self._filtering:
            event.stop()
            event.prevent_default()
            self._filtering = event.key not in ("enter", "escape")
            self.post_message(self.FilterKey(event.key, event.character))

    @property
    def cursor(self) -> str | None:
        """The row under the cursor; None while no row is shown, though `selected` is kept until it is shown again."""
        return self.selected if self.view.rows else None

    def show_view(
        self,
        view: RunListView,
        beginning: BeginningView | None = None,
        *,
        from_top: bool = False,
        keep: str | None = None,
    ) -> None:
        """Shows other rows; the cursor stays with its run, or in its place when the run vanished.

        `from_top` shows the first rows: a cursor that is not among them goes to the first, unless it is on the row to
        `keep`.
        """
        self.view, self.beginning = view, beginning
        if from_top:
            self._top, self._shows_cursor = 0, True
        count = len(view.rows)
        if count and (self._index >= count or view.id_at(self._index) != self.selected):
            self._index = self._place_of_cursor(in_first_rows=from_top and keep != self.selected)
        if count:
            if from_top and self._line_of(self._index) >= self._visible_rows and view.id_at(self._index) != keep:
                self._index = 0
            self._select(view.id_at(self._index))
        if self._shows_cursor and self.size.height:
            self._scroll_to_cursor()
        self.paint()

    def _place_of_cursor(self, *, in_first_rows: bool) -> int:
        """The index of the row that was selected, else the place that the cursor had."""
        count = len(self.view.rows)
        rows = range(min(count, self._visible_rows))
        ids = [self.view.id_at(index) for index in rows] if in_first_rows else self.view.ids
        return ids.index(self.selected) if self.selected in ids else max(0, min(self._index, count - 1))

    def select(self, row_id: str) -> None:
        """Moves the cursor to a row; does nothing when there is no such row."""
        if row_id in self.view.ids:
            self.move_to(self.view.ids.index(row_id))

    def move(self, rows: int) -> None:
        self.move_to(self._index + rows)

    def move_to(self, index: int) -> None:
        """Moves the cursor to an index, or the nearest that exists."""
        if not self.view.rows:
            return
        self._index = max(0, min(index, len(self.view.rows) - 1))
        self._select(self.view.id_at(self._index))
        self._scroll_to_cursor()
        self.paint()

    def page(self, share: float) -> None:
        """Moves the cursor by a share of the visible rows."""
        self.move(int(self._visible_rows * share) or (1 if share > 0 else -1))

    def _select(self, row_id: str) -> None:
        if row_id != self.selected:
            self.selected = row_id
            self.post_message(self.Selected())

    @property
    def _visible_rows(self) -> int:
        return max(1, self.size.height - 1)

    def _line_of(self, index: int) -> int:
        """Ended runs come after a heading of their own."""
        return index + int(self.view.has_two_parts and index >= self.view.history_from)

    def _rows_before(self, line: int) -> int:
        heading_before = self.view.has_two_parts and line > self.view.history_from
        return min(line - int(heading_before), len(self.view.rows))

    def _scroll_to_cursor(self) -> None:
        line = self._line_of(self._index)
        self._top = min(self._top, line)
        self._top = max(self._top, line - self._visible_rows + 1)

    def _index_at(self, line: int) -> int | None:
        """The index of the row in a line; None for the heading of ended runs, and below the last row."""
        if self.view.has_two_parts and line >= self.view.history_from:
            line -= 1
            if line < self.view.history_from:
                return None
        return line if line < len(self.view.rows) else None

    def paint(self) -> None:
        width = self.size.width
        if width <= 0 or self.size.height <= 0:
            return
        view = self.view
        self._top = max(0, min(self._top, view.lines - self._visible_rows))
        self._place_columns(view, width)
        drawn, lines, cursor = {}, [self._heading().draw(view, width, self.glyphs, focused=self.has_focus)], None
        index: int | None = -1
        for line in range(self._top, min(self._top + self._visible_rows, view.lines)):
            index = self._index_at(line)
            cursor = len(lines) if index == self._index else cursor
            if index is None:
                lines.append(self._lower_heading().draw(view, width, self.glyphs, focused=False))
                continue
            row_id = view.id_at(index)
            drawn[row_id] = self._row(index, self._drawn.get(row_id))
            lines.append(drawn[row_id][1])
        self._drawn = drawn if len(self._drawn) > _MOST_DRAWN else self._drawn | drawn
        self._shows_cursor = cursor is not None or not view.rows
        if index is None:  # columns with nothing in them
            lines[-1] = heading([(2, [Piece("Ended runs below", Token.MUTED)])], width, self.glyphs)
        if not view.rows:
            lines += self._placeholder(width)
        self.show(lines, cursor=cursor)

    def _place_columns(self, view: RunListView, width: int) -> None:
        """Finds the columns that fit; they stay the same objects, which are compared quickly, while none can change."""
        first = view.sort.key if view.sort is not None else None
        self._step_cells = view.step_cells or self._step_cells  # stay while the next run has no step yet
        needs = view.gpu_cells, view.used, self._step_cells
        names = view.names, view.unfinished_names, view.options, view.history_from >= len(view.rows)
        placed_for = width, view.hidden, needs, view.history, first, view.shared, view.asked, names
        if placed_for == self._placed_for:
            return
        self._placed_for = placed_for
        self._columns = list_columns(view, width, self.glyphs, self._step_cells)
        history = ended_columns(view, width, self.glyphs)
        self._history = self._history if history == self._history else history

    @property
    def is_history(self) -> bool:
        """Whether the columns of ended runs are those under the heading of the list."""
        index = self._index_at(self._top)
        return index is None or index >= self.view.history_from

    def _heading(self) -> Heading:
        above, end = self._rows_before(self._top), self._rows_before(self._top + self._visible_rows)
        focused, view = self.has_focus, replace(self.view, above=above, below=len(self.view.rows) - end)
        if self.is_history and view.rows:
            return history_heading(view, self._history, self.glyphs, focused=focused, is_first=True)
        return runs_heading(view, self._columns, self.glyphs, focused=focused)

    def _lower_heading(self) -> Heading:
        return history_heading(self.view, self._history, self.glyphs, focused=False, is_first=False)

    def _row(self, index: int, before: tuple[tuple[object, ...], Line] | None) -> tuple[tuple[object, ...], Line]:
        """What a row shows, and its line: the one from before if it shows the same."""
        columns = self._history if index >= self.view.history_from else self._columns
        shown = columns, index == self._index, self.view.basis_at(index)
        return before if before is not None and before[0] == shown else (shown, self._draw_row(index))

    def _draw_row(self, index: int) -> Line:
        row, cursor = self.view.rows[index], index == self._index
        if index >= self.view.history_from:
            return draw_history_row(row, self._history, self.glyphs, cursor=cursor, sort=self.view.sort)
        return draw_run(row, self._columns, self.glyphs, cursor=cursor)

    def has_column(self, key: str, *, ended: bool) -> bool:
        """Whether the column has room in the rows of ended runs, or of unfinished ones."""
        return key in self._history.keys if ended else bool(getattr(self._columns, key))

    def sort_keys(self) -> list[str]:
        """The columns that can be sorted by, from left to right: those of ended runs, if there are any.

        Those without room are among them: a column that is sorted by gets room.
        """
        if self.view.history_from < len(self.view.rows):
            fields = filter(None, map(self.view.column, self.view.history))
            return ["name", *(field.key for field in displayed_order(fields))]
        heads = column_heads(self._columns, None, self.glyphs)
        return [head.key for head in heads if head.key in FIXED]

    def _placeholder(self, width: int) -> list[Line]:
        if self.beginning is not None:
            return draw_beginning(self.beginning, width, self.glyphs)
        return draw_no_match(sanitize(self.view.filter), width) if self.view.filter else []

    @on(events.Resize)
    def _resized(self) -> None:
        if self._shows_cursor:
            self._scroll_to_cursor()
        self.paint()

    @on(events.Focus)
    @on(events.Blur)
    def _focus_changed(self) -> None:
        self._filtering = False
        self.call_after_refresh(self.paint)

    def turn_wheel(self, rows: int) -> None:
        self._top += rows
        self.paint()

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        line = self._top + event.y - 1
        index = self._index_at(line)
        if event.y == 0 or (index is None and line < self.view.lines):
            key = (self._lower_heading() if event.y else self._heading()).key_at(event.x)
            if key == COLUMNS or (key is not None and field_of(key) is not None):
                self.post_message(self.HeadingClicked(key))
            return
        if index is None:
            return
        self.move_to(index)
        if event.button == _RIGHT_BUTTON:
            self.post_message(self.MenuRequested(event.screen_offset))
        elif event.ctrl:
            self.post_message(self.Marked())
        elif event.chain == 2:
            self.post_message(self.Opened())
