"""All keys, from the registry, and what the glyphs mean."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from backprop_tui.tui.actions import ACTIONS, ANYWHERE, GROUP, LOG, METRICS, MOVE, RUNS, Action
from backprop_tui.tui.drawing.lines import LineBuilder, heading
from backprop_tui.tui.view.states import TOKENS
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.painted import COLOURS
from backprop_tui.tui.widgets.sheet import Sheet
from backprop_tui.tui.wording.cells import clip
from backprop_tui.tui.wording.glyphs import Glyphs

_COLUMNS = ((ANYWHERE,), (RUNS, GROUP), (MOVE, LOG, METRICS))
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


class Help(Screen[None]):
    """Three columns where there is room for three."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,question_mark", "dismiss", "back"),
        ("j,down", "scroll(1)", "down"),
        ("k,up", "scroll(-1)", "up"),
    ]

    def __init__(self, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Sheet(glyphs=self._glyphs, id="help")

    def on_resize(self, event: events.Resize) -> None:
        """Columns as there is room."""
        self.query_one(Sheet).show_sheet(draw_help(event.size.width, self._glyphs))

    def action_scroll(self, rows: int) -> None:
        """Scrolls."""
        self.query_one(Sheet).move(rows)


def draw_help(width: int, glyphs: Glyphs) -> list[Line]:
    """The page; keys that do nothing yet are left out, and a section of such keys with them."""
    top = [
        (2, [Piece("Keys", Token.ACCENT, bold=True)]),
        (max(8, width - 11), [Piece("esc", Token.ACCENT, bold=True), Piece(" back", Token.MUTED)]),
    ]
    lines: list[Line] = [heading(top, width, glyphs, focused=True), ()]
    count = 3 if width >= 110 else 2 if width >= 76 else 1
    each = width // count
    columns: list[list[Line]] = [[] for _ in range(count)]
    for place, sections in enumerate(_COLUMNS):
        target = columns[min(place, count - 1)]
        for section in sections:
            if not any(one.built and one.section == section for one in ACTIONS):
                continue
            target += [()] if target else []
            target.append((Piece(f"  {section}", bold=True),))
            target += [_key(one, each, glyphs) for one in ACTIONS if one.section == section and one.built]
    for row in range(max(map(len, columns))):
        built = LineBuilder()
        for place, column in enumerate(columns):
            built.at(place * each)
            for piece in column[row] if row < len(column) else ():
                built.put(piece.text, piece.token, bold=piece.bold)
        lines.append(built.line())
    return [*lines, (), *_legend(width, glyphs)]


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
        built.put(f"{glyphs.state(word)} {word}", TOKENS[word]).put("  ")
    return [*lines, built.line()]
