"""While you were away, as a dialog: dismissed with what is wanted next."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from backprop_tui.tui.digest.view import DigestView, draw_digest, draw_digest_keys
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.screens.leave_once import LeaveOnce
from backprop_tui.tui.widgets.painted import COLOURS, Painted
from backprop_tui.tui.widgets.sheet import Sheet

SHOW, RETRY, CLOSE = "show", "retry", "close"
_WIDTH = 92
_AROUND = 4  # the border, the blank row and the row of keys


class Digest(LeaveOnce, ModalScreen[str]):
    """As high as what there is to tell, or as the screen: then it scrolls."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,D", "answer('close')", "close"),
        ("enter,exclamation_mark", "answer('show')", "look at the first failure"),
        ("R", "answer('retry')", "retry"),
        ("j,down", "scroll(1)", "down"),
        ("k,up", "scroll(-1)", "up"),
        ("pagedown,space,ctrl+d", "scroll(10)", "down"),
        ("pageup,ctrl+u", "scroll(-10)", "up"),
    ]

    def __init__(self, view: DigestView, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._view = view
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with Vertical(id="dialog", classes="digest") as box:
            box.border_title = f" {self._view.title} "
            yield Sheet(glyphs=self._glyphs, id="digest")
            yield Painted(glyphs=self._glyphs, id="digest-gap")
            yield Painted(glyphs=self._glyphs, id="digest-keys")

    def on_mount(self) -> None:
        """Drawn when its size is known."""
        self._draw()

    def on_resize(self) -> None:
        """Another width."""
        self._draw()

    def action_answer(self, answer: str) -> None:
        """What is wanted; a key for what is not offered does nothing, and enter then closes."""
        if answer == RETRY and not self._view.retry:
            return
        self.dismiss(CLOSE if answer == SHOW and self._view.first_failure is None else answer)

    def action_scroll(self, rows: int) -> None:
        """Scrolls."""
        self.query_one(Sheet).move(rows)

    def _draw(self) -> None:
        width = min(_WIDTH, self.app.size.width)
        lines = draw_digest(self._view, width - 4, self._glyphs)
        box = self.query_one("#dialog")
        height = min(len(lines) + _AROUND, self.app.size.height)
        box.styles.width, box.styles.height = width, height
        self.query_one(Sheet).show_sheet(lines)
        keys = draw_digest_keys(self._view, width - 4, scrolls=len(lines) + _AROUND > height)
        self.query_one("#digest-keys", Painted).show([keys])
