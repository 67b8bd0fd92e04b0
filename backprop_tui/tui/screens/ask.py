"""A question with a key for each answer; the harmless answer is `esc`, and `enter` where it means nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from backprop_tui.domain.values import dataclass
from backprop_tui.tui.cells import clip, clip_with_path, wrapped
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.screens.leave_once import LeaveOnce
from backprop_tui.tui.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.painted import COLOURS, Painted

STAY = "stay"
_WIDTH = 66


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A key (Textual's name), how it is shown, and what it means."""

    key: str
    shown: str
    means: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line whose glyph is that of a state."""

    word: str
    text: str
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Title, what is to be known, the answers, and below them what else is worth knowing."""

    title: str
    lines: Sequence[str]
    answers: Sequence[Answer]
    notes: Sequence[Note] = ()


class Ask(LeaveOnce, ModalScreen[str]):
    """Dismissed with what the answer means; `STAY` for none."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)

    def __init__(self, question: Question, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._question = question
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with Vertical(id="dialog") as box:
            box.border_title = f" {self._question.title} "
            yield Painted(glyphs=self._glyphs, id="question")

    def on_mount(self) -> None:
        """As wide as there is room, as high as it needs."""
        self._draw()

    def on_resize(self) -> None:
        """Another width."""
        self._draw()

    def _draw(self) -> None:
        width = min(_WIDTH, self.app.size.width)
        lines = self._lines(width - 4)
        box = self.query_one("#dialog")
        box.styles.width, box.styles.height = width, min(len(lines) + 2, self.app.size.height)
        self.query_one("#question", Painted).show(lines)

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = [()]
        for place, text in enumerate(self._question.lines):
            for row in wrapped(text, width - 2):
                said = clip(row.removeprefix("  "), width - 2, self._glyphs)
                lines.append((Piece(f" {said}", Token.MUTED if place else Token.FG, bold=not place),))
        lines.append(())
        for one in self._question.answers:
            words = Piece(clip_with_path(one.words, width - 9, self._glyphs))
            lines += [(Piece(f"  {one.shown:<6}", Token.ACCENT, bold=True), words)]
        leaves = "esc" if self._has_enter else "enter"
        lines.append((Piece(f"  {leaves:<6}", Token.ACCENT, bold=True), Piece("stay", Token.MUTED)))
        lines += [()] if self._question.notes else []
        for note in self._question.notes:
            rows = wrapped(f"{self._glyphs.state(note.word)} {note.text}", width - 2)
            lines += [(Piece(f" {clip(row, width - 2, self._glyphs)}", note.token),) for row in rows]
        return lines

    @property
    def _has_enter(self) -> bool:
        return any(one.key == "enter" for one in self._question.answers)

    def on_key(self, event: events.Key) -> None:
        """An answer's key; where none is enter, that stays too."""
        if event.key in ("escape", "q") or (event.key == "enter" and not self._has_enter):
            event.stop()
            self.dismiss(STAY)
            return
        for one in self._question.answers:
            if one.key in (event.key, event.character):
                event.stop()
                self.dismiss(one.means)
                return
