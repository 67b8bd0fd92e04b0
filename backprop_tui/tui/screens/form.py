"""A dialog of named fields in rows, with status lines below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import FORM_ACTIONS, bindings
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, clip
from backprop_tui.tui.screens.draft import join_lines
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.textual_patches.line_input import LineInput
from backprop_tui.tui.widgets.line_widget import LineWidget

_MAX_WIDTH, _MARGIN, _LABEL_WIDTH = 92, 4, 12
_FULL_WIDTH_BELOW = 70  # columns
_FRAME_ROWS = 2


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field; `width` in cells, None takes the rest of the row; `suffix` is shown behind it."""

    name: str
    label: str
    width: int | None = None
    placeholder: str = ""
    suffix: str = ""


class FieldInput(LineInput):
    """One line of text; several pasted lines are joined."""

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.replace(sanitize(join_lines(event.text)), *self.selection)


class Form(DismissOnce, ModalScreen[tuple[str, ...] | None]):
    """Up and down move between fields, enter submits from each of them, esc closes.

    The result is given by the subclass, None when the form is closed without submitting.
    """

    CSS_PATH = "../dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(FORM_ACTIONS)
    HEADING = ""
    KEYS = "enter submit · esc cancel"
    STATUS_ROWS = 1  # below the fields
    HAS_HINT = False  # a line below the first field

    def __init__(self, rows: Sequence[Sequence[Field]], values: Mapping[str, str], *, glyphs: Glyphs) -> None:
        super().__init__()
        self._rows = rows
        self._values = {name: sanitize(value) for name, value in values.items()}
        self.glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="form") as box:
            box.border_title = f" {self.HEADING} "
            with Vertical(id="fields"):
                for number, row in enumerate(self._rows):
                    yield self._row(row)
                    if number == 0 and self.HAS_HINT:
                        yield LineWidget(glyphs=self.glyphs, id="hint")
            yield LineWidget(glyphs=self.glyphs, id="status")

    def _row(self, row: Sequence[Field]) -> Horizontal:
        parts: list[Label | FieldInput] = []
        for number, field in enumerate(row):
            label = Label(field.label, markup=False, classes="-label")
            label.styles.width = _LABEL_WIDTH if number == 0 else len(field.label) + 2
            entry = FieldInput(
                self._values.get(field.name, ""), placeholder=field.placeholder, id=f"field-{field.name}", compact=True
            )
            entry.select_on_focus = False
            entry.styles.width = "1fr" if field.width is None else field.width
            parts += [label, entry]
            if field.suffix:
                parts.append(Label(f" {field.suffix}", markup=False, classes="-label"))
        return Horizontal(*parts, classes="-row")

    def on_mount(self) -> None:
        self._lay_out()
        self.field(self._rows[0][0].name).focus()

    @on(events.Resize)
    def _resized(self) -> None:
        self._lay_out()
        self.draw_status()

    def _lay_out(self) -> None:
        width, height = self.app.size
        box = self.query_one("#form")
        box.styles.width = width if width < _FULL_WIDTH_BELOW else min(_MAX_WIDTH, width - _MARGIN)
        keys = clip(self.KEYS.replace("·", self.glyphs.between), self.text_width - 4, self.glyphs)
        box.border_subtitle = f" {keys} "
        box.styles.height = min(len(self._rows) + self.HAS_HINT + self.STATUS_ROWS + _FRAME_ROWS, height)
        status = self.query_one("#status")
        status.styles.height = max(1, min(self.STATUS_ROWS, height - _FRAME_ROWS - 3))

    @property
    def text_width(self) -> int:
        width = self.app.size.width
        return max(1, (width if width < _FULL_WIDTH_BELOW else min(_MAX_WIDTH, width - _MARGIN)) - 4)

    def field(self, name: str) -> FieldInput:
        return self.query_one(f"#field-{name}", FieldInput)

    def values(self) -> dict[str, str]:
        return {field.name: self.field(field.name).value for row in self._rows for field in row}

    def fill(self, values: Mapping[str, str]) -> None:
        """Replaces the text of all fields; those not named become empty."""
        for row in self._rows:
            for field in row:
                entry = self.field(field.name)
                entry.value = sanitize(values.get(field.name, ""))
                entry.cursor_position = len(entry.value)

    def status(self) -> Sequence[Line]:
        return ()

    def draw_status(self) -> None:
        for widget in self.query("#status").results(LineWidget):  # none while the dialog is being closed
            widget.show(self.status())

    def submit(self) -> None:
        """Handles enter."""

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.submit()

    def action_close(self) -> None:
        self.dismiss(None)
