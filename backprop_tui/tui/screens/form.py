"""A dialog of named fields in rows, with lines below them that tell what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.new_run.command_line import joined
from backprop_tui.tui.screens.leave_once import LeaveOnce
from backprop_tui.tui.tokens import Line
from backprop_tui.tui.widgets.line_input import LineInput
from backprop_tui.tui.widgets.painted import COLOURS, Painted

_WIDEST, _MARGIN, _LABEL = 92, 4, 12
_FULL_BELOW = 70  # columns: then the dialog takes all of them
_FRAME_ROWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field; `width` in cells, None takes what is left of the row. `after` is said behind it."""

    name: str
    label: str
    width: int | None = None
    placeholder: str = ""
    after: str = ""


class FieldInput(LineInput):
    """One line of text; what is pasted in several becomes one."""

    def on_paste(self, event: events.Paste) -> None:
        """In place of what is selected."""
        event.prevent_default()
        event.stop()
        self.replace(sanitize(joined(event.text)), *self.selection)


class Form(LeaveOnce, ModalScreen[tuple[str, ...] | None]):
    """Up and down go from field to field, enter submits from each of them, esc leaves.

    Dismissed with the lines that the command wrote, None where it was left.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "leave", "leave"),
        ("down", "app.focus_next", "next field"),
        ("up", "app.focus_previous", "previous field"),
    ]
    TITLE_WORDS = ""
    KEYS = "enter done · esc cancel"
    LIVE_ROWS = 1  # below the fields
    BELOW_FIRST = False  # a line below the first field

    def __init__(self, rows: Sequence[Sequence[Field]], values: Mapping[str, str], *, glyphs: Glyphs) -> None:
        super().__init__()
        self._rows = rows
        self._values = {name: sanitize(value) for name, value in values.items()}
        self.glyphs = glyphs

    def compose(self) -> ComposeResult:
        """Fields, and the lines below them."""
        with Vertical(id="form") as box:
            box.border_title = f" {self.TITLE_WORDS} "
            between = self.glyphs.between
            box.border_subtitle = f" {self.KEYS.replace('·', between)} "
            with Vertical(id="fields"):
                for place, row in enumerate(self._rows):
                    yield self._row(row)
                    if place == 0 and self.BELOW_FIRST:
                        yield Painted(glyphs=self.glyphs, id="below-first")
            yield Painted(glyphs=self.glyphs, id="live")

    def _row(self, row: Sequence[Field]) -> Horizontal:
        parts: list[Label | FieldInput] = []
        for place, field in enumerate(row):
            label = Label(field.label, markup=False, classes="-label")
            label.styles.width = _LABEL if place == 0 else len(field.label) + 2
            entry = FieldInput(
                self._values.get(field.name, ""), placeholder=field.placeholder, id=f"field-{field.name}", compact=True
            )
            entry.select_on_focus = False
            entry.styles.width = "1fr" if field.width is None else field.width
            parts += [label, entry]
            if field.after:
                parts.append(Label(f" {field.after}", markup=False, classes="-label"))
        return Horizontal(*parts, classes="-row")

    def on_mount(self) -> None:
        """The first field has the keys."""
        self._lay_out()
        self.field(self._rows[0][0].name).focus()

    @on(events.Resize)
    def _resized(self) -> None:
        self._lay_out()
        self.draw_live()

    def _lay_out(self) -> None:
        width, height = self.app.size
        box = self.query_one("#form")
        box.styles.width = width if width < _FULL_BELOW else min(_WIDEST, width - _MARGIN)
        needed = len(self._rows) + self.BELOW_FIRST + self.LIVE_ROWS + _FRAME_ROWS
        box.styles.height = min(needed, height)
        live = self.query_one("#live")
        live.styles.height = max(1, min(self.LIVE_ROWS, height - _FRAME_ROWS - 3))

    @property
    def room(self) -> int:
        """Cells of a row within the frame."""
        width = self.app.size.width
        return max(1, (width if width < _FULL_BELOW else min(_WIDEST, width - _MARGIN)) - 4)

    def field(self, name: str) -> FieldInput:
        """The field of a name."""
        return self.query_one(f"#field-{name}", FieldInput)

    def values(self) -> dict[str, str]:
        """What stands in each field."""
        return {field.name: self.field(field.name).value for row in self._rows for field in row}

    def fill(self, values: Mapping[str, str]) -> None:
        """Other values; what is not named becomes empty."""
        for row in self._rows:
            for field in row:
                entry = self.field(field.name)
                entry.value = sanitize(values.get(field.name, ""))
                entry.cursor_position = len(entry.value)

    def live(self) -> Sequence[Line]:
        """The lines below the fields."""
        return ()

    def draw_live(self) -> None:
        """Paints them."""
        for below in self.query("#live").results(Painted):  # none while the dialog is being left
            below.show(self.live())

    def submit(self) -> None:
        """Enter was pressed."""

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.submit()

    def action_leave(self) -> None:
        """Esc."""
        self.dismiss(None)
