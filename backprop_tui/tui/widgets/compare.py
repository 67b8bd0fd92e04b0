"""The page of the Compare screen, with its chart under the mouse."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType

from backprop_tui.tui.charts.chart import Chart
from backprop_tui.tui.charts.compare_screen import CompareLines
from backprop_tui.tui.charts.draw import chart_frame
from backprop_tui.tui.widgets.chart_mouse import ChartMouse, Moved
from backprop_tui.tui.widgets.sheet import Sheet


class ComparePage(Sheet):
    """Scrolled where all options do not fit; else its curves are read, zoomed and dragged over."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "cursor(-1)", "cursor left", show=False),
        Binding("l,right", "cursor(1)", "cursor right", show=False),
        Binding("shift+left", "cursor(-10)", "cursor far left", show=False),
        Binding("shift+right", "cursor(10)", "cursor far right", show=False),
    ]
    _mouse: ChartMouse | None = None
    _pressed_at: int | None = None

    def show_page(self, page: CompareLines, chart: Chart) -> None:
        """Other lines, from the same row on."""
        frame = chart_frame(chart, self.size.width - 2, page.chart_rows) if page.chart_rows else None
        self._mouse = None if frame is None else ChartMouse(chart, frame, left=1, top=page.chart_top)
        self.show_sheet(page.lines)

    def action_cursor(self, columns: int) -> None:
        """Reads values further left or right."""
        if self._mouse is not None:
            self.post_message(Moved(columns / self._mouse.columns))

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def _wheel(self, event: events.MouseScrollDown | events.MouseScrollUp) -> None:
        if self._mouse is not None and self._mouse.covers(event):
            event.stop()
            event.prevent_default()
            self.post_message(self._mouse.wheel(event, closer=isinstance(event, events.MouseScrollUp)))

    @on(events.MouseDown)
    def _pressed(self, event: events.MouseDown) -> None:
        if event.button == 1 and self._mouse is not None and self._mouse.covers(event):
            self._pressed_at = event.x
            self.capture_mouse()

    @on(events.MouseMove)
    def _dragged(self, event: events.MouseMove) -> None:
        if self._pressed_at is not None and self._mouse is not None:
            self.post_message(self._mouse.drag(self._pressed_at, event, done=False))

    @on(events.MouseUp)
    def _released(self, event: events.MouseUp) -> None:
        start, self._pressed_at = self._pressed_at, None
        if start is not None:
            self.release_mouse()
            if self._mouse is not None:
                self.post_message(self._mouse.drag(start, event, done=True))
