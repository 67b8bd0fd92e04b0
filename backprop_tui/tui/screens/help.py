"""The help page: all keys, from the registry, and what the symbols mean."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from backprop_tui.domain.sanitize import sanitize
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
    Action,
    bindings,
)
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import STATE_TOKENS, Line, LineBuilder, Piece, Token, clip, heading
from backprop_tui.tui.panes.footer import draw_footer, footer_texts
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.textual_patches.line_input import LineInput
from backprop_tui.tui.widgets.line_widget import LineWidget, ScrollView

_COLUMNS = ((ANYWHERE,), (RUNS, GROUP, DIALOGS), (MOVE, LOG, METRICS))
_STATES = ("running", "starting", "paused", "stopping", "queued", "completed", "stopped", "timeboxed", "failed", "lost")
_FOOTER = footer_texts([action for action in HELP_ACTIONS if action.id in ("find", "scroll_down", "scroll_up", "back")])


class Help(DismissOnce, Screen[None]):
    """Up to three columns; text typed after a slash narrows them."""

    AUTO_FOCUS = ""  # the input has the focus only while it is open
    BINDINGS: ClassVar[list[BindingType]] = bindings(HELP_ACTIONS)

    def __init__(self, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield ScrollView(glyphs=self._glyphs, id="help")
        yield LineInput(placeholder="a key or a word", id="find", compact=True)
        yield LineWidget(glyphs=self._glyphs, id="footer")

    @property
    def _input(self) -> LineInput:
        return self.query_one("#find", LineInput)

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.app.size.width
        self.query_one(ScrollView).show_content(draw_help(width, self._glyphs, search=self._input.value))
        self.query_one("#footer", LineWidget).show([draw_footer(_FOOTER, width, all_keys=False)])

    def action_scroll(self, rows: int) -> None:
        self.query_one(ScrollView).move(rows)

    def action_find(self) -> None:
        self._input.add_class("-open")
        self._input.focus()

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


def draw_help(width: int, glyphs: Glyphs, *, search: str = "") -> list[Line]:
    """Returns the page; with `search` only the actions that have it as their key or in their text."""
    top = [
        (2, [Piece("Keys", Token.ACCENT, bold=True), Piece(" and symbols", Token.MUTED)]),
        (max(8, width - 11), [Piece("esc", Token.ACCENT, bold=True), Piece(" back", Token.MUTED)]),
    ]
    if width < 70:
        top[0] = (2, [Piece("Keys", Token.ACCENT, bold=True)])
    lines: list[Line] = [heading(top, width, glyphs, focused=True), ()]
    actions = [action for action in ACTIONS if action.help and _matches(action, search)]
    if not actions:
        return [*lines, (Piece(clip(f"  No key matches {sanitize(search)}.", width, glyphs), Token.MUTED),)]
    count = 3 if width >= 110 else 2 if width >= 76 else 1
    column_width = width // count
    columns: list[list[Line]] = [[] for _ in range(count)]
    for number, sections in enumerate(_COLUMNS):
        column = columns[min(number, count - 1)]
        for section in sections:
            rows = [_key_line(action, column_width, glyphs) for action in actions if action.section == section]
            if rows:
                column += [()] if column else []
                column += [(Piece(f"  {section}", bold=True),), *rows]
    for row in range(max(map(len, columns))):
        built = LineBuilder()
        for number, column in enumerate(columns):
            built.at(number * column_width).extend(column[row] if row < len(column) else ())
        lines.append(built.line())
    return [*lines, (), *_symbols(width, glyphs)]


def _matches(action: Action, search: str) -> bool:
    """A single letter must be a key; longer text is searched for in keys and descriptions."""
    if len(search) == 1:
        return search in action.shown.split(" ")
    return search.lower() in f"{action.shown} {action.short} {action.help}".lower()


def _key_line(action: Action, width: int, glyphs: Glyphs) -> Line:
    return Piece(f"  {action.shown:<12}", Token.ACCENT, bold=True), Piece(clip(action.help, width - 15, glyphs))


def _symbols(width: int, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = []
    built = LineBuilder().put("  ")
    for state in _STATES:
        if built.column + len(state) + 3 > width:
            lines.append(built.line())
            built = LineBuilder().put("  ")
        built.put(f"{glyphs.state(state)} {state}", STATE_TOKENS[state]).put("  ")
    return [*lines, built.line()]
