"""Textual's Input with editing keys that work in the order in which they were typed. No issue is known.

Keys may arrive together over a slow line. Textual inserts letters when they reach the input, but runs bindings such as
backspace only after the key has bubbled to the application, that is after the letters behind it.
"""

from __future__ import annotations

import re

from textual import events
from textual.geometry import Size
from textual.reactive import Reactive
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
    "ctrl+w": "delete_shell_word",
    "ctrl+k": "delete_right_all",
    "enter": "submit",
}


class LineInput(Input):
    virtual_size = Reactive(Size(0, 0))  # Textual lays out the whole screen when its text has another length

    def on_mount(self) -> None:
        self.cursor_blink = False  # blinking is traffic over a slow line

    def action_delete_shell_word(self) -> None:
        """Deletes back to a blank, as a shell does; Textual's own stops at dashes and leaves those of an option."""
        before = self.value[: self.cursor_position]
        self.delete(len(re.sub(r"\S*\s*$", "", before)), self.cursor_position)

    async def on_key(self, event: events.Key) -> None:
        action = _ACTIONS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)
