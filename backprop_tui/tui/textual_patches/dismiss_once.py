"""Dismiss a screen at most once, and paint it once when it is opened; leave a dialog by a click beside it.

`Screen.dismiss` of Textual pops whatever screen is on top, and fails when none is left (see its issue #4704).

A screen that is opened is painted by Textual before its size is known, then again for its size, for the layout that its
content asks for, and because it was resumed: 45 kB for a dialog, in which the first ones are of a wrong size.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Self, cast

from textual import events
from textual.await_complete import AwaitComplete
from textual.geometry import Region
from textual.screen import Screen

from backprop_tui.tui.widgets.line_widget import press_key


class DismissOnce:
    """Mixin for screens; the first base, and no screen itself, because Textual styles the first base that is one."""

    _is_painted = False
    _opening = ExitStack()  # of a screen that failed before it was mounted

    def on_mount(self) -> None:
        """Begins a batch that ends when the screen has its size and has drawn its content for it."""
        screen = cast("Screen[Any]", self)
        self._opening = ExitStack()
        self._opening.enter_context(screen.app.batch_update())

    def on_resize(self) -> None:
        """Comes after the screen has drawn its content for its size; Textual then lays it out."""
        cast("Screen[Any]", self).call_later(self._paint_opened)

    def _paint_opened(self) -> None:
        screen = cast("Screen[Any]", self)
        self._opening.close()
        if self._is_painted:
            return
        self._is_painted = True
        screen._layout_required = screen._repaint_required = False  # noqa: SLF001 - both are done here
        screen._refresh_layout()  # noqa: SLF001

    def on_unmount(self) -> None:
        self._opening.close()

    def refresh(
        self, *regions: Region, repaint: bool | None = None, layout: bool = False, recompose: bool = False
    ) -> Self:
        """A mounted widget asks for a layout, which paints what it moves; Textual would paint everything."""
        repaints = not layout if repaint is None else repaint
        Screen.refresh(cast("Screen[Any]", self), *regions, repaint=repaints, layout=layout, recompose=recompose)
        return self

    def _compositor_refresh(self) -> None:
        """Renders nothing that would not be sent."""
        screen = cast("Screen[Any]", self)
        if not screen.app._batch_count:  # noqa: SLF001
            Screen._compositor_refresh(screen)  # noqa: SLF001

    def dismiss(self, result: Any = None) -> AwaitComplete:  # noqa: ANN401 - the result type of the screen
        """Dismisses the screen, unless another one is on top because this one was dismissed before."""
        screen = cast("Screen[Any]", self)
        if screen.app.screen is not screen:
            nothing: AwaitComplete = AwaitComplete.nothing()  # type: ignore[no-untyped-call] # of Textual
            return nothing
        return Screen.dismiss(screen, result)


class LeftByClick(DismissOnce):
    """Mixin for dialogs: a click beside the dialog does what esc does, one on a key in its border presses the key."""

    def action_press(self, key: str) -> None:
        press_key(cast("Screen[Any]", self).app, key)

    async def _on_click(self, event: events.Click) -> None:
        screen = cast("Screen[Any]", self)
        if screen.get_widget_at(*event.screen_offset)[0] is screen:
            press_key(screen.app, "esc")
