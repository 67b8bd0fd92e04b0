"""The dialog "While you were away"; its result is what to do next."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from backprop_tui.tui.actions import DIGEST_ACTIONS, bindings
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.panes.digest import DigestView, draw_digest, draw_digest_keys
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.widgets.line_widget import COLOURS, LineWidget, ScrollView

SHOW, RETRY, CLOSE = "show", "retry", "close"
_WIDTH = 92
_FRAME_ROWS = 4  # border, blank row, and the row of keys


class Digest(DismissOnce, ModalScreen[str]):
    """As high as its text, or as the screen; then it scrolls."""

    CSS_PATH = "../dialogs.tcss"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = bindings(DIGEST_ACTIONS)

    def __init__(self, view: DigestView, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._view = view
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="digest") as box:
            box.border_title = f" {self._view.title} "
            yield ScrollView(glyphs=self._glyphs, id="digest")
            yield LineWidget(glyphs=self._glyphs, id="digest-gap")
            yield LineWidget(glyphs=self._glyphs, id="digest-keys")

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def action_answer(self, answer: str) -> None:
        """Close with an answer; enter closes when there is no failure to show, and R does nothing without a retry."""
        if answer == RETRY and not self._view.retry:
            return
        self.dismiss(CLOSE if answer == SHOW and self._view.first_failure is None else answer)

    def action_scroll(self, rows: int) -> None:
        self.query_one(ScrollView).move(rows)

    def _draw(self) -> None:
        width = min(_WIDTH, self.app.size.width)
        lines = draw_digest(self._view, width - 4, self._glyphs)
        box = self.query_one("#dialog")
        height = min(len(lines) + _FRAME_ROWS, self.app.size.height)
        box.styles.width, box.styles.height = width, height
        self.query_one(ScrollView).show_content(lines)
        keys = draw_digest_keys(self._view, width - 4, scrolls=len(lines) + _FRAME_ROWS > height)
        self.query_one("#digest-keys", LineWidget).show([keys])
