"""Lines that may be longer than the pane and are scrolled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on

from backprop_tui.tui.tokens import Line
from backprop_tui.tui.widgets.line_widget import LineWidget


class ScrollView(LineWidget, can_focus=True):
    """Scrolled by keys and wheel; new lines leave the position as it is."""

    WHEEL_ROWS: ClassVar[int] = 3
    _content: Sequence[Line] = ()
    _top = 0

    def show_content(self, lines: Sequence[Line]) -> None:
        """Replace the lines, keeping the position."""
        self._content = lines
        self.paint()

    def to_top(self) -> None:
        """Go to the first line with the next paint."""
        self._top = 0

    def move(self, rows: int) -> None:
        """Scroll by rows."""
        self._top += rows
        self.paint()

    def move_to(self, place: int) -> None:
        """Scroll to a line."""
        self._top = place
        self.paint()

    def page(self, share: float) -> None:
        """Scroll by a share of the visible rows."""
        self.move(int(self.size.height * share))

    def paint(self) -> None:
        """Paint what changed."""
        self._top = max(0, min(self._top, len(self._content) - self.size.height))
        self.show(self._content[self._top : self._top + self.size.height])

    @on(events.Resize)
    def _repaint(self) -> None:
        self.paint()

    @on(events.MouseScrollDown)
    def _wheel_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(self.WHEEL_ROWS)

    @on(events.MouseScrollUp)
    def _wheel_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-self.WHEEL_ROWS)
