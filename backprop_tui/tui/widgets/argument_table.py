"""The arguments of a command line, a row each: its value is changed in place, and what differs is marked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from rich.cells import cell_len
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.widget import Widget

from backprop_tui.domain.arguments import LITERAL
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Token, clip
from backprop_tui.tui.screens.draft import words_in
from backprop_tui.tui.screens.edited_command import ArgumentRow, RefusedValue
from backprop_tui.tui.screens.shell_line import PICTURES, NeedsShell, join_lines, split_line
from backprop_tui.tui.widgets.line_widget import LineWidget

_MAX_NAME = 28
_POSITIONAL = "argument"
_ADD = "add an argument; a,b,c or 1..3 as a value makes a sweep"


@lazy_dataclass(frozen=True, slots=True)
class EditedText:
    """A line of text with a cursor; what is typed replaces the text while it is `chosen` as a whole."""

    text: str
    cursor: int
    chosen: bool = False

    @classmethod
    def at_end(cls, text: str) -> EditedText:
        return cls(text, len(text))

    @classmethod
    def all_of(cls, text: str) -> EditedText:
        return cls(text, len(text), chosen=True)

    def insert(self, text: str) -> EditedText:
        if self.chosen:
            return self.at_end(text)
        return EditedText(self.text[: self.cursor] + text + self.text[self.cursor :], self.cursor + len(text))

    def after(self, key: str, character: str | None) -> EditedText | None:
        """The text after a key; None if the key edits nothing."""
        moves = {"left": self.cursor - 1, "right": self.cursor + 1, "home": 0, "ctrl+a": 0, "end": len(self.text)}
        if key in moves:
            return EditedText(self.text, max(0, min(moves[key], len(self.text))))
        before, behind = ("", "") if self.chosen else (self.text[: self.cursor], self.text[self.cursor :])
        cuts = {
            "backspace": (before[:-1], behind),
            "delete": (before, behind[1:]),
            "ctrl+u": ("", behind),
            "ctrl+k": (before, ""),
            "ctrl+w": (re.sub(r"\S*\s*$", "", before), behind),
        }
        if key in cuts:
            return EditedText("".join(cuts[key]), len(cuts[key][0]))
        return self.insert(character) if character is not None and character.isprintable() else None


class ArgumentTable(LineWidget, can_focus=True):
    """The last row adds arguments; the dialog does what the messages ask, and shows the rows that result."""

    class Changed(Message):
        """The value of the argument at `place` was edited; without a place, `text` are arguments to add.

        While it `goes_on`, a text that would be more than this value changes nothing.
        """

        def __init__(self, place: int | None, text: str, *, goes_on: bool = False) -> None:
            super().__init__()
            self.place = place
            self.text = text
            self.goes_on = goes_on

    class RowKey(Message):
        """Removes the argument of a row or puts it back (ctrl+d), or switches between sweep and value (ctrl+s)."""

        def __init__(self, row: ArgumentRow, key: str) -> None:
            super().__init__()
            self.row = row
            self.key = key

    class Typed(Message):
        """The cursor is at another place or in another text, or a text was refused."""

    class Submitted(Message):
        """Enter was pressed, and it added nothing."""

    def __init__(self, *, glyphs: Glyphs, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(glyphs=glyphs, id=id)
        self.rows: Sequence[ArgumentRow] = ()
        self._notes: Mapping[int, str] = {}
        self._refused: Mapping[int, RefusedValue] = {}
        self._marks = False  # whether there is another run to differ from
        self._place = 0  # index of the row with the cursor
        self._edited = EditedText.at_end("")
        self._problem = ""  # why the text with the cursor was refused, shown below it
        self.is_completed = False  # whether tab completes what was typed

    def show_rows(
        self,
        rows: Sequence[ArgumentRow],
        notes: Mapping[int, str],
        refused: Mapping[int, RefusedValue],
        *,
        marks: bool,
    ) -> None:
        """Replaces the rows; `notes` and `refused` are by the place of an argument, `marks` marks those that differ."""
        self._notes, self._refused, self._marks = notes, refused, marks
        is_adding, before = self.row is None, self.row
        self.rows = rows
        self._place = len(rows) if is_adding and self.has_focus else min(self._place, len(rows))
        row = self.row
        if row is None:
            self._edited = self._edited if is_adding else EditedText.at_end("")  # the row of the text is gone
        elif row != before and not self._stands_for(row):  # it was changed elsewhere
            self._edited, self._problem = EditedText.all_of(_text_of(row)), ""
        self.paint()

    def _stands_for(self, row: ArgumentRow) -> bool:
        if self._is_unfinished or row.now is None:
            return False
        return self._edited.text == row.now.text or words_in(self._edited.text) == row.now.values

    @property
    def line_count(self) -> int:
        return len(self.rows) + 1 + bool(self._problem)

    @property
    def _is_unfinished(self) -> bool:
        return bool(self._problem_of_text())

    @property
    def _is_kept(self) -> bool:
        """Whether the text is more than the value of its row: it becomes the rows that it has when it is left."""
        return self.row is not None and self.row.now is not None and not self._stands_for(self.row)

    def _problem_of_text(self) -> str:
        """Why the text is not a list of words; empty if it is one. A value may have what a shell reads otherwise."""
        try:
            shlex.split(self._edited.text)
            idle = split_line(self._edited.text).idle if self.row is None else ()
        except NeedsShell as error:
            return f"{error.problem}: quote it if it is part of an argument"
        except ValueError as error:
            return str(error)
        return f"{' '.join(idle)} is not for the script: quote it if it is an argument" if idle else ""

    def refuses(self) -> bool:
        """Whether the text with the cursor cannot be read; says so below it."""
        self._problem = self._problem_of_text()
        if self._problem:
            self.post_message(self.Typed())
            self.paint()
        return bool(self._problem)

    def revert(self) -> bool:
        """Drops a text that cannot be read or is not in the command yet; returns whether there was one."""
        is_dropped = self._is_unfinished or self.pending is not None
        if is_dropped:
            self._edited, self._problem = EditedText.all_of(_text_of(self.row)), ""
            self.post_message(self.Typed())
            self.paint()
        return is_dropped

    @property
    def row(self) -> ArgumentRow | None:
        """The row with the cursor; None: the one that adds arguments."""
        return self.rows[self._place] if self._place < len(self.rows) else None

    def go_to(self, place: int) -> None:
        """Moves the cursor to a row, which ends the editing of another, unless that is refused."""
        if self.refuses():
            return
        self.commit()
        self._place = max(0, min(place, len(self.rows)))
        self._edited = EditedText.all_of(_text_of(self.row))
        self.post_message(self.Typed())
        self.paint()
        if isinstance(self.parent, Widget):
            region = Region(0, self.virtual_region.y + self._place, 1, 1)
            self.parent.scroll_to_region(region, animate=False)

    @property
    def text_before_cursor(self) -> str:
        """What was typed before the cursor; nothing while the next key replaces it."""
        return "" if self._edited.chosen else self._edited.text[: self._edited.cursor]

    @property
    def value_before_cursor(self) -> tuple[str, str] | None:
        """The name of the argument whose value is being typed, and what is before the cursor, after its last comma."""
        if self.row is None or self._edited.chosen or not self._edited.text:
            return None
        return self.row.name, self._edited.text[: self._edited.cursor].rpartition(",")[2]

    def complete(self, word: str, *, instead_of: int) -> None:
        """Puts a word in place of so many characters before the cursor."""
        text, start = self._edited.text, self._edited.cursor - instead_of
        self._edit(EditedText(text[:start] + word + text[self._edited.cursor :], start + len(word)))

    @property
    def pending(self) -> Changed | None:
        """The change that the text asks for, if that is not in the command yet."""
        row, text = self.row, self._edited.text
        if self._is_unfinished or not (text.strip() if row is None else self._is_kept):
            return None
        return self.Changed(None if row is None else row.place, text)

    @property
    def is_adding(self) -> bool:
        """Whether there is a text in the row that adds arguments: enter adds it and stays in that row."""
        return self.row is None and bool(self._edited.text.strip())

    def commit(self, handle: Callable[[Changed], object] | None = None) -> None:
        """Changes the command as the text asks; `handle` does it at once instead of by a message."""
        pending = self.pending
        if pending is not None:
            self._edited = EditedText.all_of(_text_of(self.row))
            (handle or self.post_message)(pending)

    def on_key(self, event: events.Key) -> None:
        row = self.row
        if event.key == "tab" and self.is_completed:
            return  # the form completes what was typed
        if event.key in ("up", "down", "tab", "shift+tab", "enter") and self.refuses():
            pass
        elif event.key in ("down", "enter") and self.is_adding:
            self.commit()
        elif event.key in ("up", "down", "tab", "shift+tab"):
            place = self._place + (1 if event.key in ("down", "tab") else -1)
            if not 0 <= place <= len(self.rows):
                return  # to the next field
            self.go_to(place)
        elif event.key == "enter":
            self.commit()
            self.post_message(self.Submitted())
        elif event.key in ("ctrl+d", "ctrl+s") and row is not None:
            self.post_message(self.RowKey(row, event.key))
        else:
            edited = self._edited.after(event.key, event.character)
            if edited is None:
                return
            self._edit(edited)
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._edit(self._edited.insert(sanitize(join_lines(event.text, self.text_before_cursor))))

    def _edit(self, edited: EditedText) -> None:
        row = self.row
        if row is not None and (row.now is None or row.name == LITERAL):
            return
        before, self._edited, self._problem = self._edited, edited, ""
        self.post_message(self.Typed())
        if row is not None and edited.text != before.text:
            self.post_message(self.Changed(row.place, edited.text, goes_on=True))
        self.paint()

    def on_click(self, event: events.Click) -> None:
        self.focus()
        self.go_to(event.y)

    def on_focus(self) -> None:
        self.paint()

    def on_blur(self) -> None:
        self.commit()
        self.paint()

    def on_resize(self) -> None:
        self.paint()

    def paint(self) -> None:
        names = [cell_len(row.name or _POSITIONAL) for row in self.rows]
        column = 4 + min(_MAX_NAME, max(names, default=0))
        lines = [self._line(index, row, column) for index, row in enumerate(self.rows)]
        last = LineBuilder().put(" +", Token.ACCENT, bold=self._is_at(len(self.rows))).at(column)
        if self._is_at(len(self.rows)):
            self._put_edited(last, len(_ADD))
            last.put("" if self._edited.text else " ")
        if not self._is_at(len(self.rows)) or not self._edited.text:
            last.put(clip(_ADD, self.size.width - last.column, self.glyphs), Token.FAINT)
        lines.append(last.line())
        if self._problem:
            text = f"{self.glyphs.state('failed')} {self._problem}"
            problem = LineBuilder().at(column).put(clip(text, self.size.width - column, self.glyphs), Token.BAD)
            lines.insert(self._place + 1, problem.line())
        self.styles.height = self.line_count
        self.show(lines)

    def _is_at(self, place: int) -> bool:
        return (self.has_focus or self._is_unfinished) and self._place == place

    def _line(self, index: int, row: ArgumentRow, column: int) -> Line:
        is_current = self._is_at(index)
        arrow = "→" if self.glyphs.unicode else "->"
        note, note_token = self._note(row, is_current=is_current)
        room = max(self.size.width - column - cell_len(note), (self.size.width - column) // 3)
        token = Token.ACCENT if is_current else Token.FG if row.name else Token.MUTED
        line = LineBuilder().put(f" {clip(row.name or _POSITIONAL, _MAX_NAME, self.glyphs)}", token, bold=is_current)
        line.at(column)
        if self._marks and row.differs and row.before is not None:
            old = clip(row.before.text.translate(PICTURES), max(6, room // 2 - 3), self.glyphs)
            line.put(f"{old} {arrow} " if old else f"{arrow} ", Token.MUTED)
        if row.now is None:
            line.put("removed", Token.WARN, bold=is_current)
        elif is_current:
            self._put_edited(line, column + room - line.column)
        else:
            changed = self._marks and row.differs
            value = clip(_text_of(row), column + room - line.column, self.glyphs)
            line.put(value, Token.WARN if changed else Token.FG, bold=changed)
        return line.put(clip(note, self.size.width - line.column, self.glyphs), note_token).line()

    def _put_edited(self, line: LineBuilder, room: int) -> None:
        """The value with its cursor, and as much before that as there is room for."""
        edited = self._edited
        start = max(0, edited.cursor - max(1, room - 2))
        text = sanitize(edited.text[start : start + max(1, room - 1)])
        cursor = edited.cursor - start
        if edited.chosen and text:
            line.put(text, Token.FG, chosen=True)
            return
        line.put(text[:cursor], Token.FG, bold=True)
        line.put(text[cursor : cursor + 1] or " ", Token.FG, chosen=True).put(text[cursor + 1 :], Token.FG, bold=True)

    def _note(self, row: ArgumentRow, *, is_current: bool) -> tuple[str, Token]:
        """What is wrong with the value, unless it is still being typed; else what becomes of it."""
        refused = None if row.now is None else self._refused.get(row.place)
        if refused is not None and not (is_current and refused.is_begun):
            text = sanitize(f"{refused.value} is {refused.reason}" if refused.is_one_of_several else refused.reason)
            return f"   {self.glyphs.state('failed')} {text}", Token.BAD
        text = self._consequence(row, is_current=is_current)
        return f"   {text}" if text else "", Token.INFO

    def _consequence(self, row: ArgumentRow, *, is_current: bool) -> str:
        """What becomes of the value, and the key for it."""
        if row.now is None:
            return "ctrl+d puts it back" if is_current else ""
        if row.sweep:
            return f"sweep of {len(row.sweep)}" + (", ctrl+s: one value" if is_current else "")
        if row.listed and (is_current or row.differs or not self._marks):
            return f"one value, ctrl+s: sweep of {row.listed}"
        return self._notes.get(row.place) or ("added" if self._marks and row.before is None else "")


def _text_of(row: ArgumentRow | None) -> str:
    return "" if row is None or row.now is None else row.now.text.translate(PICTURES)
