"""The lines of the New run dialog: path completions, and a preview of the run."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.tui.cells import clip
from backprop_tui.tui.commands import Verdict
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import LineBuilder
from backprop_tui.tui.tokens import Line, Piece, Token

_INDENT = " " * 13
_TAB = " tab completes"


def draw_completions(paths: Sequence[str], chosen: int | None, width: int, glyphs: Glyphs) -> Line:
    """As many completions as fit, without the directories they share."""
    if not paths:
        return ()
    builder = LineBuilder().put(_INDENT)
    room = len(_INDENT) + width - len(_TAB)
    first = 0 if chosen is None else max(0, chosen - 2)
    for place in range(first, len(paths)):
        stem = paths[place].rstrip("/").rpartition("/")[0]
        name = paths[place][len(stem) + 1 :] if stem else paths[place]
        if builder.column + len(name) + 2 > room:
            if place == first:
                builder.put(clip(name, room - builder.column - 2, glyphs))
            else:
                builder.put(glyphs.clipped, Token.MUTED)
            break
        builder.put(f" {name} ", Token.FG if place == chosen else Token.MUTED, chosen=place == chosen)
    return builder.put(" tab", Token.ACCENT, bold=True).put(" completes", Token.MUTED).line()


def draw_live(
    *, same: str, verdict: Verdict | None, refusal: str, messages: tuple[str, str], width: int, glyphs: Glyphs
) -> list[Line]:
    """The interpreter, the equivalent shell command, the verdict, and the last error or the last result."""
    room = width - len(_INDENT)

    def row(label: str, text: str, token: Token, *, bold: bool = False) -> Line:
        return Piece(f"{label:<13}", Token.MUTED), Piece(clip(text, room, glyphs), token, bold=bold)

    error, done = messages
    last: Line = ()
    if error:
        last = (Piece(clip(f"{glyphs.state('failed')} {error}", width, glyphs), Token.BAD, bold=True),)
    elif done:
        last = (Piece(clip(done, width, glyphs), Token.OK),)
    python = "" if verdict is None or verdict.python is None else verdict.python
    return [
        (),
        row("python", python, Token.FG),
        row("same as", same, Token.FG),
        _verdict(verdict, refusal, room, glyphs) if same or refusal else row("verdict", "", Token.MUTED),
        last,
    ]


def _verdict(verdict: Verdict | None, refusal: str, room: int, glyphs: Glyphs) -> Line:
    label = Piece(f"{'verdict':<13}", Token.MUTED)
    if refusal:
        return label, Piece(clip(refusal, room, glyphs), Token.WARN)
    if verdict is None:
        return label, Piece(clip(f"checking {glyphs.clipped}", room, glyphs), Token.MUTED)
    waits = verdict.starts == 0
    glyph, token = (glyphs.state("waiting"), Token.INFO) if waits else (glyphs.state("completed"), Token.OK)
    return label, Piece(clip(f"{glyph} {verdict_text(verdict)}", room, glyphs), token, bold=True)


def verdict_text(verdict: Verdict) -> str:
    if verdict.runs == 1:
        return verdict.message if verdict.starts else f"would wait: {verdict.message}"
    if verdict.starts == verdict.runs:
        return f"all {verdict.runs} would start now"
    waiting = verdict.runs - verdict.starts
    return f"{verdict.starts} of {verdict.runs} would start now; {waiting} wait: {verdict.message}"
