"""The runs: rows of a view, a cursor that belongs to a run and not to a row."""

from __future__ import annotations

from textual import events, on
from textual.message import Message

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.panes.beginning import BeginningView, draw_beginning, draw_no_match
from backprop_tui.tui.panes.run_columns import run_columns
from backprop_tui.tui.panes.run_list import RunListView
from backprop_tui.tui.panes.run_table import draw_run, draw_runs_heading, head_at
from backprop_tui.tui.tokens import Line
from backprop_tui.tui.widgets.painted import Painted

_WHEEL_ROWS = 3


class RunsTable(Painted, can_focus=True):
    """Heading and rows. `selected` is the id of the row under the cursor: a run, a group, or the line of older ones."""

    def __init__(self, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(glyphs=glyphs, id=id)
        self.view = RunListView(rows=(), shown=0, total=0)
        self.beginning: BeginningView | None = None
        self.selected: str | None = None
        self._place = 0  # where the selected row was, for when it vanishes
        self._top = 0
        self._filtering = False  # since slash, until the line of the filter has the focus

    class Selected(Message):
        """The cursor came to another row."""

        def __init__(self, row_id: str) -> None:
            super().__init__()
            self.row_id = row_id

    class Opened(Message):
        """The row under the cursor is to be opened."""

    class HeadClicked(Message):
        """The word over a column was clicked."""

        def __init__(self, head: str) -> None:
            super().__init__()
            self.head = head

    class Marked(Message):
        """The row under the cursor is to be marked."""

    class Typed(Message):
        """A key of the filter: slash, or one that came so soon behind it that its line had no focus yet."""

        def __init__(self, key: str, character: str | None) -> None:
            super().__init__()
            self.key, self.character = key, character

    @on(events.Key)
    def _key(self, event: events.Key) -> None:
        """Bindings come after the letters that arrive with their key: what is typed behind slash must stop no run."""
        if event.key == "slash" or self._filtering:
            event.stop()
            event.prevent_default()
            self._filtering = event.key not in ("enter", "escape")
            self.post_message(self.Typed(event.key, event.character))

    def show_view(self, view: RunListView, beginning: BeginningView | None = None) -> None:
        """Other rows; the cursor stays with its run, and where that vanished, with its place."""
        self.view, self.beginning = view, beginning
        ids = [row.run_id for row in view.rows]
        if self.selected in ids:
            self._place = ids.index(self.selected)
        elif ids:
            self._place = max(0, min(self._place, len(ids) - 1))
            self._select(ids[self._place])
        self.paint()

    def select(self, row_id: str) -> None:
        """The cursor goes to a row; nothing where there is none of that id."""
        ids = [row.run_id for row in self.view.rows]
        if row_id in ids:
            self.move_to(ids.index(row_id))

    def move(self, rows: int) -> None:
        """The cursor moves so many rows, as far as there are any."""
        self.move_to(self._place + rows)

    def move_to(self, place: int) -> None:
        """The cursor goes to a place, or the nearest there is."""
        if not self.view.rows:
            return
        self._place = max(0, min(place, len(self.view.rows) - 1))
        self._select(self.view.rows[self._place].run_id)
        self._follow_cursor()
        self.paint()

    def page(self, share: float) -> None:
        """The cursor moves a share of what is shown."""
        self.move(int(self._room * share) or (1 if share > 0 else -1))

    def _select(self, row_id: str) -> None:
        if row_id != self.selected:
            self.selected = row_id
            self.post_message(self.Selected(row_id))

    @property
    def _room(self) -> int:
        return max(1, self.size.height - 1)

    def _follow_cursor(self) -> None:
        self._top = min(self._top, self._place)
        self._top = max(self._top, self._place - self._room + 1)

    def paint(self) -> None:
        """Paints what changed."""
        width = self.size.width
        if width <= 0 or self.size.height <= 0:
            return
        self._top = max(0, min(self._top, len(self.view.rows) - self._room))
        columns = run_columns(width, self.view.hidden)
        lines = [draw_runs_heading(self.view, columns, self.glyphs, focused=self.has_focus)]
        shown = self.view.rows[self._top : self._top + self._room]
        lines += [draw_run(row, columns, self.glyphs, cursor=row.run_id == self.selected) for row in shown]
        cursor = next((place for place, row in enumerate(shown, start=1) if row.run_id == self.selected), None)
        if not self.view.rows:
            lines += self._instead(width)
        self.show(lines, cursor=cursor)

    def _instead(self, width: int) -> list[Line]:
        """What stands where no run does."""
        if self.beginning is not None:
            return draw_beginning(self.beginning, width, self.glyphs)
        return draw_no_match(sanitize(self.view.filter), width) if self.view.filter else []

    @on(events.Resize)
    def _resized(self) -> None:
        self._follow_cursor()
        self.paint()

    @on(events.Focus)
    @on(events.Blur)
    def _focus_changed(self) -> None:
        self._filtering = False
        self.call_after_refresh(self.paint)

    @on(events.MouseScrollDown)
    def _wheel_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._top += _WHEEL_ROWS
        self.paint()

    @on(events.MouseScrollUp)
    def _wheel_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._top = max(0, self._top - _WHEEL_ROWS)
        self.paint()

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        if event.y == 0:
            head = head_at(self.view, run_columns(self.size.width, self.view.hidden), event.x)
            if head is not None:
                self.post_message(self.HeadClicked(head))
            return
        place = self._top + event.y - 1
        if place >= len(self.view.rows):
            return
        self.move_to(place)
        if event.ctrl:
            self.post_message(self.Marked())
        elif event.chain == 2:
            self.post_message(self.Opened())
