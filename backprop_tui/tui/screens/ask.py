"""A question with one key per answer; `esc` cancels, and so does `enter` where it is no answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.cells import clip, clip_with_path, wrapped
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.line_widget import COLOURS, LineWidget

CANCEL = "cancel"
_WIDTH = 66


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A key (Textual's name for it), how the key is shown, the result, and the text beside the key."""

    key: str
    shown: str
    value: str
    text: str

    @classmethod
    def by_letter(cls, letter: str, value: str, text: str) -> Answer:
        """Make an answer whose key is shown as it is named."""
        return cls(key=letter, shown=letter, value=value, text=text)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line below the answers; its glyph is that of the state `word`."""

    word: str
    text: str
    token: Token


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Title, lines of text, answers, and notes below them."""

    title: str
    lines: Sequence[str]
    answers: Sequence[Answer]
    notes: Sequence[Note] = ()


class Ask(DismissOnce, ModalScreen[str]):
    """Dialog with a question; its result is the value of the answer, or `CANCEL`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)

    def __init__(self, question: Question, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._question = question
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as box:
            box.border_title = f" {self._question.title} "
            yield LineWidget(glyphs=self._glyphs, id="question")

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = min(_WIDTH, self.app.size.width)
        lines = self._lines(width - 4)
        box = self.query_one("#dialog")
        box.styles.width, box.styles.height = width, min(len(lines) + 2, self.app.size.height)
        self.query_one("#question", LineWidget).show(lines)

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = [()]
        for number, text in enumerate(self._question.lines):
            for row in wrapped(text, width - 2):
                clipped = clip(row.removeprefix("  "), width - 2, self._glyphs)
                lines.append((Piece(f" {clipped}", Token.MUTED if number else Token.FG, bold=not number),))
        lines.append(())
        for answer in self._question.answers:
            key = Piece(f"  {answer.shown:<6}", Token.ACCENT, bold=True)
            lines.append((key, Piece(clip_with_path(answer.text, width - 9, self._glyphs))))
        lines.append((Piece(f"  {'esc':<6}", Token.ACCENT, bold=True), Piece("cancel", Token.MUTED)))
        lines += [()] if self._question.notes else []
        for note in self._question.notes:
            rows = wrapped(f"{self._glyphs.state(note.word)} {note.text}", width - 2)
            lines += [(Piece(f" {clip(row, width - 2, self._glyphs)}", note.token),) for row in rows]
        return lines

    def on_key(self, event: events.Key) -> None:
        has_enter = any(answer.key == "enter" for answer in self._question.answers)
        if event.key in ("escape", "q") or (event.key == "enter" and not has_enter):
            event.stop()
            self.dismiss(CANCEL)
            return
        for answer in self._question.answers:
            if answer.key in (event.key, event.character):
                event.stop()
                self.dismiss(answer.value)
                return
