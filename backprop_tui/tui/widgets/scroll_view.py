"""Lines that are longer than the pane and are scrolled: details, events."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on

from backprop_tui.tui.view.tokens import Line
from backprop_tui.tui.widgets.painted import Painted

_WHEEL_ROWS = 3


class Sheet(Painted, can_focus=True):
    """Scrolled by keys and wheel; a refresh leaves it where it is."""

    _all: Sequence[Line] = ()
    _top = 0

    def show_sheet(self, lines: Sequence[Line]) -> None:
        """Other lines, from the same row on."""
        self._all = lines
        self.paint()

    def to_top(self) -> None:
        """Another run: from the beginning."""
        self._top = 0

    def move(self, rows: int) -> None:
        """Scrolls."""
        self._top += rows
        self.paint()

    def move_to(self, place: int) -> None:
        """Scrolls to a line."""
        self._top = place
        self.paint()

    def page(self, share: float) -> None:
        """Scrolls by a share of what is shown."""
        self.move(int(self.size.height * share))

    def paint(self) -> None:
        """Paints what changed."""
        self._top = max(0, min(self._top, len(self._all) - self.size.height))
        self.show(self._all[self._top : self._top + self.size.height])

    @on(events.Resize)
    def _resized(self) -> None:
        self.paint()

    @on(events.MouseScrollDown)
    def _wheel_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(_WHEEL_ROWS)

    @on(events.MouseScrollUp)
    def _wheel_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-_WHEEL_ROWS)
