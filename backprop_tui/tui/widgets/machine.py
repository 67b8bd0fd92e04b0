"""The gauges."""

from __future__ import annotations

from textual import events, on

from backprop_tui.tui.layout import Layout
from backprop_tui.tui.panes.machine import MachineView, draw_machine
from backprop_tui.tui.tokens import Line
from backprop_tui.tui.widgets.painted import Painted


class Machine(Painted):
    """A row for each GPU, or several GPUs to a row; more rows than fit are scrolled by the wheel."""

    _top = 0
    _drawn: tuple[Line, ...] = ()
    _fixed = 0  # heading rows
    _rows = 0

    def show_view(self, view: MachineView, layout: Layout) -> None:
        """Paints what changed."""
        drawn = draw_machine(
            view,
            layout.machine_form,
            layout.width,
            self.glyphs,
            heading_row=layout.machine_heading,
            host_row=layout.host_row,
        )
        self._drawn, self._rows = tuple(drawn), layout.machine_rows
        self._fixed = int(layout.machine_heading)
        self._paint()

    def _paint(self) -> None:
        self._top = max(0, min(self._top, len(self._drawn) - self._rows))
        start = self._fixed + self._top
        self.show([*self._drawn[: self._fixed], *self._drawn[start : start + self._rows - self._fixed]])

    @on(events.MouseScrollDown)
    def _down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._top += 1
        self._paint()

    @on(events.MouseScrollUp)
    def _up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._top -= 1
        self._paint()
