"""Completions of the path or the option of a script that is being typed."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual import events, on, work

from backprop_tui.domain.arguments import OptionSyntax, quoted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, hint
from backprop_tui.tui.screens.draft import COMMAND, RESUME, Field
from backprop_tui.tui.screens.form import INDENT, FieldInput, Form
from backprop_tui.tui.widgets.argument_table import ArgumentTable
from backprop_tui.tui.widgets.line_widget import LineWidget

_MAX_ENTRIES_SCANNED = 2000
_MAX_PATHS = 12
_SCRIPT_ENDINGS = (".py", ".sh")
_TABS = {False: "completes", True: "lists all"}
_MAX_LISTED_ROWS = 6


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    """The words that start with `typed`; a directory ends in a slash."""

    typed: str
    words: tuple[str, ...] = ()

    @property
    def common(self) -> str:
        """The longest prefix that all words share; never shorter than what was typed."""
        first, last = min(self.words, default=""), max(self.words, default="")  # what these share, all words share
        prefix = os.path.commonprefix([first, last])  # noqa: RUF071 - of characters, not of components
        return prefix if len(prefix) > len(self.typed) else self.typed


def matching_options(typed: str, options: Iterable[str], line: str) -> Completions:
    """Completes an option; those that are in the line already are left out."""
    given = {word.partition("=")[0] for word in line.split()} - {typed}
    fitting = [option for option in options if option.startswith(typed) and option not in given]
    return Completions(typed=typed, words=tuple(fitting))


def option_with_value(before: str) -> tuple[str, str] | None:
    """The option at the end of a text and what was typed of its value: of the last one in a list with commas."""
    match = re.search(r"(?<!\S)(--?[\w.-]+)(?:=|[ ]+)([^\s'\"=]*)$", before)
    return None if match is None else (match[1], match[2].rpartition(",")[2])


def matching_paths(typed: str) -> Completions:
    """Completes a path: scripts first, then directories, then other files; none if the directory cannot be read."""
    folder, _, start = typed.rpartition("/")
    base = f"{folder}/" if "/" in typed else ""
    try:
        names = _matching_names(os.path.expanduser(base) or ".", start)
    except OSError:
        return Completions(typed=typed)
    return Completions(typed=typed, words=tuple(base + name for name in names[:_MAX_PATHS]))


def path_with_blanks(text: str) -> str | None:
    """The whole text in quotes if it is the path of a file with blanks in it, as a file manager copies it."""
    path = os.path.expanduser(text.strip())
    return quoted(path) if len(text.split()) > 1 and os.path.isfile(path) else None


def _matching_names(folder: str, start: str) -> list[str]:
    names: list[str] = []
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= _MAX_ENTRIES_SCANNED:
                break
            is_hidden = entry.name.startswith(".") and not start.startswith(".")
            if entry.name.startswith(start) and not is_hidden:
                names.append(entry.name + ("/" if _is_directory(entry) else ""))
    return sorted(names, key=_rank)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISDIR(entry.stat().st_mode)
    except OSError:
        return False


def _rank(name: str) -> tuple[int, str]:
    return (0 if name.endswith(_SCRIPT_ENDINGS) else 1 if name.endswith("/") else 2, name)


def word_before_cursor(before: str, *, is_path: bool) -> str | None:
    """The word to complete at the end of a text, None if there is none; with `is_path` the whole text is a path.

    Quoted words are left alone, and so is an empty value behind a `=`.
    """
    if is_path:
        return before or None
    word = re.split(r"[ =]", before)[-1]
    return None if word.startswith(("'", '"')) or (not word and before.endswith("=")) else word


def option_in_value(before: str) -> str | None:
    """The option that is begun behind a value in the same row, as in `0.1 --ba`; None if there is none."""
    word = before.rpartition(" ")[2]
    if word == before or not word.startswith("-"):
        return None
    try:
        return word if shlex.split(before)[-1] == word else None  # no part of a quotation
    except ValueError:
        return None


class Completion:
    """What tab does to the word under the cursor: complete the common part, then cycle through the candidates.

    Dashes alone choose nothing, and neither does an empty word: there the first tab lists all candidates, unless all
    are shown already.
    """

    def __init__(self) -> None:
        self._completions = Completions(typed="")
        self.is_listed = False
        self.chosen: int | None = None  # index of the candidate that tab put into the field
        self.typed = ""

    @property
    def candidates(self) -> tuple[str, ...]:
        """The words to choose from; none when the only one has been typed already."""
        words = self._completions.words
        return () if words == (self.typed,) and self.chosen is None else words

    def show(self, new: Completions) -> None:
        """Offers completions of another word; keeps the candidates that tab is cycling through."""
        words = self._completions.words
        if self.chosen is not None and new.typed == words[self.chosen] and len(words) > 1:
            self.typed = new.typed
            return
        if new != self._completions or self.chosen is not None:
            self._completions, self.chosen, self.typed, self.is_listed = new, None, new.typed, False

    @property
    def lists_next(self) -> bool:
        return self._has_no_more and not self.typed.strip("-") and self.chosen is None and not self.is_listed

    @property
    def _has_no_more(self) -> bool:
        """Whether the candidates share nothing beyond what was typed, or only the dashes of options."""
        common = self._completions.common
        return common == self.typed or not (self.typed or common.strip("-"))

    def choose(self, index: int) -> str:
        """Returns the word that a click replaces the typed one with."""
        self.chosen = index
        return self._completions.words[index]

    def next_word(self) -> str:
        """Returns the word that tab replaces the typed one with."""
        if self.chosen is None and not self._has_no_more:
            return self._completions.common
        if self.lists_next:
            self.is_listed = True
            return self.typed
        self.chosen = 0 if self.chosen is None else (self.chosen + 1) % len(self._completions.words)
        return self._completions.words[self.chosen]


def draw_completions(completion: Completion, width: int, glyphs: Glyphs, *, tab_leaves: bool = False) -> list[Line]:
    """As many completions as fit into a row, or several once all are listed, without the directories they share.

    Where `tab_leaves` the row, an option is begun by its dash.
    """
    words, chosen = completion.candidates, completion.chosen or 0
    if not words:
        return []
    key, what = ("-", "begins one") if tab_leaves else ("tab", _TABS[completion.lists_next])
    room, rows = width - len(f"{glyphs.clipped} {key} {what}"), _MAX_LISTED_ROWS if completion.is_listed else 1
    shown_from = 0
    lines, end = _rows(completion, 0, room, rows, glyphs)
    while chosen >= end:
        shown_from = end
        lines, end = _rows(completion, end, room, rows, glyphs)
    if lines and end - shown_from == len(words) and what == _TABS[True]:
        completion.is_listed, what = True, _TABS[False]
    lines[-1].extend(hint(key, what, before=" "))
    return [line.line() for line in lines]


def _rows(completion: Completion, first: int, room: int, count: int, glyphs: Glyphs) -> tuple[list[LineBuilder], int]:
    """At most so many rows of the candidates from the first one on, and the index of the one after them."""
    words, lines = completion.candidates, [LineBuilder().put(INDENT)]
    for index in range(first, len(words)):
        stem = words[index].rstrip("/").rpartition("/")[0]
        name = clip(words[index][len(stem) + 1 :] if stem else words[index], room - len(INDENT) - 2, glyphs)
        if len(INDENT) < lines[-1].column > room - len(name) - 2:
            if len(lines) == count:
                lines[-1].put(glyphs.clipped, Token.MUTED)
                return lines, index
            lines.append(LineBuilder().put(INDENT))
        is_chosen = index == completion.chosen
        click, token = f"screen.complete_with({index})", Token.FG if is_chosen else Token.MUTED
        lines[-1].extend([Piece(f" {name} ", token, chosen=is_chosen, click=click)])
    return lines, len(words)


class CompletingForm(Form):
    """Completes the path or the option before the cursor of a field, or of the row that adds arguments."""

    PATH_FIELDS: ClassVar[Mapping[str, bool]] = {COMMAND: False, RESUME: True}  # whether it is a path as a whole

    def __init__(self, rows: Sequence[Sequence[Field]], values: Mapping[str, str], *, glyphs: Glyphs) -> None:
        super().__init__(rows, values, glyphs=glyphs)
        self._completion = Completion()
        self.hint_rows = 1

    async def script_options(self) -> Sequence[str]:
        """The options of the script in the command."""
        raise NotImplementedError

    @property
    def syntax(self) -> OptionSyntax:
        """What is known about these options."""
        raise NotImplementedError

    def choices_of(self, option: str) -> Sequence[str]:
        """The values of an option that takes only some."""
        return self.syntax.choices.get(option, ())

    @property
    def _table(self) -> ArgumentTable:
        return self.query_one(ArgumentTable)

    def _value_before_cursor(self) -> tuple[str, str] | None:
        """The option whose value is being typed, and that value; None for an option without choices."""
        entry = self.focused
        typed: list[tuple[str, str] | None] = []
        if isinstance(entry, ArgumentTable):
            typed = [option_with_value(entry.text_before_cursor), entry.value_before_cursor]
        elif isinstance(entry, FieldInput) and entry is self.field(COMMAND):
            typed = [option_with_value(entry.value[: entry.cursor_position])]
        return next((each for each in typed if each is not None and self.choices_of(each[0])), None)

    def _word_before_cursor(self) -> str | None:
        entry = self.focused
        if isinstance(entry, ArgumentTable):
            before, is_path = entry.text_before_cursor, False
            if entry.row is not None:
                return option_in_value(before)
        else:
            name = (entry.id or "").removeprefix("field-") if isinstance(entry, FieldInput) else ""
            if not isinstance(entry, FieldInput) or name not in self.PATH_FIELDS:
                return None
            before, is_path = entry.value[: entry.cursor_position], self.PATH_FIELDS[name]
        expected = None if is_path else option_with_value(before)
        if expected is not None and not expected[1] and expected[0] not in self.syntax.switches:
            return None  # a value is to follow
        return word_before_cursor(before, is_path=is_path)

    @on(events.DescendantFocus)
    @on(ArgumentTable.Typed)
    def _cursor_moved(self) -> None:
        self.find_completions()
        self.draw_status()

    def find_completions(self) -> None:
        word, value = self._word_before_cursor(), self._value_before_cursor()
        if value is not None:
            option, typed = value
            fitting = (quoted(choice) for choice in self.choices_of(option) if choice.startswith(typed))
            self._offer(Completions(typed=typed, words=tuple(fitting)))
        elif word is None:
            self._offer(Completions(typed=""))
        else:
            is_first = isinstance(self.focused, FieldInput) and not self.focused.value[: self.focused.cursor_position]
            self._complete(word, is_option=word.startswith("-") or not (word or is_first))

    @work(group="completion", exclusive=True)
    async def _complete(self, word: str, *, is_option: bool) -> None:
        """Reads a directory or the script in a thread, because its disk may not answer."""
        if is_option:
            command = self.field(COMMAND)
            self._offer(matching_options(word, await self.script_options(), command.value))
        else:
            self._offer(await asyncio.to_thread(matching_paths, word))

    def _offer(self, offered: Completions) -> None:
        self._completion.show(offered)
        self._draw_completions()

    @property
    def _tab_leaves(self) -> bool:
        """The empty row that adds arguments is passed on the way to the next field."""
        return isinstance(self.focused, ArgumentTable) and not self.focused.text_before_cursor

    def _draw_completions(self) -> None:
        for table in self.query(ArgumentTable):  # none while the dialog is being closed, as below
            table.is_completed = bool(self._completion.candidates) and not self._tab_leaves
        lines = draw_completions(self._completion, self.text_width, self.glyphs, tab_leaves=self._tab_leaves)
        for widget in self.query("#hint").results(LineWidget):
            rows, self.hint_rows = self.hint_rows, max(1, len(lines))
            widget.styles.height = self.hint_rows
            widget.show(lines)
            if rows != self.hint_rows:
                self.draw_status()

    async def quote_path(self) -> None:
        """Quotes the command if it is the path of a file, which a thread looks for."""
        for entry in self.query(f"#field-{COMMAND}").results(FieldInput):  # none while the dialog is being closed
            text = entry.value
            path = await asyncio.to_thread(path_with_blanks, text)
            if path is not None and entry.value == text:
                entry.replace(path, 0, len(text))
                self.take_values()

    def take_values(self) -> None:
        """Notices what is in the fields now."""

    def action_next_field(self) -> None:
        """Enters the table at its first row."""
        if self.focus_next() is self._table:
            self._table.go_to(0)

    def action_previous_field(self) -> None:
        """Enters the table at its last row."""
        if self.focus_previous() is self._table:
            self._table.go_to(len(self._table.rows))

    def action_complete(self) -> None:
        """Complete the word under the cursor; without one go to the next field."""
        entry = self.focused
        can_complete = bool(self._completion.candidates) and not self._tab_leaves
        if not can_complete or not isinstance(entry, FieldInput | ArgumentTable):
            self.action_next_field()
            return
        self._put(entry, self._completion.typed, self._completion.next_word())

    def action_complete_with(self, index: int) -> None:
        """Complete the word under the cursor with the one that was clicked."""
        entry = self.focused
        if index < len(self._completion.candidates) and isinstance(entry, FieldInput | ArgumentTable):
            self._put(entry, self._completion.typed, self._completion.choose(index))

    def _put(self, entry: FieldInput | ArgumentTable, typed: str, word: str) -> None:
        start = len(typed)
        if isinstance(entry, ArgumentTable):
            entry.complete(word, instead_of=start)
        else:
            entry.replace(word, entry.cursor_position - start, entry.cursor_position)
        self._draw_completions()
