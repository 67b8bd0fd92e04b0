"""The footer."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.message import Message

from backprop_tui.tui.panes.footer import draw_footer, key_at
from backprop_tui.tui.widgets.painted import Painted


class Footer(Painted):
    """The keys that apply now; a click on one does what it does."""

    _keys: Sequence[tuple[str, str]] = ()
    _note = ""

    class Pressed(Message):
        """A key of the footer was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def show_keys(self, keys: Sequence[tuple[str, str]], width: int, *, note: str = "") -> None:
        """Paints what changed."""
        self._keys, self._note = keys, note
        self.show([draw_footer(keys, width, note=note)])

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        key = key_at(self._keys, event.x, self.size.width, note=self._note)
        if key is not None:
            self.post_message(self.Pressed(key))
