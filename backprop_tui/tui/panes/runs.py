"""The table of runs: the rows of a view, and a cursor that stays with its run; without runs, how to start."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.message import Message

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation import numbers
from backprop_tui.presentation.machine import SIMULATED
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, joined_clauses, wrapped
from backprop_tui.tui.panes.run_list import RunListView
from backprop_tui.tui.panes.run_table import draw_run, draw_runs_heading, head_at, run_columns
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget

_KEY = 8
NO_MATCH_ROWS = 2  # what is shown when no run matches the filter
_SHELL = "backprop-tui run train.py -m 60 -- --lr 3e-4"
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
    ways = [("n", "run your own script; or paste a command line here, or drop a script on this window")]
    if example:
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
    lines: list[Line] = [(), (Piece(f"{indent}No runs yet. Three ways to start:", bold=True),), ()]
    for key, text in view.ways:
        for index, row in enumerate(wrapped(text, room - _KEY)):
            lines.append(
                (Piece(indent + f"{'' if index else key:<{_KEY}}", Token.ACCENT, bold=True), Piece(row.strip()))
            )
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
    return [(), (message, Piece("esc", Token.ACCENT, bold=True), Piece(" clears the filter.", Token.MUTED))]


class RunsTable(LineWidget, can_focus=True):
    """Heading and rows. `selected` is the id of the row under the cursor: a run, a group, or the line of older ones."""

    WHEEL_ROWS = 3

    class Selected(Message):
        """The cursor is on another row."""

    class Opened(Message):
        """The row under the cursor was double-clicked."""

    class Marked(Message):
        """The row under the cursor was clicked with ctrl."""

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
        self.beginning: BeginningView | None = None
        self.selected: str | None = None
        self._index = 0  # row of the cursor, kept when its run vanishes
        self._top = 0
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

    def show_view(self, view: RunListView, beginning: BeginningView | None = None) -> None:
        """Shows other rows; the cursor stays with its run, or in its place when the run vanished."""
        self.view, self.beginning = view, beginning
        ids = [row.run_id for row in view.rows]
        if self.selected in ids:
            self._index = ids.index(self.selected)
        elif ids:
            self._index = max(0, min(self._index, len(ids) - 1))
            self._select(ids[self._index])
        self.paint()

    def select(self, row_id: str) -> None:
        """Moves the cursor to a row; does nothing when there is no such row."""
        ids = [row.run_id for row in self.view.rows]
        if row_id in ids:
            self.move_to(ids.index(row_id))

    def move(self, rows: int) -> None:
        self.move_to(self._index + rows)

    def move_to(self, index: int) -> None:
        """Moves the cursor to an index, or the nearest that exists."""
        if not self.view.rows:
            return
        self._index = max(0, min(index, len(self.view.rows) - 1))
        self._select(self.view.rows[self._index].run_id)
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

    def _scroll_to_cursor(self) -> None:
        self._top = min(self._top, self._index)
        self._top = max(self._top, self._index - self._visible_rows + 1)

    def paint(self) -> None:
        width = self.size.width
        if width <= 0 or self.size.height <= 0:
            return
        self._top = max(0, min(self._top, len(self.view.rows) - self._visible_rows))
        columns = run_columns(width, self.view.hidden)
        lines = [draw_runs_heading(self.view, columns, self.glyphs, focused=self.has_focus)]
        rows = self.view.rows[self._top : self._top + self._visible_rows]
        lines += [draw_run(row, columns, self.glyphs, cursor=row.run_id == self.selected) for row in rows]
        cursor = next((number for number, row in enumerate(rows, start=1) if row.run_id == self.selected), None)
        if not self.view.rows:
            lines += self._placeholder(width)
        self.show(lines, cursor=cursor)

    def _placeholder(self, width: int) -> list[Line]:
        if self.beginning is not None:
            return draw_beginning(self.beginning, width, self.glyphs)
        return draw_no_match(sanitize(self.view.filter), width) if self.view.filter else []

    @on(events.Resize)
    def _resized(self) -> None:
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
        if event.y == 0:
            column = head_at(self.view, run_columns(self.size.width, self.view.hidden), event.x)
            if column is not None:
                self.post_message(self.HeadingClicked(column))
            return
        index = self._top + event.y - 1
        if index >= len(self.view.rows):
            return
        self.move_to(index)
        if event.ctrl:
            self.post_message(self.Marked())
        elif event.chain == 2:
            self.post_message(self.Opened())
