"""A line of text whose keys work in the order in which they came."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

_ACTIONS = {
    "backspace": "delete_left",
    "delete": "delete_right",
    "left": "cursor_left",
    "right": "cursor_right",
    "home": "home",
    "ctrl+a": "home",
    "end": "end",
    "ctrl+e": "end",
    "ctrl+u": "delete_left_all",
    "ctrl+w": "delete_left_word",
    "ctrl+k": "delete_right_all",
    "enter": "submit",
}


class LineInput(Input):
    """Over a slow line keys arrive together, and Textual looks for bindings only after the letters behind them."""

    def on_mount(self) -> None:
        """Nothing blinks: over a slow line that is traffic, and to some people a nuisance."""
        self.cursor_blink = False

    async def on_key(self, event: events.Key) -> None:
        """What is no letter is done at once too."""
        action = _ACTIONS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)
