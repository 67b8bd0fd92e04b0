"""All keys, from the registry, and what the glyphs mean."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import ACTIONS, ANYWHERE, DIALOGS, GROUP, LOG, METRICS, MOVE, RUNS, Action
from backprop_tui.tui.cells import clip
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import LineBuilder, heading
from backprop_tui.tui.panes.footer import draw_footer
from backprop_tui.tui.screens.leave_once import LeaveOnce
from backprop_tui.tui.tokens import STATE_TOKENS, Line, Piece, Token
from backprop_tui.tui.widgets.line_input import LineInput
from backprop_tui.tui.widgets.painted import COLOURS, Painted
from backprop_tui.tui.widgets.sheet import Sheet

_COLUMNS = ((ANYWHERE,), (RUNS, GROUP, DIALOGS), (MOVE, LOG, METRICS))
_STATES = (
    "running",
    "starting",
    "paused",
    "stopping",
    "queued",
    "held",
    "done",
    "stopped",
    "timeboxed",
    "failed",
    "lost",
)


_KEYS = (("/", "find a key"), ("j", "down"), ("k", "up"), ("esc", "back"))


class Help(LeaveOnce, Screen[None]):
    """Three columns where there is room for three; what is typed after a slash narrows them."""

    AUTO_FOCUS = ""  # the line has the keys only while it is open
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "back", "back"),
        ("q,question_mark", "dismiss", "back"),
        ("slash", "find", "find a key"),
        ("j,down", "scroll(1)", "down"),
        ("k,up", "scroll(-1)", "up"),
    ]

    def __init__(self, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """The page, the line to find something, the keys."""
        yield Sheet(glyphs=self._glyphs, id="help")
        yield LineInput(placeholder="a key or a word", id="find", compact=True)
        yield Painted(glyphs=self._glyphs, id="footer")

    @property
    def _line(self) -> LineInput:
        return self.query_one("#find", LineInput)

    def on_resize(self) -> None:
        """Columns as there is room."""
        self._draw()

    def _draw(self) -> None:
        width = self.app.size.width
        self.query_one(Sheet).show_sheet(draw_help(width, self._glyphs, wanted=self._line.value))
        self.query_one("#footer", Painted).show([draw_footer(_KEYS, width, all_keys=False)])

    def action_scroll(self, rows: int) -> None:
        """Scrolls."""
        self.query_one(Sheet).move(rows)

    def action_find(self) -> None:
        """Opens the line."""
        self._line.add_class("-open")
        self._line.focus()

    def action_back(self) -> None:
        """Shows all keys again, else leaves."""
        if not self._line.has_class("-open"):
            self.dismiss(None)
            return
        self._line.value = ""
        self._close()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._draw()

    @on(Input.Submitted)
    def _close(self) -> None:
        self.set_focus(None)
        if not self._line.value:
            self._line.remove_class("-open")


def draw_help(width: int, glyphs: Glyphs, *, wanted: str = "") -> list[Line]:
    """The page; keys that do nothing yet are left out, and a section of such keys with them.

    `wanted`: those alone that have it as their key or in their words.
    """
    top = [
        (2, [Piece("Keys", Token.ACCENT, bold=True), Piece(" and what the glyphs mean, at the end", Token.MUTED)]),
        (max(8, width - 11), [Piece("esc", Token.ACCENT, bold=True), Piece(" back", Token.MUTED)]),
    ]
    if width < 70:
        top[0] = (2, [Piece("Keys", Token.ACCENT, bold=True)])
    lines: list[Line] = [heading(top, width, glyphs, focused=True), ()]
    actions = [one for one in ACTIONS if one.built and _is_wanted(one, wanted)]
    if not actions:
        return [*lines, (Piece(clip(f"  No key has {sanitize(wanted)}.", width, glyphs), Token.MUTED),)]
    count = 3 if width >= 110 else 2 if width >= 76 else 1
    each = width // count
    columns: list[list[Line]] = [[] for _ in range(count)]
    for place, sections in enumerate(_COLUMNS):
        target = columns[min(place, count - 1)]
        for section in sections:
            of_section = [_key(one, each, glyphs) for one in actions if one.section == section]
            if of_section:
                target += [()] if target else []
                target += [(Piece(f"  {section}", bold=True),), *of_section]
    for row in range(max(map(len, columns))):
        built = LineBuilder()
        for place, column in enumerate(columns):
            built.at(place * each)
            for piece in column[row] if row < len(column) else ():
                built.put(piece.text, piece.token, bold=piece.bold)
        lines.append(built.line())
    return [*lines, (), *_legend(width, glyphs)]


def _is_wanted(action: Action, wanted: str) -> bool:
    """A single letter is a key; more is looked for in keys and words."""
    if len(wanted) == 1:
        return wanted in action.shown.split(" ")
    return wanted.lower() in f"{action.shown} {action.word} {action.help}".lower()


def _key(action: Action, width: int, glyphs: Glyphs) -> Line:
    words = clip(action.help, width - 15, glyphs)
    return Piece(f"  {action.shown:<12}", Token.ACCENT, bold=True), Piece(words)


def _legend(width: int, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = []
    built = LineBuilder().put("  ")
    for word in _STATES:
        if built.column + len(word) + 3 > width:
            lines.append(built.line())
            built = LineBuilder().put("  ")
        built.put(f"{glyphs.state(word)} {word}", STATE_TOKENS[word]).put("  ")
    return [*lines, built.line()]
