"""A dialog of named fields in rows, with status lines below them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from itertools import accumulate, takewhile
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Offset, Size
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Label
from textual.widgets.input import Selection

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import FORM_ACTIONS, bindings
from backprop_tui.tui.editor import editor_words
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip, wrapped
from backprop_tui.tui.screens.draft import Field
from backprop_tui.tui.screens.shell_line import NEWLINE, join_lines
from backprop_tui.tui.textual_patches.dismiss_once import LeftByClick
from backprop_tui.tui.textual_patches.line_input import LineInput
from backprop_tui.tui.widgets.line_widget import LineWidget, border_hints

_MAX_WIDTH, _MARGIN, _LABEL_WIDTH = 92, 4, 12
INDENT = " " * (_LABEL_WIDTH + 1)  # before the text of a field
_FULL_WIDTH_BELOW = 70  # columns
_FRAME_ROWS = 2
_MAX_SENTENCE_ROWS = 4  # of the status


class FieldInput(LineInput):
    """One line of text; several pasted lines are joined, but in a quotation they stay lines."""

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        start, end = sorted(self.selection)
        self.replace(sanitize(join_lines(event.text, self.value[:start])), start, end)


def row_starts(text: str, width: int) -> list[int]:
    """The cells at which rows of a text begin, behind a blank where there is one; the last row has room for a cursor.

    All cells of the text are in the rows, none of which is wider than `width`.
    """
    starts, cell, behind_blank = [0], 0, 0
    for character in text:
        size = cell_len(character)
        while starts[-1] < cell and cell + size > starts[-1] + width:
            starts.append(behind_blank if behind_blank > starts[-1] else cell)
        cell += size
        behind_blank = cell if character == " " else behind_blank
    return [*starts, cell] if cell >= starts[-1] + width else starts


class WrappedInput(FieldInput):
    """All of its text is visible, in several rows if it needs them. Textual's Input has one row that scrolls."""

    _is_dragged = False  # the mouse selects text

    def rows(self, width: int) -> int:
        return 1 if width <= 0 else len(row_starts(self.value, width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self.rows(width)

    def scroll_to_region(self, *_: object, **__: object) -> Offset:
        """Never scrolls sideways."""
        return Offset()

    def render_line(self, y: int) -> Strip:
        if not self.value:
            return super().render_line(y)
        width = self.scrollable_content_region.width
        text = Text(self.value, no_wrap=True, overflow="ignore", end="")
        if self.has_focus:
            start, end = sorted(self.selection)
            text.stylize(self.get_component_rich_style("input--selection"), start, end)
            text.pad_right(1)
            text.stylize(self.get_component_rich_style("input--cursor"), self.cursor_position, self.cursor_position + 1)
        options = self.app.console_options.update_width(self.content_width + 1)
        starts = [*row_starts(self.value, max(1, width)), self.content_width + 1]
        start, end = (starts[min(row, len(starts) - 1)] for row in (y, y + 1))
        strip = Strip(self.app.console.render(text, options)).crop(start, end)
        return strip.extend_cell_length(width).apply_style(self.rich_style)

    def _index_at(self, event: events.MouseEvent) -> int:
        """The character under the mouse, at most that behind the last one of its row."""
        x, y = event.get_content_offset_capture(self)
        starts = row_starts(self.value, max(1, self.scrollable_content_region.width))
        row = max(0, min(y, len(starts) - 1))
        end = starts[row + 1] - 1 if row + 1 < len(starts) else cell_len(self.value)
        cell = max(0, min(starts[row] + x, end))
        return sum(1 for _ in takewhile(lambda cells: cells <= cell, accumulate(map(cell_len, self.value))))

    async def _on_mouse_down(self, event: events.MouseDown) -> None:
        """Textual's handlers know one row."""
        event.prevent_default()
        self.selection = Selection.cursor(self._index_at(event))
        self._is_dragged = True
        self.capture_mouse()

    async def _on_mouse_move(self, event: events.MouseMove) -> None:
        event.prevent_default()
        if self._is_dragged:
            self.selection = Selection(self.selection.start, self._index_at(event))

    async def _on_mouse_up(self, event: events.MouseUp) -> None:
        event.prevent_default()
        self.release_mouse()

    async def _on_mouse_release(self, event: events.MouseRelease) -> None:
        event.prevent_default()
        self._is_dragged = False


class Form(LeftByClick, ModalScreen[tuple[str, ...] | None]):
    """Up and down move between fields, enter submits from each of them, esc closes.

    The result is given by the subclass, None when the form is closed without submitting.
    """

    CSS_PATH = "../dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(FORM_ACTIONS)
    HEADING = ""
    KEYS = "enter submit · esc cancel"

    def __init__(self, rows: Sequence[Sequence[Field]], values: Mapping[str, str], *, glyphs: Glyphs) -> None:
        super().__init__()
        self._rows = rows
        self._values = {name: sanitize(value) for name, value in values.items()}
        self.glyphs = glyphs
        self.is_closing = False  # once its work is done; the keys that follow are for the next screen

    def compose(self) -> ComposeResult:
        with Vertical(id="form") as box:
            box.border_title = self.HEADING
            with Vertical(id="fields"):
                yield from self.compose_fields()
            yield LineWidget(glyphs=self.glyphs, id="status")

    def compose_fields(self) -> ComposeResult:
        for row in self._rows:
            yield self.row_of(row)

    def count_rows(self) -> int:
        """How many rows the fields need."""
        return len(self._rows)

    def row_of(self, row: Sequence[Field]) -> Horizontal:
        parts: list[Label | FieldInput] = []
        for number, field in enumerate(row):
            label = Label(field.label, markup=False, classes="-label")
            label.styles.width = _LABEL_WIDTH if number == 0 else len(field.label) + 2
            entry = (WrappedInput if field.wraps else FieldInput)(
                self._values.get(field.name, ""), placeholder=field.placeholder, id=f"field-{field.name}", compact=True
            )
            entry.select_on_focus = False
            entry.styles.width = "1fr" if field.width is None else field.width
            parts += [label, entry]
            if field.suffix:
                parts.append(Label(f" {field.suffix}", markup=False, classes="-label"))
        return Horizontal(*parts, classes="-row")

    def on_mount(self) -> None:
        self.draw_status()
        self.set_focus(self.first_focus())

    def first_focus(self) -> Widget:
        return self.field(self._rows[0][0].name)

    @on(events.Resize)
    def _resized(self) -> None:
        self.draw_status()

    def _lay_out(self, status: Sequence[Line]) -> None:
        width, height = self.app.size
        box = self.query_one("#form")
        box.styles.width = width if width < _FULL_WIDTH_BELOW else min(_MAX_WIDTH, width - _MARGIN)
        keys = clip(self.KEYS.replace("·", self.glyphs.between), self.text_width - 4, self.glyphs)
        box.border_subtitle = border_hints(keys, self.glyphs.between)
        rows = max(1, len(status))
        box.styles.height = min(self.count_rows() + rows + _FRAME_ROWS, height)
        self.query_one("#status").styles.height = max(1, min(rows, height - _FRAME_ROWS - 3))

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
            status = self.status()
            self._lay_out(status)
            widget.show(status)

    def wrapped_lines(self, text: str, token: Token, *, bold: bool = False) -> list[Line]:
        """A sentence of the status in a few rows; it ends in a mark if it is cut."""
        rows = wrapped(text, self.text_width)
        if len(rows) > _MAX_SENTENCE_ROWS:
            last = clip(rows[_MAX_SENTENCE_ROWS - 1], self.text_width - 2, self.glyphs).removesuffix(
                self.glyphs.clipped
            )
            rows = [*rows[: _MAX_SENTENCE_ROWS - 1], f"{last.rstrip()} {self.glyphs.clipped}"]
        return [(Piece(clip(row, self.text_width, self.glyphs), token, bold=bold),) for row in rows]

    def named_lines(self, name: str, text: str) -> list[Line]:
        """A name, and its text in a few rows beside it."""
        rows = [row.strip() for row in wrapped(text, self.text_width - len(INDENT))][:_MAX_SENTENCE_ROWS]
        names = [name, *[""] * (len(rows) - 1)]
        return [
            (Piece(f"{name:<{len(INDENT)}}", Token.MUTED), Piece(clip(row, self.text_width - len(INDENT), self.glyphs)))
            for name, row in zip(names, rows, strict=True)
        ]

    def marked_lines(self, state: str, text: str, token: Token, *, bold: bool = False) -> list[Line]:
        return self.wrapped_lines(f"{self.glyphs.state(state)} {text}", token, bold=bold)

    def edit_in_editor(self, text: str) -> str:
        """Returns the text as one line after it was edited in the user's editor. Raises ValueError if that fails."""
        words = editor_words(os.environ)
        with tempfile.NamedTemporaryFile("w", suffix=".sh", prefix="command-", encoding="utf-8") as file:
            file.write(f"{text.replace(NEWLINE, chr(10))}\n")
            file.flush()
            try:
                with self.app.suspend():
                    code = subprocess.run([*words, file.name], check=False).returncode
                with open(file.name, encoding="utf-8", errors="replace") as edited:
                    result = sanitize(join_lines(edited.read()))
            except SuspendNotSupported:
                raise ValueError("cannot open an editor in this terminal") from None
            except OSError as error:
                raise ValueError(f"editor {words[0]}: {error.strerror}; export EDITOR=nano sets another") from None
        if code:
            raise ValueError(f"{words[0]} ended with exit code {code}; nothing is changed")
        return result

    def submit(self) -> None:
        """Handles enter."""

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.submit()

    def action_next_field(self) -> None:
        self.focus_next()

    def action_previous_field(self) -> None:
        self.focus_previous()

    def action_close(self) -> None:
        self.dismiss(None)
