"""The Metrics tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.message import Message

from backprop_tui.tui.tokens import Piece, Token
from backprop_tui.tui.widgets.chart_mouse import ChartMouse, Moved, RoomChanged, Sought, Unzoomed, over_metrics
from backprop_tui.tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from backprop_tui.tui.charts.metrics_tab import MetricsView

_PAGE_OF_METRICS = 3


class MetricsTab(Sheet):
    """Charts and a table; what moves in another tab's text moves the chosen metric here."""

    ALLOW_SELECT = False  # a drag is the chart's

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "cursor(-1)", "cursor left", show=False, id="cursor_left"),
        Binding("l,right", "cursor(1)", "cursor right", show=False, id="cursor_right"),
        Binding("shift+left", "cursor(-10)", "cursor far left", show=False, id="cursor_far_left"),
        Binding("escape", "leave_zoom", "zoom out", show=False, id="chart_leave_zoom"),
        Binding("shift+right", "cursor(10)", "cursor far right", show=False, id="cursor_far_right"),
    ]
    view: MetricsView | None = None
    _typed: str | None = None  # an expression for names, while it is typed
    _pressed_at: int | None = None  # the column where the mouse went down in the large chart

    class Chosen(Message):
        """Another metric is wanted large."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def show_view(self, view: MetricsView | None) -> None:
        """Paints what changed."""
        self.view = view
        self.paint()

    def room(self, *, grid: bool) -> int:
        """How many small charts fit."""
        from backprop_tui.tui.charts.metrics_tab import metrics_layout

        return max(1, metrics_layout(*self.size, grid=grid).small)

    def action_cursor(self, columns: int) -> None:
        """Reads values further left or right."""
        mouse = self._mouse()
        self.post_message(Moved(columns / (60 if mouse is None else mouse.columns)))

    def action_leave_zoom(self) -> None:
        """Back to all of x; where that is shown, the key means what it means elsewhere."""
        if self.view is None or not self.view.is_navigated:
            raise SkipAction
        self.post_message(Unzoomed())

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """While an expression is typed, letters are letters."""
        return self._typed is not None and character is not None and character.isprintable()

    def _sought(self, typed: str | None) -> None:
        """None: what is sought stays as it is."""
        before, self._typed = self._typed, typed
        self.post_message(Sought((typed if typed is not None else before) or "", typing=typed is not None))

    @on(events.Key)
    def _key(self, event: events.Key) -> None:
        """Slash and what is typed behind it, here: bindings come after the letters that arrive with them."""
        if self._typed is None and event.key != "slash":
            return
        event.stop()
        event.prevent_default()
        if self._typed is None:
            self._sought("")
            return
        match event.key:
            case "enter":
                self._sought(None)
            case "escape":
                self._typed = ""
                self._sought(None)
            case "backspace":
                self._sought(self._typed[:-1])
            case "ctrl+u":
                self._sought("")
            case _ if event.character is not None and event.character.isprintable():
                self._sought(self._typed + event.character)

    def move(self, rows: int) -> None:
        """The metric so many rows on."""
        if self.view is not None and self.view.rows:
            place = max(0, min(self.view.chosen_index + rows, len(self.view.rows) - 1))
            self.post_message(self.Chosen(self.view.rows[place].name))

    def move_to(self, place: int) -> None:
        """The metric in a row."""
        self.move(0 if self.view is None else place - self.view.chosen_index)

    def page(self, share: float) -> None:
        """A few metrics on; in a grid a page."""
        size = self.room(grid=True) if self.view is not None and self.view.grid else _PAGE_OF_METRICS
        self.move(size if share > 0 else -size)

    def paint(self) -> None:
        """Paints what changed."""
        width, height = self.size
        if width <= 0 or height <= 0:
            return
        if self.view is None:
            self.show([(Piece(" no figures are known", Token.MUTED),)])
            return
        from backprop_tui.tui.charts.metrics_tab import draw_metrics  # with the first figures

        self.show(draw_metrics(self.view, width, height, self.glyphs))

    def _mouse(self) -> ChartMouse | None:
        return None if self.view is None else over_metrics(self.view, *self.size)

    @on(events.Resize)
    def _metrics_resized(self) -> None:
        self.paint()
        self.post_message(RoomChanged())

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def _wheel(self, event: events.MouseScrollDown | events.MouseScrollUp) -> None:
        event.stop()
        event.prevent_default()
        mouse, closer = self._mouse(), isinstance(event, events.MouseScrollUp)
        if mouse is not None and mouse.covers(event):
            self.post_message(mouse.wheel(event, closer=closer))
        else:
            self.move(-1 if closer else 1)

    @on(events.MouseDown)
    def _pressed(self, event: events.MouseDown) -> None:
        mouse = self._mouse()
        if event.button == 1 and mouse is not None and mouse.covers(event):
            self._pressed_at = event.x
            self.capture_mouse()

    @on(events.MouseMove)
    def _dragged(self, event: events.MouseMove) -> None:
        mouse = self._mouse()
        if self._pressed_at is not None and mouse is not None:
            self.post_message(mouse.drag(self._pressed_at, event, done=False))

    @on(events.MouseUp)
    def _released(self, event: events.MouseUp) -> None:
        mouse, start = self._mouse(), self._pressed_at
        self._pressed_at = None
        if start is not None:
            self.release_mouse()
            if mouse is not None:
                self.post_message(mouse.drag(start, event, done=True))
            return
        self._choose_at(event.x, event.y)

    def _choose_at(self, x: int, y: int) -> None:
        """The metric of a row of the table, or of a small chart."""
        if self.view is not None:
            from backprop_tui.tui.charts.metrics_tab import metric_at

            name = metric_at(self.view, *self.size, x, y)
            if name is not None:
                self.post_message(self.Chosen(name))
