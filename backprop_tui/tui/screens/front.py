"""What the parts of the main screen know of it: the moment that is shown, what was chosen, and how to speak up."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget

from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.layout import Layout
from backprop_tui.tui.screens.ask import Question
from backprop_tui.tui.screens.standing import Standing
from backprop_tui.tui.screens.wanted import Wanted
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.painted import Painted


class Front(Screen[None]):
    """The main screen is one; keys, dialogs and charts are written for this, so that none of them knows the other."""

    snapshot: Snapshot
    standing: Standing
    glyphs: Glyphs
    layout_now: Layout

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """For the mouse to select text: in rows that we paint the offset is the cell itself."""
        widget, offset = super().get_widget_and_offset_at(x, y)
        if offset is None and isinstance(widget, Painted):
            region = self.find_widget(widget).region
            offset = Offset(x - region.x, y - region.y)
        return widget, offset

    def paint(self) -> None:
        """Every pane from the snapshot."""
        raise NotImplementedError

    def paint_selected(self) -> None:
        """The selected run and the keys that apply to it."""
        raise NotImplementedError

    async def question(self, question: Question) -> str:
        """What the answer means; asked in a dialog."""
        raise NotImplementedError

    def tell(self, words: str, *, bad: bool = False) -> None:
        """A notice."""
        raise NotImplementedError

    def work(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """In the background; what nobody foresaw in it is told, and the screen goes on."""

        async def told() -> None:
            try:
                await coroutine
            except Exception as error:  # noqa: BLE001 - the named boundary of what keys ask for
                self.tell(f"internal error: {error!r}", bad=True)

        self.run_worker(told(), group="requests")

    def bridge_looks(self) -> None:
        """Something was asked for: its effect is wanted soon."""
        self.post_message(Wanted(look=True))

    def select_in_bridge(self, run_id: str | None) -> None:
        """The story of another run is wanted."""
        self.post_message(Wanted(run_id))

    def ask_for_digest(self) -> None:
        """It opens when its stories are read."""
        self.post_message(Wanted(digest=True))

    def ask_for_demo(self) -> None:
        """It takes the place of the dashboard until it is left."""
        self.post_message(Wanted(demo=True))

    def go_to(self, run_id: str) -> None:
        """Puts the cursor on a run, unfolding its group; one that is not known is left alone."""
        raise NotImplementedError
