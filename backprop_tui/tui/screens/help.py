"""The help page: all keys, from the registry, and what the symbols mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.similar import nearest
from backprop_tui.presentation.glossary import asked_word
from backprop_tui.tui.action import Action, Scope
from backprop_tui.tui.actions import (
    ACTIONS,
    ANYWHERE,
    DIALOGS,
    GROUP,
    HELP_ACTIONS,
    LOG,
    METRICS,
    MOVE,
    RUNS,
    bindings,
)
from backprop_tui.tui.glossary import glossary
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, heading, hint, wrapped
from backprop_tui.tui.panes.footer import KeysFooter, footer_texts
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.textual_patches.line_input import LineInput
from backprop_tui.tui.widgets.line_widget import Page

if TYPE_CHECKING:
    from backprop_tui.tui.user_commands import UserCommand

_YOURS = "Your keys"
_COLUMNS = ((_YOURS, ANYWHERE), (RUNS, GROUP, DIALOGS), (MOVE, LOG, METRICS))
_CLICKED = (Scope.MAIN, Scope.LOG, Scope.METRICS, Scope.GROUP)
_IN_FOOTER = ("find", "scroll_down", "scroll_up", "scroll_to_top", "scroll_to_end", "back")
_FOOTER = footer_texts([action for action in HELP_ACTIONS if action.id in _IN_FOOTER])
_SEARCH_FOOTER = (*_FOOTER[:-1], ("esc", "all keys"))


class _Row(NamedTuple):
    """A row of the page; without `click` it only explains."""

    section: str
    keys: str
    text: str
    click: str


class Help(DismissOnce, Screen["Action | UserCommand | None"]):
    """Up to three columns; text typed after a slash narrows them. A click on a row chooses what it is about."""

    AUTO_FOCUS = ""  # the input has the focus only while it is open
    BINDINGS: ClassVar[list[BindingType]] = bindings(HELP_ACTIONS)

    def __init__(
        self,
        commands: Sequence[UserCommand],
        actions: Sequence[Action],
        *,
        first: str = RUNS,
        search: str = "",
        glyphs: Glyphs,
    ) -> None:
        """`first` is the section of the focused pane, whose keys come first; `search` is what is searched for."""
        super().__init__()
        self._commands = commands
        self._actions = actions
        self._first = first
        self._search = search
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield Page(glyphs=self._glyphs, id="help")
        is_open = "-open" if self._search else ""
        yield LineInput(self._search, placeholder="a key or a word", id="find", classes=is_open, compact=True)
        yield KeysFooter(glyphs=self._glyphs, id="footer")

    @property
    def _input(self) -> LineInput:
        return self.query_one("#find", LineInput)

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.app.size.width
        self.query_one(Page).show_content(
            draw_help(
                width,
                self._glyphs,
                search=self._input.value,
                first=self._first,
                commands=self._commands,
                actions=self._actions,
            )
        )
        keys = _SEARCH_FOOTER if self._input.has_class("-open") else _FOOTER
        self.query_one(KeysFooter).show_keys(keys, width)

    def action_choose(self, index: int) -> None:
        """Leaves the help for one of its commands and actions, as `draw_help` counts them."""
        self.dismiss([*self._commands, *self._actions][index])

    def action_scroll(self, rows: int) -> None:
        self.query_one(Page).move(rows)

    def action_find(self) -> None:
        self._input.add_class("-open")
        self._input.focus()
        self._draw()

    def action_back(self) -> None:
        """Shows all keys again, or closes."""
        if not self._input.has_class("-open"):
            self.dismiss(None)
            return
        self._input.value = ""
        self._close_input()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._draw()

    @on(Input.Submitted)
    def _close_input(self) -> None:
        self.set_focus(None)
        if not self._input.value:
            self._input.remove_class("-open")
            self._draw()


def draw_help(
    width: int,
    glyphs: Glyphs,
    *,
    search: str = "",
    first: str = RUNS,
    commands: Sequence[UserCommand] = (),
    actions: Sequence[Action] = ACTIONS,
) -> list[Line]:
    """Returns the page; with `search` only what has it as its key or in its text.

    Args:
        width: Columns of the screen.
        glyphs: The characters to draw with.
        search: What was typed after a slash.
        first: The section that comes first.
        commands: Commands of the user; those with a key have a section of their own.
        actions: The others that are listed.
    """
    leaves = "all keys" if search else "back"
    top = [
        (2, [Piece("Keys", Token.ACCENT, bold=True), Piece(" to press or click, and symbols", Token.MUTED)]),
        (max(8, width - 7 - len(leaves)), hint("esc", leaves)),
    ]
    if width < 70:
        top[0] = (2, [Piece("Keys", Token.ACCENT, bold=True)])
    lines: list[Line] = [heading(top, width, glyphs, focused=True), ()]
    rows = [row for row in _rows(commands, actions) if row.text and _matches(row.keys, row.text, search)]
    symbols = _symbols(width, search, glyphs)
    if not rows and not symbols:
        near = nearest(asked_word(search), [term.name for term in glossary(glyphs)])
        meant = "" if near is None else f" Did you mean {near}?"
        return [*lines, (Piece(clip(f"  Nothing matches {sanitize(search)}.{meant}", width, glyphs), Token.MUTED),)]
    if rows:
        lines += [*_key_columns(rows, width, first), ()]
    return [*lines, *([(Piece("  States, symbols and terms", bold=True),)] if symbols else ()), *symbols]


def _rows(commands: Sequence[UserCommand], actions: Sequence[Action]) -> Iterator[_Row]:
    entries: list[UserCommand | Action] = [*commands, *actions]
    for index, entry in enumerate(entries):
        click = f"screen.choose({index})"
        if isinstance(entry, Action):
            yield _Row(entry.section, entry.shown, entry.help, click if entry.scope in _CLICKED else "")
        elif entry.key is not None:
            yield _Row(_YOURS, entry.shown_key, entry.name, click)


def _key_columns(rows: Sequence[_Row], width: int, first: str) -> list[Line]:
    """Returns the sections beside each other."""
    count = 3 if width >= 120 else 2 if width >= 80 else 1
    column_width = width // count
    columns: list[list[Line]] = [[] for _ in range(count)]
    for number, sections in enumerate(_columns(first)):
        column = columns[min(number, count - 1)]
        for section in sections:
            listed = [line for row in rows if row.section == section for line in _key_lines(row, column_width)]
            if listed:
                column += [()] if column else []
                column += [(Piece(f"  {section}", bold=True),), *listed]
    lines: list[Line] = []
    for row in range(max(map(len, columns))):
        built = LineBuilder()
        for number, column in enumerate(columns):
            built.at(number * column_width).extend(column[row] if row < len(column) else ())
        lines.append(built.line())
    return lines


def _columns(first: str) -> list[list[str]]:
    """Returns the sections of each column; that of the focused pane comes first."""
    columns = [sorted(column, key=lambda section: section != first) for column in _COLUMNS]
    return sorted(columns, key=lambda column: column[0] != first)


def _matches(keys: str, text: str, search: str) -> bool:
    """A single letter must be a key; longer text is searched for in keys and descriptions."""
    if len(search) == 1:
        return search in keys.split(" ")
    return search.lower() in f"{keys} {text}".lower()


def _key_lines(row: _Row, width: int) -> Iterator[Line]:
    for number, part in enumerate(wrapped(row.text, max(1, width - 15))):
        keys = f"  {'' if number else row.keys:<12}"
        yield Piece(keys, Token.ACCENT, bold=True, click=row.click), Piece(part.strip(), click=row.click)


def _symbols(width: int, search: str, glyphs: Glyphs) -> list[Line]:
    """Returns what each state, mark, term and setting means, of those that match; that of this name comes first."""
    terms = [term for term in glossary(glyphs) if term.matches(search)]
    terms.sort(key=lambda term: not term.is_named(search))
    lines: list[Line] = []
    for is_setting in (False, True):  # the names of settings are longer
        alike = [term for term in terms if term.setting == is_setting]
        names = max((len(term.name) for term in alike), default=0)
        for term in alike:
            title = f"  {term.glyph} {term.name:<{names}} "
            first, *rest = wrapped(term.text, max(1, width - len(title) - 1))
            lines += [(Piece(title, term.token), Piece(first)), *((Piece(" " * len(title) + row),) for row in rest)]
    return lines
