"""The Details tab: a cursor on one value, which can be copied."""

from __future__ import annotations

from textual import events, on

from backprop_tui.tui.panes.run_details import DrawnDetails, draw_details
from backprop_tui.tui.panes.selected_run import SelectedRunView
from backprop_tui.tui.widgets.sheet import Sheet


class DetailsTab(Sheet):
    """The cursor is shown while the tab has the keys."""

    _view: SelectedRunView | None = None
    _place = 0
    _drawn = DrawnDetails(lines=(), places=())

    def show_details(self, view: SelectedRunView | None) -> None:
        """Another run, or the same one later."""
        self._view = view
        self._draw()

    def _draw(self) -> None:
        if self._view is None:
            self._drawn = DrawnDetails(lines=(), places=())
        else:
            cursor = self._place if self.has_focus else None
            sections, waiting = self._view.sections, self._view.waiting
            self._drawn = draw_details(sections, self.size.width, self.glyphs, waiting=waiting, cursor=cursor)
        self.show_sheet(self._drawn.lines)

    def to_top(self) -> None:
        """Another run: its first value."""
        super().to_top()
        self._place = 0

    def move(self, rows: int) -> None:
        """The cursor goes so many values on; what it stands on is shown."""
        self._go(self._place + rows)

    def move_to(self, place: int) -> None:
        """The first value, or the last."""
        self._go(place)

    def _go(self, place: int) -> None:
        places = self._drawn.places
        self._place = max(0, min(place, len(places) - 1))
        if places:
            line = 0 if self._place == 0 else places[self._place][0]
            self._top = max(line - self.size.height + 1, min(self._top, line))
        self._draw()

    @property
    def value_at_cursor(self) -> tuple[str, str] | None:
        """Name and value."""
        places = self._drawn.places
        return places[self._place][1:] if self._place < len(places) else None

    @on(events.Focus)
    @on(events.Blur)
    def _focus_changed(self) -> None:
        self.call_after_refresh(self._draw)

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        line = self._top + event.y
        second = self.size.width >= 100 and event.x > self.size.width // 2
        found = [place for place, one in enumerate(self._drawn.places) if one[0] == line]
        if found:
            self._go(found[-1] if second else found[0])
