"""Dismiss a screen at most once; leave a dialog by a click beside it.

`Screen.dismiss` of Textual pops whatever screen is on top, and fails when none is left (see its issue #4704).
"""

from __future__ import annotations

from typing import Any, cast

from textual import events
from textual.await_complete import AwaitComplete
from textual.screen import Screen


class DismissOnce:
    """Mixin for screens; the first base, and no screen itself, because Textual styles the first base that is one."""

    def dismiss(self, result: Any = None) -> AwaitComplete:  # noqa: ANN401 - the result type of the screen
        """Dismisses the screen, unless another one is on top because this one was dismissed before."""
        screen = cast("Screen[Any]", self)
        if screen.app.screen is not screen:
            nothing: AwaitComplete = AwaitComplete.nothing()  # type: ignore[no-untyped-call] # of Textual
            return nothing
        return Screen.dismiss(screen, result)


class LeftByClick(DismissOnce):
    """Mixin for dialogs: a click beside the dialog does what esc does."""

    async def _on_click(self, event: events.Click) -> None:
        screen = cast("Screen[Any]", self)
        if screen.get_widget_at(*event.screen_offset)[0] is screen:
            screen.app.call_later(screen.app.simulate_key, "escape")  # a key that a screen sends does not bubble to it
