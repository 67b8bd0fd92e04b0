"""Screens that are left once, however often that is asked for."""

from __future__ import annotations

from typing import Any, cast

from textual.await_complete import AwaitComplete
from textual.screen import Screen


class LeaveOnce:
    """Textual takes away whatever screen is on top, or fails where there is none left.

    Stands before the kind of screen among the bases, and is none itself: Textual takes styles from the first that is.
    """

    def dismiss(self, result: Any = None) -> AwaitComplete:  # noqa: ANN401 - what the kind of screen says
        """Does nothing where another screen is on top, as when this one was left before."""
        screen = cast("Screen[Any]", self)
        if screen.app.screen is not screen:
            nothing: AwaitComplete = AwaitComplete.nothing()  # type: ignore[no-untyped-call] # of Textual
            return nothing
        return Screen.dismiss(screen, result)
